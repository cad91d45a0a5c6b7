package chart

import (
	"bytes"
	"io"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

func (d *drawing) draw(w io.Writer) error {
	p := plot.New()
	p.BackgroundColor = nil
	style(&p.Title.TextStyle, 12)
	p.Title.Padding = vg.Points(8)
	p.Title.Text = shortened(p.Title.TextStyle, d.Title, width-vg.Points(40))
	d.axes(p)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, gridColor
	p.Add(grid)
	p.Add(d.marks()...)
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
