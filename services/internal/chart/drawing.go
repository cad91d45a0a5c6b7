package chart

import (
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
)

// The size of a picture: 960 by 480 pixels.
const width, height = 720 * vg.Length(1), 360 * vg.Length(1)

// point is a row as it is drawn.
type point struct {
	x, y float64
	// label is x where that is a name.
	label string
}

// What x is.
const (
	numberAxis = iota
	timeAxis
	nameAxis
)

// Spec says how to draw an answer.
type Spec struct {
	// Kind is bar, line, area or scatter.
	Kind, Title string
	// X and Y are columns of the answer.
	X, Y string
}

// drawing is a picture to be made.
type drawing struct {
	Spec

	axis   int
	points []point
	notes  []string
}

// step is the least distance between two points in x.
func step(points []point) float64 {
	xs := make([]float64, len(points))
	for i, p := range points {
		xs[i] = p.x
	}
	slices.Sort(xs)
	least := math.Inf(1)
	for i := 1; i < len(xs); i++ {
		if d := xs[i] - xs[i-1]; d > 0 {
			least = min(least, d)
		}
	}
	if math.IsInf(least, 1) {
		return 1
	}
	return least
}
