package api

import (
	"bytes"
	"image/color"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a picture: 960 by 480 pixels.
const chartWidth, chartHeight = 720 * vg.Length(1), 360 * vg.Length(1)

// The colours of a picture on a light ground. Each has a twin for a dark one,
// which the viewer's own setting chooses.
var (
	inkColor  = color.RGBA{31, 35, 40, 255}
	axisColor = color.RGBA{110, 119, 129, 255}
	gridColor = color.RGBA{216, 222, 228, 255}
	dataColor = color.RGBA{9, 105, 218, 255}
	areaColor = color.RGBA{181, 214, 250, 255}
)

// chartStyle turns the colours into those for a dark ground, which the library writes in
// each element's style, and names fonts of the same widths as the one that was measured.
const chartStyle = `<style>svg{background:#fff;color-scheme:light dark;max-width:100%;height:auto}` +
	`text{font-family:"Liberation Sans",Arial,Helvetica,sans-serif!important}@media(prefers-color-scheme:dark){svg{background:#0d1117}` +
	`[style*="fill:#1F2328"]{fill:#e6edf3!important}` +
	`[style*="stroke:#6E7781"]{stroke:#8d96a0!important}` +
	`[style*="stroke:#D8DEE4"]{stroke:#30363d!important}` +
	`[style*="fill:#0969DA"]{fill:#4493f8!important}` +
	`[style*="fill:#B5D6FA"]{fill:#1b3a63!important}` +
	`[style*="stroke:#0969DA"]{stroke:#4493f8!important}}</style>`

// What x is.
const (
	numberAxis = iota
	timeAxis
	nameAxis
)

// drawing is a picture to be made.
type drawing struct {
	kind, title, xName, yName string
	axis                      int
	points                    []point
	notes                     []string
}

func (d *drawing) draw(w io.Writer) error {
	p := plot.New()
	p.BackgroundColor = nil
	style(&p.Title.TextStyle, 12)
	p.Title.Padding = vg.Points(8)
	p.Title.Text = shortened(p.Title.TextStyle, d.title, chartWidth-vg.Points(40))
	d.axes(p)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, gridColor
	p.Add(grid)
	p.Add(d.marks()...)
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(15), -vg.Points(15), vg.Points(12), -vg.Points(12)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	// The style comes right behind the opening tag.
	head, rest, _ := strings.Cut(b.String(), "<svg")
	tag, rest, _ := strings.Cut(rest, ">")
	_, err := io.WriteString(w, head+"<svg"+tag+">"+chartStyle+rest)
	return err
}

func style(s *text.Style, size vg.Length) {
	s.Font = font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
	s.Color = inkColor
}

// axes sets both axes to what is drawn.
func (d *drawing) axes(p *plot.Plot) {
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		style(&a.Label.TextStyle, 10)
		style(&a.Tick.Label, 9)
		a.Color, a.Tick.Color = axisColor, axisColor
		a.Tick.Length, a.Scale = vg.Points(4), evenScale{}
	}
	var xs, ys []float64
	for _, q := range d.points {
		xs = append(xs, q.x)
		ys = append(ys, q.y)
	}
	p.Y.Min, p.Y.Max = span(ys, d.kind == "bar" || d.kind == "area")
	p.Y.Tick.Marker = numberTicks{}
	p.Y.Label.Text = shortened(p.Y.Label.TextStyle, d.yName, chartHeight/2)
	xName := d.xName
	switch d.axis {
	case timeAxis:
		p.X.Tick.Marker = timeTicks{}
		xName += " (UTC)"
	case nameAxis:
		d.names(p)
	default:
		p.X.Tick.Marker = numberTicks{}
	}
	if d.axis != nameAxis {
		p.X.Min, p.X.Max = span(xs, false)
	}
	if d.kind == "bar" || d.axis == nameAxis {
		half := step(d.points) / 2
		p.X.Min, p.X.Max = min(p.X.Min, lowest(xs)-half), max(p.X.Max, highest(xs)+half)
	}
	about := shortened(p.X.Label.TextStyle, xName, chartWidth/2)
	p.X.Label.Text = strings.Join(append([]string{about}, d.notes...), "  ·  ")
	p.X.Label.Padding, p.Y.Label.Padding = vg.Points(4), vg.Points(4)
}

// marks are what is drawn for the points.
func (d *drawing) marks() []plot.Plotter {
	var all []plot.Plotter
	if d.kind == "bar" {
		return []plot.Plotter{bars{d.points, step(d.points) * 0.8}}
	}
	dots := plotter.XYs{}
	for _, run := range runs(d.points) {
		if d.kind == "scatter" || len(run) == 1 {
			dots = append(dots, run...)
			continue
		}
		if d.kind == "area" {
			all = append(all, area(run))
		}
		all = append(all, &plotter.Line{XYs: run, LineStyle: draw.LineStyle{Color: dataColor, Width: vg.Points(1.25)}})
	}
	if len(dots) > 0 {
		all = append(all, &plotter.Scatter{XYs: dots, GlyphStyle: draw.GlyphStyle{Color: dataColor, Radius: vg.Points(2), Shape: draw.CircleGlyph{}}})
	}
	return all
}

// runs are the points between gaps.
func runs(points []point) (all []plotter.XYs) {
	var run plotter.XYs
	for _, p := range points {
		if !math.IsNaN(p.y) {
			run = append(run, plotter.XY{X: p.x, Y: p.y})
		} else if len(run) > 0 {
			all, run = append(all, run), nil
		}
	}
	if len(run) > 0 {
		all = append(all, run)
	}
	return all
}

// bars stand on nothing.
type bars struct {
	points []point
	width  float64 // in x
}

// Plot implements plot.Plotter.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	c.SetColor(dataColor)
	for _, q := range b.points {
		if math.IsNaN(q.y) {
			continue
		}
		left, right := x(q.x-b.width/2), x(q.x+b.width/2)
		if thin := vg.Points(0.75); right-left < thin {
			left, right = x(q.x)-thin/2, x(q.x)+thin/2
		}
		c.Fill(vg.Rectangle{Min: vg.Point{X: left, Y: y(0)}, Max: vg.Point{X: right, Y: y(q.y)}}.Path())
	}
}

// area is what lies between the points and nothing.
type area plotter.XYs

// Plot implements plot.Plotter.
func (a area) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	var path vg.Path
	path.Move(vg.Point{X: x(a[0].X), Y: y(0)})
	for _, q := range a {
		path.Line(vg.Point{X: x(q.X), Y: y(q.Y)})
	}
	path.Line(vg.Point{X: x(a[len(a)-1].X), Y: y(0)})
	path.Close()
	c.SetColor(areaColor)
	c.Fill(path)
}
