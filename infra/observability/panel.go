package observability

import (
	"fmt"
	"strings"
	"time"
)

// Panel is a panel's query as Grafana asks it when a dashboard is opened.
type Panel struct {
	// Name is the dashboard's and the panel's.
	Name string
	Expr string
	// Span is how much the panel shows, and Step the time between two of its points. An instant query has none.
	Span, Step time.Duration
}

// points are about as many as a panel has pixels, which is what Grafana asks for; no closer than samples lie.
const (
	points  = 2016
	closest = 15 * time.Second
)

// Panels are those of every dashboard, for the systems that a regular expression matches.
func (f File) Panels(systems string) (all []Panel) {
	for _, d := range f.dashboards() {
		span := time.Duration(minutes(strings.TrimPrefix(d.Time.From, "now-"))) * time.Minute
		for _, p := range d.Panels {
			one := Panel{Name: d.UID + ": " + p.Title, Expr: strings.ReplaceAll(p.Targets[0].Expr, "$system", systems)}
			if !p.Targets[0].Instant {
				one.Span, one.Step = span, max(span/points, closest)
			}
			all = append(all, one)
		}
	}
	return all
}

// Recording is a rule that writes a series.
type Recording struct {
	Name, Expr string
	Labels     map[string]string
}

// Recordings are all of them, those that others read first.
func (f File) Recordings() (all []Recording) {
	for _, g := range f.rules().Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				all = append(all, Recording{r.Record, r.Expr, r.Labels})
			}
		}
	}
	return all
}

// Budgets are what is left of every objective's budget over a window, per system, once from the services' counters and
// once from the recorded rates: what the second is worth shows in the time that both take.
func (f File) Budgets(window string) (raw, recorded []string) {
	for _, o := range f.SLOs {
		left := func(good, total string) string {
			return fmt.Sprintf("1 - (1 - (%s) / (%s)) / %g", good, total, round(1-o.Objective))
		}
		raw = append(raw, left(perSystem(o.Good, window), perSystem(o.Total, window)))
		average := func(kind string) string {
			return fmt.Sprintf("avg_over_time(estela:slo_%s:rate5m{slo=%q}[%s])", kind, o.Name, window)
		}
		recorded = append(recorded, left(average("good"), average("total")))
	}
	return raw, recorded
}
