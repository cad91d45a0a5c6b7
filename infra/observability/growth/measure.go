package growth

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/infra/observability"
)

// measure is a figure of a point that a line goes through.
type measure struct {
	name string
	unit unit
	of   func(Point) float64
	// days is after how many it stops to grow, because nothing looks further back; 0 if it doesn't grow with days.
	days float64
	// limit is where it breaks, and why there.
	limit float64
	why   string
}

const (
	// kept is how long Prometheus keeps samples, and budget the longest window of a rule.
	kept, budget = 30, 28
	// minute is the interval of the rules.
	minute = 60
	// patience is how many seconds a person waits for a panel.
	patience = 10
	// held is Prometheus' --query.max-samples, at which a query is refused.
	held = 50e6
)

// measures are all of them, for a machine and the panels of a file.
func measures(f observability.File, r Result) []measure {
	recent, week := panels(f, 3*time.Hour), panels(f, 7*24*time.Hour)
	slowest := func(among func(string) bool) func(Point) float64 {
		return func(p Point) float64 { _, s := p.worst(among, seconds); return s }
	}
	hungriest := func(p Point) float64 {
		_, n := p.worst(recent, func(c Cost) float64 { return float64(c.Peak) })
		return n
	}
	group := func(name string) func(Point) float64 { return func(p Point) float64 { return p.Groups[name] } }
	return []measure{
		{name: "series in memory", unit: count, of: func(p Point) float64 { return float64(p.Active) }},
		{name: "samples a day, exposed", unit: count, of: func(p Point) float64 { return p.RawSamples }},
		{name: "samples a day, recorded by rules", unit: count, of: func(p Point) float64 { return p.RecordedSamples }},
		{name: "disk, exposed", unit: size, of: func(p Point) float64 { return float64(p.RawBytes) }, days: kept},
		{name: "disk, recorded by rules", unit: size, of: func(p Point) float64 { return float64(p.RecordedBytes) }, days: kept},
		{name: "memory, rules running", unit: size, of: func(p Point) float64 { return float64(p.Idle) }, days: kept, limit: float64(r.Memory), why: "the memory of this machine"},
		{name: "memory, all dashboards opened", unit: size, of: func(p Point) float64 { return float64(p.Peak) }, days: kept, limit: float64(r.Memory), why: "the memory of this machine"},
		{name: "evaluation of estela-rates", unit: duration, of: group("estela-rates"), limit: minute, why: "its interval"},
		{name: "evaluation of estela-budgets", unit: duration, of: group("estela-budgets"), days: budget, limit: minute, why: "its interval"},
		{name: "evaluation of estela-burn", unit: duration, of: group("estela-burn"), limit: minute, why: "its interval"},
		{name: "evaluation of estela-causes", unit: duration, of: group("estela-causes"), limit: minute, why: "its interval"},
		{name: "panels, the median", unit: duration, of: Point.median},
		{name: "slowest panel over 3 h of counters", unit: duration, of: slowest(recent), limit: patience, why: "a reader's patience"},
		{name: "slowest panel over 7 days of recorded series", unit: duration, of: slowest(week), days: 7, limit: patience, why: "a reader's patience"},
		{name: "samples that a panel over 3 h holds", unit: count, of: hungriest, limit: held, why: "`--query.max-samples`, and the panel shows an error"},
		{name: "five budgets of counters", unit: duration, of: func(p Point) float64 { return p.RawBudgets.Seconds }, days: budget, limit: patience, why: "a reader's patience, if a panel asked for them"},
		{name: "five budgets of recorded rates", unit: duration, of: func(p Point) float64 { return p.RecordedBudgets.Seconds }, days: budget},
		{name: "samples that five budgets of counters read", unit: count, of: func(p Point) float64 { return float64(p.RawBudgets.Read) }, days: budget},
		{name: "samples that five budgets of recorded rates read", unit: count, of: func(p Point) float64 { return float64(p.RecordedBudgets.Read) }, days: budget},
	}
}

// panels tells those that show a span, or an instant of a dashboard that does, from others.
func panels(f observability.File, span time.Duration) func(string) bool {
	boards := map[string]bool{}
	all := f.Panels(".*")
	board := func(panel string) string { uid, _, _ := strings.Cut(panel, ": "); return uid }
	for _, p := range all {
		if p.Span == span {
			boards[board(p.Name)] = true
		}
	}
	return func(panel string) bool { return boards[board(panel)] }
}

// unit is what a figure is written in, by how large it is.
type unit func(float64) (scale float64, name string)

func count(v float64) (float64, string) {
	switch a := math.Abs(v); {
	case a >= 1e9:
		return 1e9, " G"
	case a >= 1e6:
		return 1e6, " M"
	case a >= 1e4:
		return 1e3, " k"
	default:
		return 1, ""
	}
}

func size(v float64) (float64, string) {
	if math.Abs(v) >= 1e9 {
		return 1e9, " GB"
	}
	return 1e6, " MB"
}

func duration(v float64) (float64, string) {
	if math.Abs(v) >= 1 {
		return 1, " s"
	}
	return 1e-3, " ms"
}

// write is a figure with two digits or three, whole where it is counted: what a line gives is no better known.
func (u unit) write(v float64) string {
	scale, name := u(v)
	digits := 0
	if math.Abs(v/scale) < 10 && name != "" {
		digits = 1
	}
	number := strconv.FormatFloat(v/scale, 'f', digits, 64)
	if strings.Trim(number, "-0.") == "" {
		number = "0" // of whatever sign
	}
	return number + name
}

// slope is a figure that may be small for its unit.
func (u unit) slope(v float64) string {
	scale, name := u(v)
	return fmt.Sprintf("%.3g%s", v/scale, name)
}
