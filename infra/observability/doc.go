// Package observability holds the service level objectives (slo.yaml) and what is
// made of them: rules and alerts for Prometheus with their tests, dashboards, a
// simulation of how soon the alerts notice, and a measurement of what many systems
// need of Prometheus. README.md explains the choices.
package observability
