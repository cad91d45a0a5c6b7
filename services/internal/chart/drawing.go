package chart

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
)

// The size of a chart: 960 by 480 pixels.
const width, height = 720 * vg.Length(1), 360 * vg.Length(1)

// point is a row to draw.
type point struct {
	x, y float64
	// label is x if that is a name.
	label string
}

// Types of the x axis.
const (
	numberAxis = iota
	timeAxis
	nameAxis
)

// Spec is how to draw an answer.
type Spec struct {
	// Kind is bar, line, area or scatter.
	Kind, Title string
	// X and Y are columns of the answer.
	X, Y string
}

// drawing is a chart with its data.
type drawing struct {
	Spec

	axis   int
	points []point
	notes  []string
}

// minDistance returns the least distance between two points in x, 1 if there are none.
func minDistance(points []point) float64 {
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

// The colours on a light background; styleSheet has those for a dark one.
var (
	inkColor  = color.RGBA{31, 35, 40, 255}
	axisColor = color.RGBA{110, 119, 129, 255}
	gridColor = color.RGBA{216, 222, 228, 255}
	dataColor = color.RGBA{9, 105, 218, 255}
	areaColor = color.RGBA{181, 214, 250, 255}
)

// styleSheet replaces the colours, which the library writes into each element's style, where the
// viewer prefers dark, and has fonts with the same metrics as the one that was measured.
const styleSheet = `<style>svg{background:#fff;color-scheme:light dark;max-width:100%;height:auto}` +
	`text{font-family:"Liberation Sans",Arial,Helvetica,sans-serif!important}@media(prefers-color-scheme:dark){svg{background:#0d1117}` +
	`[style*="fill:#1F2328"]{fill:#e6edf3!important}` +
	`[style*="stroke:#6E7781"]{stroke:#8d96a0!important}` +
	`[style*="stroke:#D8DEE4"]{stroke:#30363d!important}` +
	`[style*="fill:#0969DA"]{fill:#4493f8!important}` +
	`[style*="fill:#B5D6FA"]{fill:#1b3a63!important}` +
	`[style*="stroke:#0969DA"]{stroke:#4493f8!important}}</style>`
