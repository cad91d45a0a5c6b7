package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// plotters returns what draws the points.
func (d *drawing) plotters() []plot.Plotter {
	var all []plot.Plotter
	if d.Kind == "bar" {
		return []plot.Plotter{bars{d.points, minDistance(d.points) * 0.8}}
	}
	dots := plotter.XYs{}
	for _, run := range segments(d.points) {
		if d.Kind == "scatter" || len(run) == 1 {
			dots = append(dots, run...)
			continue
		}
		if d.Kind == "area" {
			all = append(all, area(run))
		}
		all = append(all, &plotter.Line{XYs: run, LineStyle: draw.LineStyle{Color: dataColor, Width: vg.Points(1.25)}})
	}
	if len(dots) > 0 {
		all = append(all, &plotter.Scatter{XYs: dots, GlyphStyle: draw.GlyphStyle{Color: dataColor, Radius: vg.Points(2), Shape: draw.CircleGlyph{}}})
	}
	return all
}

// segments returns the runs of points without gaps.
func segments(points []point) (all []plotter.XYs) {
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

// bars are drawn from zero to the points.
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

// area is the area between the points and zero.
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
