// Package observability holds the service level objectives (slo.yaml) and what is
// made of them: rules and alerts for Prometheus with their tests, dashboards, and a
// simulation of how soon the alerts notice. README.md explains the choices.
package observability
