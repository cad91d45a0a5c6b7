// Package growth fits lines through what was measured on Prometheus with few systems and a day or less, and says what
// they give for many systems and a month.
package growth

import (
	"errors"
	"fmt"
	"math"
)

// Line is A + B·x.
type Line struct {
	A, B float64
	// Residuals are what was measured minus the line, in the order of the points.
	Residuals []float64
}

var (
	errTooFew = errors.New("want three points or more: a line goes through any two, and so says nothing of how well it fits")
	errOneX   = errors.New("want points at different places")
)

// Fit is the line with the least sum of squares of its residuals.
func Fit(x, y []float64) (Line, error) {
	if len(x) != len(y) || len(x) < 3 {
		return Line{}, fmt.Errorf("fit %d points: %w", len(x), errTooFew)
	}
	n := float64(len(x))
	var meanX, meanY, xx, xy float64
	for i := range x {
		meanX, meanY = meanX+x[i]/n, meanY+y[i]/n
	}
	for i := range x {
		xx += (x[i] - meanX) * (x[i] - meanX)
		xy += (x[i] - meanX) * (y[i] - meanY)
	}
	if xx == 0 {
		return Line{}, fmt.Errorf("fit %d points: %w", len(x), errOneX)
	}
	l := Line{B: xy / xx}
	l.A = meanY - l.B*meanX
	for i := range x {
		l.Residuals = append(l.Residuals, y[i]-l.At(x[i]))
	}
	return l, nil
}

// At is the line's value.
func (l Line) At(x float64) float64 { return l.A + l.B*x }

// Reaches is where a rising line gets to a value; false if it never does.
func (l Line) Reaches(y float64) (float64, bool) {
	if l.B <= 0 {
		return math.Inf(1), false
	}
	return (y - l.A) / l.B, true
}

// Off is the largest residual, as a share of the value that was measured there.
func (l Line) Off(y []float64) (most float64) {
	for i, r := range l.Residuals {
		if y[i] != 0 {
			most = max(most, math.Abs(r/y[i]))
		}
	}
	return most
}
