// Package chart draws the rows of an answer as an SVG bar, line, area or scatter chart, for light
// and dark backgrounds. It draws every row that has a number; a note on the chart counts the others.
package chart

import (
	"errors"
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

// MaxRows is the highest number of rows in a chart.
const MaxRows = 20_000

// ErrTooManyRows is returned for more than MaxRows rows.
var ErrTooManyRows = errors.New("more rows than a picture shows")

// encoder draws the rows. x is a number, a time or a name, depending on its type.
type encoder struct {
	w       io.Writer
	spec    Spec
	x, y    int
	columns []encode.Column
	points  []point
	// rows counts all rows, withoutX those that have no x.
	rows, withoutX int
}

// New returns an encoder that draws the spec's columns.
func New(w io.Writer, spec Spec, columns []encode.Column) encode.Encoder {
	index := func(name string) int {
		return slices.IndexFunc(columns, func(c encode.Column) bool { return c.Name == name })
	}
	return &encoder{w: w, spec: spec, x: index(spec.X), y: index(spec.Y), columns: columns}
}

// Rows implements encode.Encoder. Its error is ErrTooManyRows.
func (e *encoder) Rows(chunk *result.Chunk, n int) error {
	if e.rows += n; e.rows > MaxRows {
		return ErrTooManyRows
	}
	x, y := &chunk.Vectors[e.x], &chunk.Vectors[e.y]
	xType, yType := &e.columns[e.x].Type, &e.columns[e.y].Type
	for i := range n {
		p := point{y: number(yType, y, i)}
		switch {
		case isNumber(x.Kind):
			p.x = number(xType, x, i)
		case isTime(x.Kind):
			p.x = instant(x, i)
		default:
			p.x, p.label = float64(len(e.points)), name(xType, x, i)
		}
		if math.IsNaN(p.x) {
			e.withoutX++
			continue
		}
		e.points = append(e.points, p)
	}
	return nil
}

// End implements encode.Encoder.
func (e *encoder) End(m encode.Meta) error {
	d := &drawing{Spec: e.spec, points: e.points}
	switch kind := e.columns[e.x].Type.Kind; {
	case isTime(kind):
		d.axis = timeAxis
	case !isNumber(kind):
		d.axis = nameAxis
	}
	if d.axis != nameAxis && d.Kind != "scatter" {
		slices.SortStableFunc(d.points, func(a, b point) int { return int(math.Copysign(1, a.x-b.x)) })
	}
	d.notes = e.notes(m)
	if err := d.draw(e.w); err != nil {
		return fmt.Errorf("draw chart: %w", err)
	}
	return nil
}

// notes returns the notes below the chart: the data's time, and rows that are not drawn.
func (e *encoder) notes(m encode.Meta) []string {
	var notes []string
	if !m.AsOf.IsZero() {
		notes = append(notes, "as of "+m.AsOf.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	if e.rows == 0 {
		notes = append(notes, "no rows")
	}
	if m.Next != "" {
		notes = append(notes, fmt.Sprintf("only the first %d rows, there are more", e.rows))
	}
	empty := e.withoutX
	for _, p := range e.points {
		if math.IsNaN(p.y) {
			empty++
		}
	}
	if empty > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d rows have no number to draw", empty, e.rows))
	}
	return notes
}

func isNumber(k column.Kind) bool {
	return k >= column.TinyInt && k <= column.Double || k == column.HugeInt || k == column.UHugeInt || k == column.Decimal
}

func isTime(k column.Kind) bool {
	return k == column.Date || k >= column.Timestamp && k <= column.TimestampS
}

// number returns a value to draw, NaN if it is not a finite number.
func number(t *result.Type, v *result.Vector, i int) float64 {
	if v.Null(i) || !isNumber(v.Kind) {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(string(encode.AppendText(nil, t, v, i)), 64)
	if err != nil || math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// instant returns a time in seconds since 1970, NaN if there is none.
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

// name returns a value as text without characters that XML forbids.
func name(t *result.Type, v *result.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	text := strings.ToValidUTF8(string(encode.AppendText(nil, t, v, i)), "\ufffd")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == 0xfffe || r == 0xffff {
			return ' '
		}
		return r
	}, text)
}
