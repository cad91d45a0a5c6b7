package stack

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/monitoring"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// newCauses makes the alerts on causes of slo.yaml, each once for all systems of the app:
// Cloud Monitoring evaluates their PromQL over what arrives by OTLP.
func newCauses(ctx *pulumi.Context, cfg Config, to *channels) error {
	c, err := newComponent(ctx, cfg, "Causes", "causes")
	if err != nil {
		return err
	}
	file, err := objectives(cfg)
	if err != nil {
		return err
	}
	for _, cause := range file.Causes {
		_, err := monitoring.NewAlertPolicy(ctx, "cause-"+strings.ToLower(cause.Name), &monitoring.AlertPolicyArgs{
			Project: pulumi.String(cfg.Project), DisplayName: pulumi.String("Estela " + ctx.Stack() + ": " + cause.Says),
			Combiner: pulumi.String("OR"), Severity: pulumi.String(severities[cause.Severity]),
			NotificationChannels: to.ids, UserLabels: c.labels,
			Documentation: documented(strings.ToLower(cause.Name), cause.Says+"\n\n"+cause.Do),
			Conditions: monitoring.AlertPolicyConditionArray{&monitoring.AlertPolicyConditionArgs{
				DisplayName: pulumi.String(cause.Name),
				ConditionPrometheusQueryLanguage: &monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs{
					Query: pulumi.String(inCloud(cause.Expr)), Duration: pulumi.String(inSeconds(cause.For)), EvaluationInterval: pulumi.String("60s"),
					AlertRule: pulumi.String("Estela" + cause.Name),
					// The first deployment comes before the first sample.
					DisableMetricValidation: pulumi.Bool(true),
				},
			}},
		}, c.child())
		if err != nil {
			return fmt.Errorf("register alert on %s: %w", cause.Name, err)
		}
	}
	return c.outputs(pulumi.Map{})
}

// severities are slo.yaml's as Cloud Monitoring calls them.
var severities = map[string]string{"page": "CRITICAL", "ticket": "WARNING"}

// inCloud is PromQL of slo.yaml with the label that a system has in Managed Service for
// Prometheus: what OpenTelemetry calls service.namespace.
func inCloud(expr string) string { return strings.ReplaceAll(expr, "system", "namespace") }
