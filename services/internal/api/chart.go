package api

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/go-analyze/charts"

	"github.com/estela-dev/estela/services/internal/result"
)

const (
	chartWidth, chartHeight = 960, 480
	// maxPoints is the number of rows beyond which a picture shows nothing more.
	maxPoints = 2000
)

// The colours of a picture on a light ground. Each has a twin for a dark one,
// which the viewer's own setting chooses.
var (
	inkColor  = charts.ColorRGB(31, 35, 40)
	axisColor = charts.ColorRGB(110, 119, 129)
	gridColor = charts.ColorRGB(216, 222, 228)
	dataColor = charts.ColorRGB(9, 105, 218)

	chartTheme = charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: axisColor, AxisSplitLineColor: gridColor,
		BackgroundColor: charts.ColorTransparent,
		TextColor:       inkColor, TextColorTitle: inkColor, TextColorMark: inkColor, TextColorLabel: inkColor,
		TextColorLegend: inkColor, TextColorXAxis: inkColor, TextColorYAxis: inkColor,
		SeriesColors: []charts.Color{dataColor},
	})
)

// darkStyle turns the colours into those for a dark ground. The library writes
// them as rgb(…) in each element's style.
const darkStyle = `<style>svg{background:#fff;color-scheme:light dark}@media(prefers-color-scheme:dark){svg{background:#0d1117}` +
	`[style*="fill:rgb(31,35,40)"]{fill:#e6edf3!important}` +
	`[style*="stroke:rgb(110,119,129)"]{stroke:#8d96a0!important}` +
	`[style*="stroke:rgb(216,222,228)"]{stroke:#30363d!important}` +
	`[style*="fill:rgb(9,105,218)"]{fill:#4493f8!important}` +
	`[style*="stroke:rgb(9,105,218)"]{stroke:#4493f8!important}}</style>`

// chartEncoder draws the rows as the endpoint's header says.
type chartEncoder struct {
	w      io.Writer
	route  *route
	x, y   int
	types  []result.Type
	labels []string
	values []float64
}

func newChartEncoder(w io.Writer, r *route, sh *shape, types []result.Type) *chartEncoder {
	return &chartEncoder{w: w, route: r, x: sh.index(r.Chart.X), y: sh.index(r.Chart.Y), types: types}
}

func (e *chartEncoder) rows(chunk *result.Chunk, n int) error {
	if len(e.values)+n > maxPoints {
		return tooManyRows.new("", fmt.Sprintf("A picture shows up to %d rows. Narrow it with the endpoint's parameters.", maxPoints))
	}
	for i := range n {
		e.labels = append(e.labels, string(appendText(nil, &e.types[e.x], &chunk.Vectors[e.x], i)))
		e.values = append(e.values, number(&e.types[e.y], &chunk.Vectors[e.y], i))
	}
	return nil
}

// number is a value to be drawn; what is none leaves a gap.
func number(t *result.Type, v *result.Vector, i int) float64 {
	if v.Null(i) {
		return charts.GetNullValue()
	}
	n := charts.GetNullValue()
	switch v.Kind {
	case result.Double, result.Float, result.TinyInt, result.SmallInt, result.Integer, result.BigInt,
		result.UTinyInt, result.USmallInt, result.UInteger, result.UBigInt, result.HugeInt, result.UHugeInt, result.Decimal:
		n, _ = strconv.ParseFloat(string(appendText(nil, t, v, i)), 64)
	default:
	}
	if math.IsInf(n, 0) || math.IsNaN(n) {
		return charts.GetNullValue()
	}
	return n
}

func (e *chartEncoder) end(m meta) error {
	picture, err := e.draw(m)
	if err != nil {
		return fmt.Errorf("draw chart: %w", err)
	}
	// The style comes right behind the opening tag.
	at := bytes.IndexByte(picture, '>') + 1
	_, err = e.w.Write(append(append(append([]byte(nil), picture[:at]...), darkStyle...), picture[at:]...))
	return err
}

func (e *chartEncoder) draw(m meta) ([]byte, error) {
	p := charts.NewPainter(charts.PainterOptions{
		OutputFormat: charts.ChartOutputSVG, Width: chartWidth, Height: chartHeight, Theme: chartTheme,
	})
	title := charts.TitleOption{Text: e.route.Summary, FontStyle: charts.NewFontStyleWithSize(14)}
	about := e.route.Chart.Y + " by " + e.route.Chart.X
	if !m.asOf.IsZero() {
		about += ", as of " + m.asOf.UTC().Format("2006-01-02 15:04:05 MST")
	}
	if len(e.values) == 0 {
		about += ": no rows"
		e.labels, e.values = []string{""}, []float64{charts.GetNullValue()}
	}
	padding := charts.NewBox(20, 20, 20, 20)
	values := [][]float64{e.values}
	x := charts.CategoryAxisOption{
		Title: about, Labels: thinned(e.labels), LabelCount: len(e.labels), LabelFontStyle: charts.NewFontStyleWithSize(10),
	}
	y := []charts.ValueAxisOption{{ValueFormatter: shortNumber}}
	if lowest(e.values) >= 0 && e.route.Chart.Kind != "scatter" {
		y[0].Min = new(0.0) // a bar from elsewhere than nothing misleads
	}
	hide := charts.LegendOption{Show: new(false)}
	var err error
	switch e.route.Chart.Kind {
	case "bar":
		o := charts.NewBarChartOptionWithData(values)
		o.Theme, o.Padding, o.Title, o.Legend, o.CategoryAxis, o.ValueAxis = chartTheme, padding, title, hide, x, y
		err = p.BarChart(o)
	case "scatter":
		o := charts.NewScatterChartOptionWithData(values)
		o.Theme, o.Padding, o.Title, o.Legend, o.XAxis, o.YAxis = chartTheme, padding, title, hide, x, y
		err = p.ScatterChart(o)
	default:
		o := charts.NewLineChartOptionWithData(values)
		o.Theme, o.Padding, o.Title, o.Legend, o.XAxis, o.YAxis = chartTheme, padding, title, hide, x, y
		o.Symbol.Shape = charts.SymbolNone
		o.FillArea = new(e.route.Chart.Kind == "area")
		err = p.LineChart(o)
	}
	if err != nil {
		return nil, err
	}
	return p.Bytes()
}

// thinned leaves every nth label, as many as have room: the library's own choice is
// uneven.
func thinned(labels []string) []string {
	widest := 0
	for _, label := range labels {
		widest = max(widest, utf8.RuneCountInString(label))
	}
	const letter, gap = 9, 12 // in pixels, at this size
	every := 1 + len(labels)*(widest*letter+gap)/chartWidth
	shown := make([]string, len(labels))
	for i := 0; i < len(labels); i += every {
		shown[i] = labels[i]
	}
	return shown
}

func lowest(values []float64) float64 {
	least := 0.0
	for _, v := range values {
		if v != charts.GetNullValue() {
			least = min(least, v)
		}
	}
	return least
}

// shortNumber is a number on an axis.
func shortNumber(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= 10*unit.size {
			return strconv.FormatFloat(v/unit.size, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}
