package chart

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

func (d *drawing) draw(w io.Writer) error {
	p := plot.New()
	p.BackgroundColor = nil
	setFont(&p.Title.TextStyle, 12)
	p.Title.Padding = vg.Points(8)
	p.Title.Text = truncated(p.Title.TextStyle, d.Title, width-vg.Points(40))
	d.axes(p)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, gridColor
	p.Add(grid)
	p.Add(d.plotters()...)
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(15), -vg.Points(15), vg.Points(12), -vg.Points(12)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	// The style comes right after the opening tag.
	head, rest, _ := strings.Cut(b.String(), "<svg")
	tag, rest, _ := strings.Cut(rest, ">")
	_, err := io.WriteString(w, head+"<svg"+tag+">"+styleSheet+rest)
	return err
}

// setFont sets the font and the colour of a text.
func setFont(s *text.Style, size vg.Length) {
	s.Font = font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
	s.Color = inkColor
}

// truncated cuts the text with an ellipsis to the room that it has.
func truncated(s text.Style, name string, room vg.Length) string {
	runes := []rune(strings.Join(strings.Fields(name), " "))
	if s.Width(string(runes)) <= room {
		return string(runes)
	}
	for len(runes) > 0 && s.Width(string(runes)+"…") > room {
		runes = runes[:len(runes)-1-len(runes)/20]
	}
	return string(runes) + "…"
}

// axes configures both axes for the points.
func (d *drawing) axes(p *plot.Plot) {
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		setFont(&a.Label.TextStyle, 10)
		setFont(&a.Tick.Label, 9)
		a.Color, a.Tick.Color = axisColor, axisColor
		a.Tick.Length, a.Scale = vg.Points(4), linearScale{}
	}
	var xs, ys []float64
	for _, q := range d.points {
		xs = append(xs, q.x)
		ys = append(ys, q.y)
	}
	p.Y.Min, p.Y.Max = axisRange(ys, d.Kind == "bar" || d.Kind == "area")
	p.Y.Tick.Marker = numberTicks{}
	p.Y.Label.Text = truncated(p.Y.Label.TextStyle, d.Y, height/2)
	xName := d.X
	switch d.axis {
	case timeAxis:
		p.X.Tick.Marker = timeTicks{}
		xName += " (UTC)"
	case nameAxis:
		d.nameTicks(p)
	default:
		p.X.Tick.Marker = numberTicks{}
	}
	if d.axis != nameAxis {
		p.X.Min, p.X.Max = axisRange(xs, false)
	}
	if d.Kind == "bar" || d.axis == nameAxis {
		half := minDistance(d.points) / 2
		low, high := extent(xs)
		p.X.Min, p.X.Max = min(p.X.Min, low-half), max(p.X.Max, high+half)
	}
	about := truncated(p.X.Label.TextStyle, xName, width/2)
	p.X.Label.Text = strings.Join(append([]string{about}, d.notes...), "  ·  ")
	p.X.Label.Padding, p.Y.Label.Padding = vg.Points(4), vg.Points(4)
}

// nameTicks labels the points with their names: horizontally if all have room, else rotated, else
// only every nth.
func (d *drawing) nameTicks(p *plot.Plot) {
	s := &p.X.Tick.Label
	p.X.Min, p.X.Max = -0.5, float64(len(d.points))-0.5
	ticks := make([]plot.Tick, len(d.points))
	widest := vg.Length(0)
	for i, q := range d.points {
		ticks[i] = plot.Tick{Value: q.x, Label: truncated(*s, q.label, vg.Points(90))}
		widest = max(widest, s.Width(ticks[i].Label))
	}
	room := (width - vg.Points(80)) / vg.Length(max(len(ticks), 1))
	needed := widest + vg.Points(6)
	if needed > room && widest > vg.Points(20) {
		s.Rotation, s.XAlign, s.YAlign = math.Pi/4, draw.XRight, draw.YCenter
		needed = s.FontExtents().Height * 1.6
	}
	every := max(1, int(math.Ceil(float64(needed/room))))
	shown := plot.ConstantTicks{}
	for i := 0; i < len(ticks); i += every {
		shown = append(shown, ticks[i])
	}
	p.X.Tick.Marker = shown
	if every > 1 {
		d.notes = append(d.notes, "every "+strconv.Itoa(every)+". name is written")
	}
}
