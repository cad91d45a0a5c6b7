package observability

import (
	"fmt"
	"slices"
	"strings"
)

// Runbook is where an alert sends its reader.
const Runbook = "https://github.com/estela-dev/estela/blob/main/infra/observability/README.md"

// base is the window that everything longer is made of, so that the cost of a rule does
// not grow with its window: a month of rates, one a minute, not a month of counters.
const base = "5m"

// ruleFile is a file of Prometheus' rules.
type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval,omitempty"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// rules are what Prometheus computes and tells of. Every series has the label system.
func (f File) rules() ruleFile {
	return ruleFile{[]ruleGroup{
		{Name: "estela-rates", Interval: "1m", Rules: f.rates()},
		{Name: "estela-budgets", Interval: "1m", Rules: f.ratios()},
		{Name: "estela-burn", Rules: f.burning()},
		{Name: "estela-causes", Rules: f.causing()},
	}}
}

// perSystem is PromQL of slo.yaml for a window, each system by itself.
func perSystem(expr, window string) string {
	return strings.NewReplacer("sum(", "sum by (system) (", "$window", window).Replace(expr)
}

// rates are the good and all events a second. Where there are events and no good ones,
// there is no good series either: that is 0, not nothing.
func (f File) rates() (all []rule) {
	for _, o := range f.SLOs {
		good, total := perSystem(o.Good, base), perSystem(o.Total, base)
		all = append(all,
			rule{Record: "estela:slo_good:rate5m", Expr: fmt.Sprintf("(%s) or (%s) * 0", good, total), Labels: map[string]string{"slo": o.Name}},
			rule{Record: "estela:slo_total:rate5m", Expr: total, Labels: map[string]string{"slo": o.Name}})
	}
	return all
}

// windows are those that any alert looks at, the longest last.
func (f File) windows() (all []string) {
	for _, b := range f.Burn {
		all = append(all, b.Short, b.Long)
	}
	slices.SortFunc(all, func(a, b string) int { return minutes(a) - minutes(b) })
	return slices.Compact(all)
}

// minutes is the length of a duration.
func minutes(duration string) (n int) {
	_, _ = fmt.Sscanf(duration, "%d", &n) // slo.yaml is checked
	return n * map[byte]int{'m': 1, 'h': 60, 'd': 24 * 60}[duration[len(duration)-1]]
}

func (f File) ratios() (all []rule) {
	for _, w := range f.windows() {
		expr := "1 - estela:slo_good:rate5m / estela:slo_total:rate5m"
		if w != base {
			expr = fmt.Sprintf("1 - avg_over_time(estela:slo_good:rate5m[%s]) / avg_over_time(estela:slo_total:rate5m[%s])", w, w)
		}
		all = append(all, rule{Record: "estela:slo_errors:ratio_rate" + w, Expr: expr})
	}
	for _, o := range f.SLOs {
		window := fmt.Sprintf("%dd", o.WindowDays)
		all = append(all, rule{
			Record: "estela:slo_budget:remaining",
			Expr: fmt.Sprintf(`1 - (1 - avg_over_time(estela:slo_good:rate5m{slo=%q}[%s]) / avg_over_time(estela:slo_total:rate5m{slo=%q}[%s])) / %g`,
				o.Name, window, o.Name, window, round(1-o.Objective)),
			Labels: map[string]string{"slo": o.Name},
		})
	}
	return all
}

// round takes away what a subtraction of decimals adds.
func round(v float64) float64 {
	var r float64
	_, _ = fmt.Sscanf(fmt.Sprintf("%.6f", v), "%g", &r) // of our own making
	return r
}

// camel is a name as alerts have it.
func camel(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// alertOf is the name of an objective's alert at a pace.
func alertOf(o SLO, b Burn) string { return "Estela" + camel(o.Name) + "Burns" + camel(b.Long) }

func (f File) burning() (all []rule) {
	for _, o := range f.Steady() {
		for _, b := range f.Burn {
			threshold := round(b.Factor * (1 - o.Objective))
			all = append(all, rule{
				Alert: alertOf(o, b),
				Expr: fmt.Sprintf("estela:slo_errors:ratio_rate%s{slo=%q} > %g and estela:slo_errors:ratio_rate%s{slo=%q} > %g",
					b.Long, o.Name, threshold, b.Short, o.Name, threshold),
				Labels: map[string]string{"severity": b.Severity, "owner": strings.ReplaceAll(o.Owner, " ", "-")},
				Annotations: map[string]string{
					"summary":     fmt.Sprintf("{{ $labels.system }}: %s: the budget burns %g times too fast", o.Title, b.Factor),
					"description": o.SLI,
					"runbook_url": Runbook + "#" + o.Name,
				},
			})
		}
	}
	return all
}

func (f File) causing() (all []rule) {
	for _, c := range f.Causes {
		all = append(all, rule{
			Alert: "Estela" + c.Name, Expr: c.Expr, For: c.For, Labels: map[string]string{"severity": c.Severity},
			Annotations: map[string]string{
				"summary": "{{ $labels.system }}: " + c.Says, "description": c.Do, "runbook_url": Runbook + "#" + strings.ToLower(c.Name),
			},
		})
	}
	return all
}
