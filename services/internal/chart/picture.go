package chart

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The kinds of charts.
const (
	Bar       = "bar"
	Line      = "line"
	Area      = "area"
	Scatter   = "scatter"
	Histogram = "histogram"
	Heatmap   = "heatmap"
)

// The scales of an axis.
const (
	numberScale = "number"
	timeScale   = "time" // seconds since 1970
	dateScale   = "date" // the same
	nameScale   = "name" // the index of a name
)

// Picture is a chart without its form.
type Picture struct {
	Kind        string   `json:"kind"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	X           Axis     `json:"x"`
	Y           Axis     `json:"y"`
	Series      []Series `json:"series"`
	// Colour is what the shade of a cell stands for, if there are cells; its range is From to To.
	Colour string   `json:"colour,omitempty"`
	From   float64  `json:"from,omitempty"`
	To     float64  `json:"to,omitempty"`
	Notes  []string `json:"notes"`
}

// Axis is an axis of a picture.
type Axis struct {
	Label string `json:"label"`
	// Scale is number, time or date (seconds since 1970) or name (its index).
	Scale string `json:"scale"`
	// Low and High are the range that is drawn.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Names are those of the places 0, Stride, 2·Stride, …
	Names  []string `json:"names,omitempty"`
	Stride int      `json:"stride,omitempty"`
	// Places is the number of places.
	Places int `json:"places,omitempty"`
	// Zone is the time zone of a time, empty if its values have none.
	Zone string `json:"zone,omitempty"`
}

// Series are marks of one colour.
type Series struct {
	Name string `json:"name,omitempty"`
	// Runs are marks without a gap between them.
	Runs [][]Mark `json:"runs"`
}

// Mark is a point, X and Y; or a bar or a cell, from X and Y to X1 and Y1.
type Mark struct {
	X  float64 `json:"x"`
	Y  float64 `json:"y"`
	X1 float64 `json:"x1,omitempty"`
	Y1 float64 `json:"y1,omitempty"`
	// Value is a cell's value, Rows how many rows the mark stands for.
	Value float64 `json:"value,omitempty"`
	Rows  int     `json:"rows,omitempty"`
}

// all yields the marks with the index of their series.
func (p *Picture) all(yield func(series int, m Mark) bool) {
	for i, s := range p.Series {
		for _, run := range s.Runs {
			for _, m := range run {
				if !yield(i, m) {
					return
				}
			}
		}
	}
}

// cells reports whether the marks are cells, with a shade.
func (p *Picture) cells() bool { return p.Colour != "" }

// JSON writes the picture as JSON.
func (p *Picture) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(p) }

// setRanges sets what the axes show: all marks, and zero where lengths or areas are compared.
func (p *Picture) setRanges() {
	xs, ys, shades := newRange(), newRange(), newRange()
	for _, m := range p.all {
		xs.add(m.X)
		ys.add(m.Y)
		if p.extended() {
			xs.add(m.X1)
		}
		if p.extended() || p.Kind == Area {
			ys.add(m.Y1) // 0 of an area
		}
		shades.add(m.Value)
	}
	p.X.Low, p.X.High = xs.padded(0)
	if p.Kind == Scatter {
		p.X.Low, p.X.High = xs.padded(1. / 20)
	}
	p.Y.Low, p.Y.High = ys.padded(1. / 20)
	switch {
	case p.cells():
		p.Y.Low, p.Y.High = ys.padded(0)
	case p.extended() || p.Kind == Area:
		if p.Y.Low, p.Y.High = p.Y.Low*sign(ys.low), p.Y.High*sign(ys.high); p.Y.Low == p.Y.High {
			p.Y.High = 1 // all are zero
		}
	}
	p.X.nameRange()
	p.Y.nameRange()
	if p.cells() && !math.IsInf(shades.low, 0) {
		p.From, p.To = min(0, shades.low), shades.high
		if p.Kind == Scatter {
			p.From = 1
		}
	}
}

// extended reports whether the marks have a second corner.
func (p *Picture) extended() bool { return p.Kind == Bar || p.Kind == Histogram || p.cells() }

// sign is 0 for 0, so that an axis ends there, else 1.
func sign(v float64) float64 {
	if v == 0 {
		return 0
	}
	return 1
}

// valueRange is the range of values.
type valueRange struct{ low, high float64 }

func newRange() valueRange { return valueRange{math.Inf(1), math.Inf(-1)} }

func (r *valueRange) add(v float64) { r.low, r.high = min(r.low, v), max(r.high, v) }

// padded returns the range and a part of it more at both ends; it is never empty.
func (r *valueRange) padded(part float64) (low, high float64) {
	low, high = r.low, r.high
	if low > high { // none
		return 0, 1
	}
	room := (high/2 - low/2) * part * 2
	size := max(math.Abs(low), math.Abs(high))
	switch {
	case high/2-low/2 > size*1e-13:
	case size < math.SmallestNonzeroFloat64*1e3:
		room = 1
	default: // nearer points are drawn as one
		room = size / 20
	}
	return max(low-room, -math.MaxFloat64), min(high+room, math.MaxFloat64)
}

// nameRange is the range of an axis of names: all of them.
func (a *Axis) nameRange() {
	if a.Scale == nameScale {
		a.Low, a.High = -0.5, float64(max(a.Places, 1))-0.5
	}
}

// at returns a value's place on the axis, 0 to 1. It does not overflow.
func (a *Axis) at(v float64) float64 { return (v/2 - a.Low/2) / (a.High/2 - a.Low/2) }

// text returns a value of the axis for people.
func (a *Axis) text(v float64) string {
	switch a.Scale {
	case timeScale, dateScale:
		text := timeAt(v).Format("2006-01-02 15:04:05.999999")
		return strings.TrimSpace(strings.TrimSuffix(text, " 00:00:00") + " " + a.Zone)
	case nameScale:
		if i := int(v) / max(1, a.Stride); v >= 0 && i < len(a.Names) && int(v)%max(1, a.Stride) == 0 {
			return a.Names[i]
		}
		return "row " + strconv.Itoa(int(v)+1)
	default:
		return number6(v)
	}
}

// number6 returns a number with six digits, or all that are left of the point.
func number6(v float64) string {
	if math.Abs(v) >= 1e5 && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// describe says in words what is drawn: the axes' ranges, and each series' extremes.
func (p *Picture) describe(rows int) string {
	var left, right *Mark
	ys := newRange()
	low, high := make([]*Mark, len(p.Series)), make([]*Mark, len(p.Series))
	height := func(m *Mark) float64 {
		if p.cells() {
			return m.Value
		}
		return m.Y
	}
	for i, m := range p.all {
		ys.add(m.Y)
		if left == nil || m.X < left.X {
			left = &m
		}
		if right == nil || m.X > right.X {
			right = &m
		}
		if low[i] == nil || height(&m) < height(low[i]) {
			low[i] = &m
		}
		if high[i] == nil || height(&m) > height(high[i]) {
			high[i] = &m
		}
	}
	if left == nil {
		return p.kindName() + " without a value."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s by %s, from %s to %s; %d rows.", p.kindName(), p.yName(), p.X.Label, p.whereX(left), p.whereX(right), rows)
	for i := range p.Series {
		if p.Kind == Scatter || low[i] == nil || i >= maxSeries {
			continue
		}
		name := cmp.Or(p.Series[i].Name, p.Colour, p.Y.Label)
		fmt.Fprintf(&b, " %s: lowest %s at %s, highest %s at %s.", name, number6(height(low[i])), p.where(low[i]), number6(height(high[i])), p.where(high[i]))
	}
	if p.Kind == Scatter {
		fmt.Fprintf(&b, " %s from %s to %s.", p.Y.Label, p.Y.text(ys.low), p.Y.text(ys.high))
	}
	return b.String()
}

// yName is what y is called: its label, or the series.
func (p *Picture) yName() string {
	if p.Y.Label != "" {
		return p.Y.Label
	}
	names := make([]string, len(p.Series))
	for i, s := range p.Series {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

func (p *Picture) kindName() string {
	return map[string]string{Bar: "Bar chart", Line: "Line chart", Area: "Area chart", Scatter: "Scatter chart", Histogram: "Histogram", Heatmap: "Heat map"}[p.Kind]
}

// where says where a mark is.
func (p *Picture) where(m *Mark) string {
	if p.cells() {
		return p.whereX(m) + ", " + p.Y.span(m.Y, m.Y1)
	}
	return p.whereX(m)
}

func (p *Picture) whereX(m *Mark) string {
	switch {
	case p.Kind == Bar:
		return p.X.text(m.X + (m.X1-m.X)/2)
	case p.extended():
		return p.X.span(m.X, m.X1)
	}
	return p.X.text(m.X)
}

// span is the part of an axis that a cell takes; around a whole number or a name, that.
func (a *Axis) span(from, to float64) string {
	if center := from + (to-from)/2; a.Scale == nameScale || to-from == 1 && center == math.Trunc(center) {
		return a.text(center)
	} else if a.Scale == dateScale && to-from == secondsOfDay {
		return a.text(center)
	}
	return a.text(from) + " to " + a.text(to)
}

// slot is the part of a bar's place that is its series'.
func (p *Picture) slot(series int, m Mark) (from, to float64) {
	if p.Kind != Bar {
		return m.X, m.X1
	}
	const gap = 0.1 // on either side
	part := (m.X1 - m.X) * (1 - 2*gap) / float64(len(p.Series))
	from = m.X + (m.X1-m.X)*gap + part*float64(series)
	return from, from + part
}
