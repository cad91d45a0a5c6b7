package chart

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/result"
)

// MaxRows is the highest number of rows in a chart. Memory does not grow with them: the limit is one
// of time.
const MaxRows = 1_000_000

// Spec is how to draw an answer.
type Spec struct {
	Title string
	// Kind is one of Kinds.
	Kind string
	// X, Y, Series and Value are columns of the answer. Of Y a chart of several series may have
	// several, and a histogram none; Series and Value are optional.
	X      string
	Y      []string
	Series string
	Value  string
	// Units are the units of columns by name.
	Units map[string]string
}

// encoder collects the rows in a grid. The place of a value on an axis is a number, seconds since
// 1970, or the index of a name.
type encoder struct {
	w     io.Writer
	spec  Spec
	write func(*Picture, io.Writer) error

	columns      []encode.Column
	x, value     int // -1: none
	y            []int
	xKind, yKind string // of scale
	xNames       *names
	yNames       *names // of a heat map
	series       *names // nil: each of y is one
	seriesColumn int
	grid         *grid
	// rows counts all rows, empty the values without a number, beyond those of names that have no
	// place, because there are too many.
	rows, empty, beyond int
}

// New returns an encoder that draws the spec's columns, as write does: (*Picture).SVG or
// (*Picture).JSON.
func New(w io.Writer, spec Spec, columns []encode.Column, write func(*Picture, io.Writer) error) encode.Encoder {
	e := &encoder{w: w, spec: spec, columns: columns, write: write}
	index := func(name string) int {
		return slices.IndexFunc(columns, func(c encode.Column) bool { return c.Name == name })
	}
	e.x, e.value, e.seriesColumn = index(spec.X), index(spec.Value), index(spec.Series)
	for _, name := range spec.Y {
		e.y = append(e.y, index(name))
	}
	e.xKind, e.yKind = scaleOf(columns[e.x].Type.Kind), numberScale
	if spec.Kind == Heatmap && len(e.y) > 0 {
		e.yKind = scaleOf(columns[e.y[0]].Type.Kind)
	}
	if e.seriesColumn >= 0 {
		e.series = newNames(maxSeries)
	}
	// A row is a bar of its own, unless its name is to be found again.
	e.xNames, e.yNames = newNames(0), newNames(maxNames)
	if e.series != nil || spec.Kind == Heatmap {
		e.xNames = newNames(maxNames)
	}
	e.grid = newGrid(spec.Kind, e.binning(e.x, e.xKind), e.yBinning())
	return e
}

// binning returns the bins of a column, which are no finer than its type.
func (e *encoder) binning(i int, scale string) binning {
	kind := e.columns[i].Type.Kind
	b := binning{clock: scale == timeScale || scale == dateScale, least: finestStep}
	switch {
	case kind == column.Date:
		b.least = dayStep
	case scale == nameScale, kind != column.Decimal && kind != column.Float && kind != column.Double && !b.clock:
		b.least = 0 // 1
	}
	return b
}

func (e *encoder) yBinning() binning {
	switch {
	case e.spec.Kind == Heatmap && len(e.y) == 0: // hours
		return binning{}
	case e.spec.Kind == Histogram:
		return binning{least: finestStep}
	}
	return e.binning(e.y[0], e.yKind)
}

// Rows implements encode.Encoder.
func (e *encoder) Rows(chunk *result.Chunk, n int) error {
	for i := range n {
		e.rows++
		x := e.place(chunk, e.x, i, e.xKind, e.xNames)
		switch e.spec.Kind {
		case Histogram:
			e.add(0, x, 0, 1)
		case Heatmap:
			e.addCell(chunk, i, x)
		default:
			series := e.seriesOf(chunk, i)
			for k, column := range e.y {
				e.addPoint(series+k, x, number(&e.columns[column].Type, &chunk.Vectors[column], i))
			}
		}
	}
	return nil
}

// place returns where a row's value is on its axis: NaN if it has none, +Inf if it has a name too
// many.
func (e *encoder) place(chunk *result.Chunk, column, i int, scale string, all *names) float64 {
	t, v := &e.columns[column].Type, &chunk.Vectors[column]
	switch scale {
	case numberScale:
		return number(t, v, i)
	case timeScale, dateScale:
		return instant(v, i)
	default:
		return all.place(name(t, v, i))
	}
}

// seriesOf returns the index of a row's series, -1 if there are too many of them.
func (e *encoder) seriesOf(chunk *result.Chunk, i int) int {
	if e.series == nil {
		return 0
	}
	at := e.place(chunk, e.seriesColumn, i, nameScale, e.series)
	if math.IsInf(at, 1) {
		return -1
	}
	return int(at)
}

// addPoint adds a point; one without y is a gap in its line.
func (e *encoder) addPoint(series int, x, y float64) {
	switch {
	case series < 0 || math.IsInf(x, 1):
		e.beyond++
	case math.IsNaN(x):
		e.empty++
	case math.IsNaN(y):
		e.empty++
		if e.spec.Kind != Scatter {
			e.grid.add(series, x, y, y)
		}
	default:
		e.grid.add(series, x, y, 1)
	}
}

// addCell adds a row of a heat map: without y, that is the hour of x.
func (e *encoder) addCell(chunk *result.Chunk, i int, x float64) {
	y, value := math.NaN(), 1.0
	if len(e.y) > 0 {
		y = e.place(chunk, e.y[0], i, e.yKind, e.yNames)
	} else if !math.IsNaN(x) {
		day := math.Floor(x / secondsOfDay)
		x, y = day*secondsOfDay, math.Floor((x-day*secondsOfDay)/3600)
	}
	if e.value >= 0 {
		value = number(&e.columns[e.value].Type, &chunk.Vectors[e.value], i) / sumUnit
	}
	e.add(0, x, y, value)
}

func (e *encoder) add(series int, x, y, value float64) {
	switch {
	case math.IsInf(x, 1) || math.IsInf(y, 1):
		e.beyond++
	case math.IsNaN(x + y + value):
		e.empty++
	default:
		e.grid.add(series, x, y, value)
	}
}

// End implements encode.Encoder.
func (e *encoder) End(m encode.Meta) error {
	if err := e.write(e.picture(m), e.w); err != nil {
		return fmt.Errorf("draw chart: %w", err)
	}
	return nil
}

// names gives names their places on an axis.
type names struct {
	// places has those of names that may come again; nil: every row has a place of its own.
	places map[string]int
	most   int
	// all are the names of the places 0, stride, 2·stride, …
	all    []string
	stride int
	n      int
}

const (
	// maxNames is the highest number of names on an axis that are found again.
	maxNames = 1000
	// keptNames is how many names there are at least of rows with a place each.
	keptNames = 1000
)

func newNames(most int) *names {
	n := &names{most: most, stride: 1}
	if most > 0 {
		n.places = map[string]int{}
	}
	return n
}

// place returns the place of a name, +Inf if it is one too many.
func (n *names) place(text string) float64 {
	if at, ok := n.places[text]; ok {
		return float64(at)
	}
	if n.places != nil {
		if n.n == n.most {
			return math.Inf(1)
		}
		n.places[text] = n.n
	}
	if n.n%n.stride == 0 {
		n.all = append(n.all, text)
	}
	n.n++
	if n.places == nil && len(n.all) > 2*keptNames {
		n.stride *= 2
		for i := range (len(n.all) + 1) / 2 {
			n.all[i] = n.all[2*i]
		}
		n.all = n.all[:(len(n.all)+1)/2]
	}
	return float64(n.n - 1)
}

func isNumber(k column.Kind) bool {
	return k >= column.TinyInt && k <= column.Double || k == column.HugeInt || k == column.UHugeInt || k == column.Decimal
}

// scaleOf returns the scale of an axis with values of a kind.
func scaleOf(k column.Kind) string {
	switch {
	case isNumber(k):
		return numberScale
	case k == column.Date:
		return dateScale
	case k >= column.Timestamp && k <= column.TimestampS:
		return timeScale
	default:
		return nameScale
	}
}

// number returns a value to draw, NaN if it is not a finite number.
func number(t *result.Type, v *result.Vector, i int) float64 {
	if v.Null(i) {
		return math.NaN()
	}
	n := math.NaN()
	switch {
	case v.Kind == column.Double:
		n = result.At[float64](*v, i)
	case v.Kind == column.Float:
		n = float64(result.At[float32](*v, i))
	case v.Kind == column.UBigInt:
		n = float64(result.At[uint64](*v, i))
	case v.Kind >= column.TinyInt && v.Kind <= column.UBigInt:
		n = float64(int64(v.Integer(v.Kind, i).Low))
	case isNumber(v.Kind):
		if parsed, err := strconv.ParseFloat(string(encode.AppendText(nil, t, v, i)), 64); err == nil {
			n = parsed
		}
	}
	if math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// instant returns a time in seconds since 1970, NaN if there is none that can be written.
func instant(v *result.Vector, i int) float64 {
	if v.Null(i) {
		return math.NaN()
	}
	at, ok := encode.Time(v, i)
	if !ok {
		return math.NaN()
	}
	return float64(at.Unix()) + float64(at.Nanosecond())/1e9
}

// maxText is the highest number of runes of a name.
const maxText = 200

func name(t *result.Type, v *result.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	text := encode.AppendText(nil, t, v, i)
	return printable(string(text[:min(len(text), maxText*4)]))
}

// printable returns a text on one line without characters that XML or a terminal forbid, or that
// change the direction of what comes after them.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r), r == 0xfeff:
			return -1
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp), r == 0xfffe, r == 0xffff:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText-1]) + "…"
	}
	return strings.TrimSpace(text)
}
