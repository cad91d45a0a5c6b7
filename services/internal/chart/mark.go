package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/encode"
)

// maxSeries is the highest number of series in a picture.
const maxSeries = 8

// picture returns what the rows are drawn as.
func (e *encoder) picture(m encode.Meta) *Picture {
	p := &Picture{Kind: e.spec.Kind, Title: printable(e.spec.Title)}
	e.grid.finish()
	e.setAxes(p)
	e.setMarks(p)
	p.setRanges()
	p.Notes = e.notes(m)
	p.Description = p.describe(e.rows)
	return p
}

// setAxes sets the axes' labels and names.
func (e *encoder) setAxes(p *Picture) {
	p.X = e.axis(e.x, e.xKind, e.xNames)
	p.Y = Axis{Label: "rows", Scale: numberScale}
	switch {
	case p.Kind == Heatmap && len(e.y) == 0:
		p.X.Label, p.X.Scale, p.Y.Label = "day of "+p.X.Label, dateScale, "hour"
	case len(e.y) == 1:
		p.Y = e.axis(e.y[0], e.yKind, e.yNames)
	case len(e.y) > 1:
		p.Y.Label = e.commonUnit()
	}
	if p.Kind == Heatmap {
		p.Colour = "rows"
		if e.value >= 0 {
			p.Colour = "mean of " + e.label(e.value)
		}
	}
}

// axis returns the axis of a column.
func (e *encoder) axis(i int, scale string, all *names) Axis {
	a := Axis{Label: e.label(i), Scale: scale}
	if scale == nameScale {
		a.Names, a.Stride, a.Places = all.all, all.stride, all.n
	}
	if e.columns[i].Type.Kind == column.TimestampTZ {
		a.Zone = "UTC"
	}
	return a
}

// label returns a column's name with its unit.
func (e *encoder) label(i int) string {
	name := e.columns[i].Name
	unit := printable(e.spec.Units[name])
	if unit == "" || slices.Contains(strings.Split(name, "_"), unit) {
		return name
	}
	return name + " (" + unit + ")"
}

// commonUnit is the label of the axis of several columns: their unit, if they have the same.
func (e *encoder) commonUnit() string {
	unit := e.spec.Units[e.spec.Y[0]]
	for _, name := range e.spec.Y {
		if e.spec.Units[name] != unit {
			return ""
		}
	}
	return printable(unit)
}

// setMarks sets the series and their marks.
func (e *encoder) setMarks(p *Picture) {
	p.Series = []Series{{}}
	if e.series != nil {
		p.Series = make([]Series, max(1, len(e.series.all)))
		for i, name := range e.series.all {
			p.Series[i].Name = name
		}
	} else if len(e.y) > 1 {
		p.Series = make([]Series, len(e.y))
		for i, column := range e.y {
			p.Series[i].Name = e.label(column)
		}
	}
	x, y := e.grid.x.extent(p.X.Scale), e.grid.y.extent(p.Y.Scale)
	if p.Kind == Scatter && !e.grid.isExact() {
		p.Colour = "rows, logarithmic"
	}
	last := place{series: -1}
	gap := false
	for _, at := range sortedPlaces(e.grid.cells) {
		c := e.grid.cells[at]
		if at.series != last.series {
			gap = true
		}
		last = at
		if c.rows == 0 {
			gap = true
			continue
		}
		s := &p.Series[at.series]
		if gap {
			s.Runs = append(s.Runs, nil)
		}
		gap = false
		run := &s.Runs[len(s.Runs)-1]
		switch {
		case p.cells():
			*run = append(*run, e.cell(at, c, x, y))
		case p.Kind == Bar:
			*run = append(*run, bar(at, c, x))
		case p.Kind == Histogram:
			from, to := x(at.x)
			*run = append(*run, Mark{X: from, X1: to, Y: float64(c.rows), Rows: c.rows})
		case p.Kind == Scatter:
			*run = append(*run, Mark{X: c.first.x, Y: c.first.y, Rows: c.rows})
		default:
			*run = append(*run, points(c)...)
		}
	}
}

// extents return where the bar or the cell of a bin begins and ends.
type extents func(at float64) (from, to float64)

// extent returns the extents of the bins of an axis; values that have their own are as wide as their
// distance.
func (b *binning) extent(scale string) extents {
	if b.exact != nil {
		apart := distance(b.exact)
		if apart == 0 {
			apart = max(1, stepWidth(max(b.least, 0), b.clock), math.Abs(b.high)*1e-6)
		}
		return func(at float64) (float64, float64) { return finite(at - apart/2), finite(at + apart/2) }
	}
	shift := 0.0
	if scale == nameScale || b.least == 0 && b.width == 1 { // whole numbers
		shift = 0.5
	}
	return func(at float64) (float64, float64) { return finite(b.edge(at) - shift), finite(b.edge(at+1) - shift) }
}

// finite returns the number that is nearest to v: what is around the largest ones has none of its own.
func finite(v float64) float64 { return max(-math.MaxFloat64, min(v, math.MaxFloat64)) }

// bar returns a bar from zero to its value, in all of its place.
func bar(at place, c *cell, x extents) Mark {
	m := Mark{Y: c.high.y, Y1: min(c.low.y, 0), Rows: c.rows}
	if c.high.y <= 0 {
		m.Y, m.Y1 = c.low.y, 0
	}
	m.X, m.X1 = x(at.x)
	return m
}

func (e *encoder) cell(at place, c *cell, x, y extents) Mark {
	m := Mark{Value: c.sum, Rows: c.rows}
	m.X, m.X1 = x(at.x)
	m.Y, m.Y1 = y(at.y)
	if e.value >= 0 {
		m.Value = finite(m.Value / float64(c.rows) * sumUnit)
	}
	return m
}

// points returns the points of a line's column of pixels (M4: Jugel et al., VLDB 2014): with the
// first, the last, the lowest and the highest it is drawn as with all.
func points(c *cell) (all []Mark) {
	low, high := c.low, c.high
	if high.x < low.x {
		low, high = high, low
	}
	for _, q := range slices.Compact([]point{c.first, low, high, c.last}) {
		all = append(all, Mark{X: q.x, Y: q.y})
	}
	return all
}

func (e *encoder) notes(m encode.Meta) []string {
	notes := []string{}
	add := func(shown bool, format string, args ...any) {
		if shown {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	add(!m.AsOf.IsZero(), "as of %s", m.AsOf.UTC().Format("2006-01-02 15:04:05 MST"))
	add(e.rows == 0, "no rows")
	add(m.Next != "", "only the first %d rows, there are more", e.rows)
	width := e.grid.x.widthText(e.xKind)
	switch {
	case width == "":
	case e.spec.Kind == Histogram:
		add(true, "each bar is %s wide", width)
	case e.spec.Kind == Bar:
		add(true, "%d rows, each bar from zero to the extremes of %s", e.rows, width)
	case e.grid.flat():
		add(true, "%d rows, drawn as the lowest and the highest of each %s", e.rows, width)
	}
	if !e.grid.flat() && !e.grid.isExact() {
		add(true, "%d rows, drawn as cells of %s by %s", e.rows, cmp.Or(width, "a value"), cmp.Or(e.grid.y.widthText(e.yKind), "a value"))
	}
	if values := e.rows * max(1, len(e.y)); e.spec.Kind == Heatmap || len(e.y) < 2 {
		add(e.empty > 0, "%d of %d rows have no number to draw", e.empty, e.rows)
	} else {
		add(e.empty > 0, "%d of %d values are no number to draw", e.empty, values)
	}
	add(e.beyond > 0, "%d rows are left out: a chart has up to %d series and %d names", e.beyond, maxSeries, maxNames)
	return notes
}

// widthText is the width of the bins for people, empty if each value has its own.
func (b *binning) widthText(scale string) string {
	switch {
	case b.exact != nil:
		return ""
	case scale == nameScale:
		return number6(b.width) + " neighbours"
	case !b.clock:
		return number6(b.width)
	}
	for _, unit := range []struct {
		seconds float64
		name    string
	}{{secondsOfDay, "day"}, {3600, "hour"}, {60, "minute"}} {
		if n := b.width / unit.seconds; n == 1 {
			return "1 " + unit.name
		} else if n > 1 {
			return number6(n) + " " + unit.name + "s"
		}
	}
	return number6(b.width) + " s"
}
