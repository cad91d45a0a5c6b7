// Package observability holds the service level objectives (slo.yaml) and what is
// made of them: rules and alerts for Prometheus with their tests, and dashboards.
// README.md explains the choices.
package observability
