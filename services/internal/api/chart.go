package api

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// maxPoints is the number of rows beyond which a picture shows nothing more.
const maxPoints = 20_000

// point is a row as it is drawn.
type point struct {
	x, y float64
	// label is x where that is a name.
	label string
}

// chartEncoder draws the rows as the endpoint's header says: x is a number, a time or a
// name, as its type is.
type chartEncoder struct {
	w      io.Writer
	route  *route
	x, y   int
	types  []result.Type
	points []point
	// rows counts all of them, unplaced those whose x is none.
	seen, unplaced int
}

func newChartEncoder(w io.Writer, r *route, sh *endpoint.Shape, types []result.Type) *chartEncoder {
	return &chartEncoder{w: w, route: r, x: indexOf(sh, r.Chart.X), y: indexOf(sh, r.Chart.Y), types: types}
}

func (e *chartEncoder) rows(chunk *result.Chunk, n int) error {
	if e.seen += n; e.seen > maxPoints {
		return tooManyRows.new("", fmt.Sprintf("A picture shows up to %d rows. Narrow it with the endpoint's parameters.", maxPoints))
	}
	x, y := &chunk.Vectors[e.x], &chunk.Vectors[e.y]
	for i := range n {
		p := point{y: number(&e.types[e.y], y, i)}
		switch {
		case isNumber(x.Kind):
			p.x = number(&e.types[e.x], x, i)
		case isTime(x.Kind):
			p.x = instant(x, i)
		default:
			p.x, p.label = float64(len(e.points)), name(&e.types[e.x], x, i)
		}
		if math.IsNaN(p.x) {
			e.unplaced++
			continue
		}
		e.points = append(e.points, p)
	}
	return nil
}

func isNumber(k result.Kind) bool {
	return k >= result.TinyInt && k <= result.Double || k == result.HugeInt || k == result.UHugeInt || k == result.Decimal
}

func isTime(k result.Kind) bool {
	return k == result.Date || k >= result.Timestamp && k <= result.TimestampS
}

// number is a value to be drawn; NaN is none.
func number(t *result.Type, v *result.Vector, i int) float64 {
	if v.Null(i) || !isNumber(v.Kind) {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(string(appendText(nil, t, v, i)), 64)
	if err != nil || math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// instant is a time in seconds since 1970.
func instant(v *result.Vector, i int) float64 {
	if v.Null(i) {
		return math.NaN()
	}
	at, ok := timeOf(v, i)
	if !ok {
		return math.NaN()
	}
	return float64(at.Unix()) + float64(at.Nanosecond())/1e9
}

// name is a value that is no number, without what can't stand in a picture.
func name(t *result.Type, v *result.Vector, i int) string {
	if v.Null(i) {
		return "NULL"
	}
	text := strings.ToValidUTF8(string(appendText(nil, t, v, i)), "\ufffd")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == 0xfffe || r == 0xffff {
			return ' '
		}
		return r
	}, text)
}

func (e *chartEncoder) end(m meta) error {
	d := &drawing{kind: e.route.Chart.Kind, title: e.route.Summary, xName: e.route.Chart.X, yName: e.route.Chart.Y, points: e.points}
	switch kind := e.types[e.x].Kind; {
	case isTime(kind):
		d.axis = timeAxis
	case !isNumber(kind):
		d.axis = nameAxis
	}
	if d.axis != nameAxis && d.kind != "scatter" {
		slices.SortStableFunc(d.points, func(a, b point) int { return int(math.Copysign(1, a.x-b.x)) })
	}
	d.notes = e.notes(m)
	if err := d.draw(e.w); err != nil {
		return fmt.Errorf("draw chart: %w", err)
	}
	return nil
}

// notes say what the picture shows, and what it leaves out.
func (e *chartEncoder) notes(m meta) []string {
	var notes []string
	if !m.asOf.IsZero() {
		notes = append(notes, "as of "+m.asOf.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	if e.seen == 0 {
		notes = append(notes, "no rows")
	}
	if m.next != "" {
		notes = append(notes, fmt.Sprintf("only the first %d rows, there are more", e.seen))
	}
	empty := e.unplaced
	for _, p := range e.points {
		if math.IsNaN(p.y) {
			empty++
		}
	}
	if empty > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d rows have no number to draw", empty, e.seen))
	}
	return notes
}

func indexOf(sh *endpoint.Shape, name string) int {
	return slices.IndexFunc(sh.Columns, func(c result.Column) bool { return c.Name == name })
}
