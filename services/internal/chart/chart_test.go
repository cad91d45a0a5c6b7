package chart_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/estela-dev/estela/services/internal/chart"
)

// Rows become as many marks as can be seen; the extremes are among them, every row counts,
// and the chart says what it did.
func TestAllRowsCount(t *testing.T) {
	t.Parallel()
	const n = 100_000
	x, y, at := make([]float64, n), make([]float64, n), make([]time.Time, n)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n { // the range grows while they come, and they come in any order
		x[i] = random.Float64() * float64(i)
		y[i] = math.Sin(x[i] / 1e4)
		at[i] = time.Unix(int64(x[i]), 0)
	}
	y[12_345], y[77_777] = 40, -50
	rows := table{{"x", x}, {"y", y}, {"at", at}}
	for _, c := range []struct {
		spec chart.Spec
		most int
		note string
	}{
		{chart.Spec{Kind: chart.Line, X: "x", Y: []string{"y"}}, 8000, "100000 rows, drawn as the lowest and the highest of each 100"},
		{chart.Spec{Kind: chart.Area, X: "at", Y: []string{"y"}}, 8000, "100000 rows, drawn as the lowest and the highest of each 1 minute"},
		{chart.Spec{Kind: chart.Bar, X: "x", Y: []string{"y"}}, 400, "100000 rows, each bar from zero to the extremes of 1000"},
		{chart.Spec{Kind: chart.Scatter, X: "x", Y: []string{"y"}}, 180 * 72, "100000 rows, drawn as cells of 1000 by 2"},
		{chart.Spec{Kind: chart.Histogram, X: "x"}, 100, "each bar is 1000 wide"},
		{chart.Spec{Kind: chart.Heatmap, X: "at", Y: []string{"y"}}, 180 * 72, "100000 rows, drawn as cells of 10 minutes by 2"},
	} {
		p := rows.picture(t, c.spec)
		low, high, counted := math.Inf(1), math.Inf(-1), 0
		for _, m := range marks(p) {
			low, high, counted = min(low, m.Y, m.Y1), max(high, m.Y, m.Y1), counted+m.Rows
		}
		if n := len(marks(p)); n > c.most || n < 10 || !slices.Contains(p.Notes, c.note) {
			t.Errorf("%s: %d marks, %q", c.spec.Kind, n, p.Notes)
		}
		lines := c.spec.Kind == chart.Line || c.spec.Kind == chart.Area
		if !lines && counted != n || c.spec.Kind != chart.Histogram && (low > -50 || high < 40) || lines && (low != -50 || high != 40) {
			t.Errorf("%s: %d rows from %v to %v", c.spec.Kind, counted, low, high)
		}
	}
}

// Values at the borders of bins, which binary fractions do not hit, are in the bin that they begin.
func TestBinBorders(t *testing.T) {
	t.Parallel()
	var x []float64
	for i := range 1000 {
		x = append(x, float64(i%10)/10)
	}
	for i, m := range marks(table{{"x", x}}.picture(t, chart.Spec{Kind: chart.Histogram, X: "x"})) {
		if m.Rows != 100 || math.Abs(m.X-float64(i)/10) > 1e-9 {
			t.Errorf("bar %d: %+v", i, m)
		}
	}
	for _, clock := range []bool{true, false} {
		for step := -600; step < 600; step++ {
			ratio := chart.StepWidth(step+1, clock) / chart.StepWidth(step, clock)
			if ratio < 1.9 || ratio > 7.1 || math.Abs(ratio-math.Round(ratio)) > 1e-9 {
				t.Fatalf("step %d: %v", step, ratio)
			}
		}
	}
}

// What has no place is counted: names and series beyond the highest number, and what is no number.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	var name, series []string
	var y []float64
	for i := range 2000 {
		name, series, y = append(name, fmt.Sprint(i)), append(series, fmt.Sprint(i%10)), append(y, float64(i))
	}
	y[0], y[1], y[2] = math.NaN(), math.Inf(1), math.Inf(-1)
	rows := table{{"name", name}, {"series", series}, {"y", y}}
	for kind, want := range map[string]string{
		"bar":     "1200 rows are left out: a chart has up to 8 series and 1000 names",
		"heatmap": "1000 rows are left out: a chart has up to 8 series and 1000 names",
	} {
		spec := chart.Spec{Kind: kind, X: "name", Y: []string{"y"}, Series: "series"}
		if kind == "heatmap" {
			spec.Series = ""
		}
		if p := rows.picture(t, spec); !slices.Contains(p.Notes, want) || !slices.Contains(p.Notes, "3 of 2000 rows have no number to draw") {
			t.Errorf("%s: %q", kind, p.Notes)
		}
	}
	if p := rows.picture(t, chart.Spec{Kind: "bar", X: "name", Y: []string{"y"}}); !slices.Contains(p.Notes, "2000 rows, each bar from zero to the extremes of 10 neighbours") {
		t.Errorf("%q", p.Notes)
	}
}

// The mean of the largest numbers is one too.
func TestMeanDoesNotOverflow(t *testing.T) {
	t.Parallel()
	most := []float64{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}
	rows := table{{"x", []float64{1, 1, 1}}, {"y", []float64{1, 1, 1}}, {"v", most}}
	for _, m := range marks(rows.picture(t, chart.Spec{Kind: chart.Heatmap, X: "x", Y: []string{"y"}, Value: "v"})) {
		if m.Value < math.MaxFloat64*0.999 {
			t.Errorf("%+v", m)
		}
	}
}

// The picture has a name and a description that say what it shows, and its series differ by more
// than their colour.
func TestAccessible(t *testing.T) {
	t.Parallel()
	rows := table{{"x", []float64{1, 2, 3}}, {"a", []float64{3, 1, 2}}, {"b", []float64{30, 10, 20}}}
	svg := rows.svg(t, chart.Spec{Title: "Two <lines>.", Kind: chart.Line, X: "x", Y: []string{"a", "b"}, Units: map[string]string{"a": "km", "b": "km"}})
	var doc struct {
		Role   string `xml:"role,attr"`
		Labels string `xml:"aria-labelledby,attr"`
		Title  struct {
			ID   string `xml:"id,attr"`
			Text string `xml:",chardata"`
		} `xml:"title"`
		Desc struct {
			ID   string `xml:"id,attr"`
			Text string `xml:",chardata"`
		} `xml:"desc"`
	}
	if err := xml.Unmarshal([]byte(svg), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Role != "img" || doc.Labels != doc.Title.ID+" "+doc.Desc.ID || doc.Title.Text != "Two <lines>." ||
		doc.Desc.Text != "Line chart of km by x, from 1 to 3; 3 rows. a (km): lowest 1 at 2, highest 3 at 1. b (km): lowest 10 at 2, highest 30 at 1." {
		t.Errorf("%+v", doc)
	}
	if !strings.Contains(svg, ".s0 .l{stroke-dasharray:none}") || !strings.Contains(svg, ".s1 .l{stroke-dasharray:8 4}") ||
		!strings.Contains(svg, "<title>b (km), 2: 10</title>") || !strings.Contains(svg, "prefers-color-scheme:dark") {
		t.Errorf("%s", svg)
	}
}

// Only series that colour-blind people would not tell apart share a colour in a terminal: none do
// without colours.
func TestTextWithoutColours(t *testing.T) {
	t.Parallel()
	rows := table{{"x", []float64{1, 2, 3}}, {"a", []float64{3, 1, 2}}, {"b", []float64{1, 3, 1}}}
	p := rows.picture(t, chart.Spec{Kind: chart.Line, X: "x", Y: []string{"a", "b"}})
	var plain, coloured strings.Builder
	paint := func(series int, text string) string { return fmt.Sprintf("<%d>%s</>", series, text) }
	if err := errors.Join(p.Text(&plain, 60, nil), p.Text(&coloured, 60, paint)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(plain.String(), "a a\nb b\n") || strings.Contains(plain.String(), "\x1b") {
		t.Error(plain.String())
	}
	if !strings.HasPrefix(coloured.String(), "<0>━</> a\n<1>━</> b\n") {
		t.Error(coloured.String())
	}
}

// FuzzChart draws rows of any values, as any kind.
func FuzzChart(f *testing.F) {
	f.Add(uint8(0), uint8(0), uint8(40), "a\x00b\n\x1b[31m</text><script>\u202e\u05d0", []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\xff\xfe"))
	f.Add(uint8(1), uint8(1), uint8(0), strings.Repeat("long ", 5000), []byte{})
	f.Add(uint8(2), uint8(2), uint8(200), "\xff\ufffe", []byte("aaaaaaaaaaaaaaaa"))
	f.Add(uint8(5), uint8(1), uint8(30), "", []byte("zyxwvutsrqponmlkjihgfedcba"))
	f.Add(uint8(5), uint8(2), uint8(40), "one large value", []byte{8})
	f.Add(uint8(0), uint8(0), uint8(40), "one value of the largest", []byte{5 + 7*12})
	f.Add(uint8(4), uint8(0), uint8(40), "as far apart as can be", []byte{247, 210})
	extremes := []float64{0, 1, -1, math.NaN(), math.Inf(1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e308, 0.1, 1e15, math.Copysign(0, -1)}
	kinds := []string{chart.Bar, chart.Line, chart.Area, chart.Scatter, chart.Histogram, chart.Heatmap}
	f.Fuzz(func(t *testing.T, kind, axis, width uint8, text string, raw []byte) {
		var x, y []float64
		var names []string
		var times []time.Time
		for i, b := range raw {
			x = append(x, extremes[int(b)%len(extremes)])
			y = append(y, extremes[int(b/16)%len(extremes)]*float64(i))
			names = append(names, text[:min(len(text), int(b)*40)])
			times = append(times, time.Date(int(b)*45-100, time.Month(i), int(b), i, 0, 0, int(b), time.UTC))
		}
		rows := table{{"x", x}, {"y", y}, {"name", names}, {"at", times}}
		spec := chart.Spec{Title: text, Kind: kinds[int(kind)%len(kinds)], X: []string{"x", "name", "at"}[axis%3], Units: map[string]string{"x": text, "y": text}}
		switch spec.Kind {
		case chart.Histogram:
			spec.X = []string{"x", "at"}[axis%2]
		case chart.Heatmap:
			spec.Y = []string{[]string{"x", "name", "at"}[axis/3%3]}
			spec.Value = []string{"", "y"}[axis/9%2]
		default:
			spec.Y, spec.Series = []string{"y"}, []string{"", "name"}[axis/9%2]
		}
		svg := rows.svg(t, spec)
		wellFormed(t, svg)
		p := rows.picture(t, spec)
		drawn := 0
		for _, m := range marks(p) {
			drawn += m.Rows
		}
		if drawn > len(raw) {
			t.Errorf("%d of %d rows are drawn", drawn, len(raw))
		}
		var out strings.Builder
		if err := p.Text(&out, int(width), nil); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if strings.ContainsFunc(line, unicode.IsControl) || uniseg.StringWidth(line) > max(int(width), 24)+1 {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	})
}

// wellFormed fails unless a document is SVG of the elements that charts have, at finite places.
func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v\n%.2000q", err, svg)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !slices.Contains([]string{"svg", "title", "desc", "style", "text", "path", "g"}, e.Name.Local) {
			t.Errorf("an element %s", e.Name.Local)
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local != "class" && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) {
				t.Errorf("%s has %s=%q", e.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
}
