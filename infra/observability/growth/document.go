package growth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/infra/observability"
)

// Source is the result's path in the folder of package observability.
const Source = "fleet/result.json"

// many and middle are the fleet that the lines are asked for, and the one that was measured over several times.
const many, middle = 500, 15

// Document adds the tables of a result to the README among the files.
func Document(f observability.File, r Result, files map[string][]byte) error {
	text, err := tables(f, r)
	if err != nil {
		return err
	}
	readme, err := observability.Between(files["README.md"], "fleet", text)
	if err != nil {
		return err
	}
	files["README.md"] = readme
	return nil
}

// fitted is a measure with its two lines: through sizes of a fleet over a day, and through the days of one fleet.
type fitted struct {
	measure
	bySize, byDays []float64 // what was measured
	sizes, days    Line
}

// fit is every measure's.
func fit(f observability.File, r Result) (all []fitted, sizes, days []float64, err error) {
	day, several := sorted(r.Points)
	for _, p := range day {
		sizes = append(sizes, float64(p.Systems))
	}
	for _, p := range several {
		days = append(days, p.Days)
	}
	for _, m := range measures(f, r) {
		one := fitted{measure: m, bySize: values(m, day), byDays: values(m, several)}
		if one.sizes, err = Fit(sizes, one.bySize); err != nil {
			return nil, nil, nil, fmt.Errorf("%s by systems: %w", m.name, err)
		}
		if one.days, err = Fit(days, one.byDays); err != nil {
			return nil, nil, nil, fmt.Errorf("%s by days: %w", m.name, err)
		}
		all = append(all, one)
	}
	return all, sizes, days, nil
}

// sorted are the points of a day by size, and those of the middle fleet by days.
func sorted(points []Point) (day, several []Point) {
	for _, p := range points {
		if p.Days == 1 {
			day = append(day, p)
		}
		if p.Systems == middle {
			several = append(several, p)
		}
	}
	slices.SortFunc(day, func(a, b Point) int { return a.Systems - b.Systems })
	slices.SortFunc(several, func(a, b Point) int { return int(100 * (a.Days - b.Days)) })
	return day, several
}

func values(m measure, points []Point) (all []float64) {
	for _, p := range points {
		all = append(all, m.of(p))
	}
	return all
}

// times is how much more the figure of a month is than that of a day.
func (f fitted) times() float64 {
	if f.measure.days == 0 {
		return 1
	}
	return f.days.At(min(kept, f.measure.days)) / f.days.At(1)
}

// breaks is the size of the fleet at which a limit is reached, with a month of samples.
func (f fitted) breaks() (float64, bool) {
	if f.limit == 0 {
		return 0, false
	}
	return f.sizes.Reaches(f.limit / f.times())
}

func tables(f observability.File, r Result) (string, error) {
	all, sizes, days, err := fit(f, r)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	last := r.Points[len(r.Points)-1]
	slowest, _ := last.worst(func(string) bool { return true }, seconds)
	fmt.Fprintf(&b, "Measured on %s with Prometheus %s on %d cores (%s, %s of memory), everything on loopback: `go run ./observability/fleet`. "+
		"A system is %d exposed series with a sample in 30 s: one dataset, one shard, one endpoint with two statuses; each has its own traffic and "+
		"outages, and at the end of the day with %d systems %d alerts were firing. The last hours are in memory and the rest in blocks, as "+
		"with a Prometheus that collected them. Panels (%d) are asked for the span of their dashboard, as Grafana does; the slowest is *%s*. "+
		"Times are the quickest of a few runs, for others used the machine too. A line a + b·N is fitted to each measure; *off* is its largest "+
		"residual, as a share of what was measured there. The last column was measured to see whether the lines hold, and is no part of them.\n\n",
		r.Measured, r.Prometheus, r.Cores, r.Processor, unit(size).write(float64(r.Memory)), last.Exposed/last.Systems, last.Systems, last.Firing,
		len(last.Panels), slowest)
	bySize(&b, all, sizes, r.Check)
	byDays(&b, all, days)
	limits(&b, all)
	return b.String(), nil
}

func bySize(b *strings.Builder, all []fitted, sizes []float64, check Point) {
	fmt.Fprint(b, "| a day of N systems |")
	for _, n := range sizes {
		fmt.Fprintf(b, " %.0f |", n)
	}
	fmt.Fprintf(b, " line | residuals | off | line at %d | measured at %d |\n| --- |%s --- | --- | --- | --- | --- |\n", many, check.Systems, strings.Repeat(" --- |", len(sizes)))
	for _, f := range all {
		fmt.Fprintf(b, "| %s | %s | %s + %s·N | %s | %.0f %% | %s | %s |\n", f.name, join(f.unit, f.bySize, " | "),
			f.unit.write(f.sizes.A), f.unit.slope(f.sizes.B), join(f.unit, f.sizes.Residuals, ", "), 100*f.sizes.Off(f.bySize), f.unit.write(f.sizes.At(many)), f.unit.write(f.of(check)))
	}
}

func join(u unit, values []float64, by string) string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = u.write(v)
	}
	return strings.Join(all, by)
}

func byDays(b *strings.Builder, all []fitted, days []float64) {
	fmt.Fprintf(b, "\nWith days grows what looks back further than a day, until its window is full. The last column is the line at %d systems, times what "+
		"the line of days says that a month is to a day.\n\n| %d systems over days |", many, middle)
	for _, d := range days {
		fmt.Fprintf(b, " %g |", d)
	}
	fmt.Fprintf(b, " grows for | off | line at %d days | %d systems, %d days |\n| --- |%s --- | --- | --- | --- |\n", kept, many, kept, strings.Repeat(" --- |", len(days)))
	for _, f := range all {
		until, off, month := "it doesn't grow", "", f.byDays[slices.Index(days, 1)]
		if d := f.measure.days; d > 0 {
			until, off, month = fmt.Sprintf("%g days", d), fmt.Sprintf("%.0f %%", 100*f.days.Off(f.byDays)), f.days.At(min(kept, d))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", f.name, join(f.unit, f.byDays, " | "), until, off, f.unit.write(month), f.unit.write(f.sizes.At(many)*f.times()))
	}
}

// limits are the sizes at which something breaks, the smallest first.
func limits(b *strings.Builder, all []fitted) {
	fmt.Fprint(b, "\n| breaks with a month of samples | at | systems |\n| --- | --- | --- |\n")
	all = slices.DeleteFunc(slices.Clone(all), func(f fitted) bool { _, ok := f.breaks(); return !ok })
	slices.SortStableFunc(all, func(a, b fitted) int {
		x, _ := a.breaks()
		y, _ := b.breaks()
		return int(x - y)
	})
	for _, f := range all {
		n, _ := f.breaks()
		fmt.Fprintf(b, "| %s | %s, %s | %s |\n", f.name, f.unit.write(f.limit), f.why, unit(count).write(n))
	}
}
