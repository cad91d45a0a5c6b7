// Package observability holds the service level objectives, and what is made of them.
package observability
