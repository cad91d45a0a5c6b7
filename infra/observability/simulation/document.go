package simulation

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/go-analyze/charts"

	"github.com/estela-dev/estela/infra/observability"
)

// months is how many windows the history has, one after the other.
const months = 120

// picture is the plot's path in the folder of package observability.
const picture = "detection.svg"

// shares are the percentages of bad events that are plotted.
var shares = []int{1, 2, 5, 10, 20, 50, 100}

// Policies are the alerts of slo.yaml and what they are compared with.
func Policies(f observability.File) []Policy {
	var pages, all, long []Pace
	for _, b := range f.Burn {
		l, s := b.Windows()
		all = append(all, Pace{b.Factor, l, s})
		long = append(long, Pace{b.Factor, l, l})
		if b.Severity == "page" {
			pages = append(pages, Pace{b.Factor, l, s})
		}
	}
	return []Policy{
		{"chosen, pages alone", pages},
		{"chosen, with tickets", all},
		{"chosen, without the short windows", long},
		{"objective missed over 5 min", []Pace{{1, 5, 5}}},
		{"objective missed over 1 h", []Pace{{1, 60, 60}}},
		{"objective missed over 3 d", []Pace{{1, 3 * 24 * 60, 3 * 24 * 60}}},
	}
}

// Document adds the plot to the files that are made from slo.yaml, and the tables to the
// README among them.
func Document(f observability.File, files map[string][]byte) error {
	svg, err := plot(f)
	if err != nil {
		return fmt.Errorf("plot detection: %w", err)
	}
	readme, err := observability.Between(files["README.md"], "simulation", text(f))
	if err != nil {
		return err
	}
	files[picture], files["README.md"] = svg, readme
	return nil
}

func text(f observability.File) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A generated history of %d windows (seeded; one outage in two days, of 1 min to 12 h, with 0.1 %% to all of the events bad, "+
		"short and small as common as long and large, above a background that spends a fifth of the budget) is watched by these alerts "+
		"and by simpler ones. *Told of*: outages that spend 2 %% of the budget or more by themselves. *False*: alerts outside of those, "+
		"for a window of the objective.\n", months)
	for _, o := range objectives(f) {
		window := o.WindowDays * 24 * 60
		budget := (1 - o.Objective) * float64(Traffic*window)
		h := Generate(1, months*window, int(math.Round((1-o.Objective)*Traffic/5)))
		fmt.Fprintf(&b, "\n| objective %g %% | told of | missed spend up to | after (median) | after (95 %%) | stays on for | false |\n| --- | --- | --- | --- | --- | --- | --- |\n", percent(o.Objective))
		for _, p := range Policies(f) {
			r := h.Judge(p, o.Objective, budget)
			fmt.Fprintf(&b, "| %s | %d of %d | %.1f %% | %d min | %d min | %d min | %.1f |\n",
				p.Name, r.Told, r.Outages, 100*r.Missed, r.Median, r.P95, r.Lasts, float64(r.False)/months)
		}
	}
	fmt.Fprintf(&b, "\n![Budget that is spent when an outage is told of, by the share of bad events](%s)\n", picture)
	return b.String()
}

// objectives are those of the file that have alerts on paces, one of each strictness.
func objectives(f observability.File) (all []observability.SLO) {
	seen := map[float64]bool{}
	for _, o := range f.Steady() {
		if !seen[o.Objective] {
			all = append(all, o)
		}
		seen[o.Objective] = true
	}
	return all
}

// percent is free of what binary fractions add.
func percent(share float64) float64 { return math.Round(share*1e6) / 1e4 }

// Detects is how many minutes an outage lasts, in which a share of events in percent is bad,
// until the alerts tell of it; false if it would have lasted for a whole window before.
func Detects(p Policy, o observability.SLO, percent int) (int, bool) {
	const before = 3 * 24 * 60 // the longest window has only good events
	window := o.WindowDays * 24 * 60
	h := NewHistory(before+window, 0, []Outage{{Start: before, Minutes: window, Bad: Traffic / 100 * percent}})
	for i, on := range h.Firing(p, o.Objective) {
		if on {
			return i - before + 1, true
		}
	}
	return 0, false
}

func plot(f observability.File) ([]byte, error) {
	policy := Policies(f)[1]
	var values [][]float64
	var names, labels []string
	for _, s := range shares {
		labels = append(labels, fmt.Sprintf("%d %%", s))
	}
	for _, o := range objectives(f) {
		line := make([]float64, len(shares))
		for i, s := range shares {
			line[i] = charts.GetNullValue()
			if m, ok := Detects(policy, o, s); ok {
				line[i] = float64(m*s) / ((1 - o.Objective) * float64(o.WindowDays*24*60))
			}
		}
		values, names = append(values, line), append(names, fmt.Sprintf("%g %%", percent(o.Objective)))
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 860, Height: 420})
	option := charts.NewLineChartOptionWithData(values)
	option.Title = charts.TitleOption{Text: "% of the budget spent when told", FontStyle: charts.NewFontStyleWithSize(13)}
	option.Legend = charts.LegendOption{SeriesNames: names, Offset: charts.OffsetRight}
	option.XAxis = charts.XAxisOption{Labels: labels, Title: "share of events that are bad"}
	if err := p.LineChart(option); err != nil {
		return nil, err
	}
	svg, err := p.Bytes()
	return append(bytes.TrimSpace(svg), '\n'), err
}
