package stack

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/monitoring"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/estela-dev/estela/infra/observability"
)

// objectives are those of slo.yaml about the parts that the app has.
func objectives(cfg Config) (observability.File, error) {
	file, err := observability.Load()
	if !cfg.Ingest {
		file = file.Without(observability.PartIngest)
	}
	return file, err
}

// channels are where alerts go.
type channels struct {
	*component

	ids pulumi.StringArray
}

func newChannels(ctx *pulumi.Context, cfg Config) (*channels, error) {
	c, err := newComponent(ctx, cfg, "Channels", "channels")
	if err != nil {
		return nil, err
	}
	n := &channels{component: c}
	for i, address := range cfg.AlertEmails {
		channel, err := monitoring.NewNotificationChannel(ctx, fmt.Sprintf("mail-%d", i), &monitoring.NotificationChannelArgs{
			Project: pulumi.String(cfg.Project), Type: pulumi.String("email"), DisplayName: pulumi.String("Estela " + ctx.Stack()),
			Labels: pulumi.StringMap{"email_address": pulumi.String(address)}, UserLabels: c.labels,
		}, c.child())
		if err != nil {
			return nil, fmt.Errorf("register channel of %s: %w", address, err)
		}
		n.ids = append(n.ids, channel.ID().ToStringOutput())
	}
	return n, c.outputs(pulumi.Map{})
}

// watched is the monitoring of one system.
type watched struct {
	*component

	// slos are their full names.
	slos pulumi.StringArray
}

// newMonitoring makes a service with the SLOs of slo.yaml whose budgets burn at a pace, an
// alert for each pace at which one may, and one for canaries that fail.
func newMonitoring(ctx *pulumi.Context, cfg Config, s *system, to *channels, parent pulumi.Resource) (*watched, error) {
	c, err := newComponent(ctx, cfg, "Monitoring", s.name+"-monitoring", pulumi.Parent(parent))
	if err != nil {
		return nil, err
	}
	file, err := objectives(cfg)
	if err != nil {
		return nil, err
	}
	service, err := monitoring.NewCustomService(ctx, s.name, &monitoring.CustomServiceArgs{
		Project: pulumi.String(cfg.Project), ServiceId: pulumi.String(s.name), DisplayName: pulumi.String(s.name), UserLabels: c.labelled(s.name),
	}, c.child())
	if err != nil {
		return nil, fmt.Errorf("register service %s: %w", s.name, err)
	}
	w := &watched{component: c}
	for _, o := range file.Steady() {
		slo, err := w.objective(s.name, o, service)
		if err != nil {
			return nil, err
		}
		for _, pace := range file.Burn {
			if err := w.alert(s.name, o, pace, slo, to); err != nil {
				return nil, err
			}
		}
		w.slos = append(w.slos, slo.Name)
	}
	if err := w.canaryAlert(s.name, to); err != nil {
		return nil, err
	}
	if s.api != nil {
		if err := w.uptime(s); err != nil {
			return nil, err
		}
	}
	return w, c.outputs(pulumi.Map{"slos": w.slos})
}

// ofSystem narrows a filter to a system: its services say whose they are.
func ofSystem(filter, system string) string {
	return fmt.Sprintf(`%s AND resource.labels.namespace=%q`, filter, system)
}

func (w *watched) objective(system string, o observability.SLO, service *monitoring.CustomService) (*monitoring.Slo, error) {
	sli := &monitoring.SloRequestBasedSliArgs{}
	if o.Cloud.Distribution != "" {
		sli.DistributionCut = &monitoring.SloRequestBasedSliDistributionCutArgs{
			DistributionFilter: pulumi.String(ofSystem(o.Cloud.Distribution, system)),
			Range:              &monitoring.SloRequestBasedSliDistributionCutRangeArgs{Min: pulumi.Float64(0), Max: pulumi.Float64(o.Cloud.Max)},
		}
	} else {
		ratio := &monitoring.SloRequestBasedSliGoodTotalRatioArgs{}
		for filter, to := range map[string]*pulumi.StringPtrInput{
			o.Cloud.Good: &ratio.GoodServiceFilter, o.Cloud.Bad: &ratio.BadServiceFilter, o.Cloud.Total: &ratio.TotalServiceFilter,
		} {
			if filter != "" {
				*to = pulumi.String(ofSystem(filter, system))
			}
		}
		sli.GoodTotalRatio = ratio
	}
	slo, err := monitoring.NewSlo(w.ctx, system+"-"+o.Name, &monitoring.SloArgs{
		Project: pulumi.String(w.cfg.Project), Service: service.ServiceId, SloId: pulumi.String(o.Name), DisplayName: pulumi.String(o.Title),
		Goal: pulumi.Float64(o.Objective), RollingPeriodDays: pulumi.Int(o.WindowDays), RequestBasedSli: sli, UserLabels: w.labelled(system),
	}, w.child())
	if err != nil {
		return nil, fmt.Errorf("register objective %s of %s: %w", o.Name, system, err)
	}
	return slo, nil
}

// alert is one pace of burning, seen in a long window and in a short one, so that it
// ends soon after its cause.
func (w *watched) alert(system string, o observability.SLO, pace observability.Burn, slo *monitoring.Slo, to *channels) error {
	condition := func(window string) *monitoring.AlertPolicyConditionArgs {
		return &monitoring.AlertPolicyConditionArgs{
			DisplayName: pulumi.Sprintf("burns at %g over %s", pace.Factor, window),
			ConditionThreshold: &monitoring.AlertPolicyConditionConditionThresholdArgs{
				Filter:     pulumi.Sprintf(`select_slo_burn_rate("%s", "%s")`, slo.Name, inSeconds(window)),
				Comparison: pulumi.String("COMPARISON_GT"), ThresholdValue: pulumi.Float64(pace.Factor), Duration: pulumi.String("0s"),
			},
		}
	}
	name := fmt.Sprintf("%s-%s-burns-%s", system, o.Name, pace.Long)
	_, err := monitoring.NewAlertPolicy(w.ctx, name, &monitoring.AlertPolicyArgs{
		Project: pulumi.String(w.cfg.Project), DisplayName: pulumi.String(fmt.Sprintf("%s: %s burns %g times too fast", system, o.Title, pace.Factor)),
		Combiner: pulumi.String("AND"), Severity: pulumi.String(severities[pace.Severity]),
		Conditions:           monitoring.AlertPolicyConditionArray{condition(pace.Long), condition(pace.Short)},
		NotificationChannels: to.ids, UserLabels: w.labelled(system),
		Documentation: documented(o.Name, o.SLI),
	}, w.child())
	if err != nil {
		return fmt.Errorf("register alert %s: %w", name, err)
	}
	return nil
}

// inSeconds writes a duration such as 3d for Cloud Monitoring.
func inSeconds(window string) string {
	unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[window[len(window)-1:]]
	n, _ := strconv.Atoi(window[:len(window)-1]) // slo.yaml is checked
	return fmt.Sprintf("%ds", int((time.Duration(n) * unit).Seconds()))
}

func documented(anchor, text string) *monitoring.AlertPolicyDocumentationArgs {
	return &monitoring.AlertPolicyDocumentationArgs{
		MimeType: pulumi.String("text/markdown"), Content: pulumi.String(fmt.Sprintf("%s\n\nWhat to do: %s#%s", text, observability.Runbook, anchor)),
	}
}

// canaryAlert tells of two signs of life that did not come through.
func (w *watched) canaryAlert(system string, to *channels) error {
	_, err := monitoring.NewAlertPolicy(w.ctx, system+"-canary-fails", &monitoring.AlertPolicyArgs{
		Project: pulumi.String(w.cfg.Project), DisplayName: pulumi.String(system + ": canaries don't come through"),
		Combiner: pulumi.String("OR"), Severity: pulumi.String("CRITICAL"), NotificationChannels: to.ids, UserLabels: w.labelled(system),
		Documentation: documented("canary", "An event that was published on schedule could not be read back."),
		Conditions: monitoring.AlertPolicyConditionArray{&monitoring.AlertPolicyConditionArgs{
			DisplayName: pulumi.String("two failed in fifteen minutes"),
			ConditionThreshold: &monitoring.AlertPolicyConditionConditionThresholdArgs{
				Filter: pulumi.String(fmt.Sprintf(`resource.type="cloud_run_job" AND resource.labels.job_name=%q AND metric.type="run.googleapis.com/job/completed_execution_count" AND metric.labels.result="failed"`, system+"-canary")),
				Aggregations: monitoring.AlertPolicyConditionConditionThresholdAggregationArray{&monitoring.AlertPolicyConditionConditionThresholdAggregationArgs{
					AlignmentPeriod: pulumi.String("900s"), PerSeriesAligner: pulumi.String("ALIGN_DELTA"), CrossSeriesReducer: pulumi.String("REDUCE_SUM"),
				}},
				Comparison: pulumi.String("COMPARISON_GT"), ThresholdValue: pulumi.Float64(1), Duration: pulumi.String("0s"),
			},
		}},
	}, w.child())
	if err != nil {
		return fmt.Errorf("register alert on the canary of %s: %w", system, err)
	}
	return nil
}

// uptime asks from outside for what needs no key.
func (w *watched) uptime(s *system) error {
	host := s.api.url.ApplyT(hostOf).(pulumi.StringOutput) //nolint:forcetypeassert // ApplyT's own rule
	_, err := monitoring.NewUptimeCheckConfig(w.ctx, s.name+"-uptime", &monitoring.UptimeCheckConfigArgs{
		Project: pulumi.String(w.cfg.Project), DisplayName: pulumi.String(s.name), Period: pulumi.String("60s"), Timeout: pulumi.String("10s"),
		HttpCheck: &monitoring.UptimeCheckConfigHttpCheckArgs{
			Path: pulumi.String(probePath), Port: pulumi.Int(443), UseSsl: pulumi.Bool(true), ValidateSsl: pulumi.Bool(true),
			RequestMethod: pulumi.String("GET"),
		},
		MonitoredResource: &monitoring.UptimeCheckConfigMonitoredResourceArgs{
			Type: pulumi.String("uptime_url"), Labels: pulumi.StringMap{"project_id": pulumi.String(w.cfg.Project), "host": host},
		},
		UserLabels: w.labelled(s.name),
	}, w.child())
	if err != nil {
		return fmt.Errorf("register uptime check of %s: %w", s.name, err)
	}
	return nil
}
