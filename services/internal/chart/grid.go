package chart

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// grid aggregates the rows of a chart in bounded memory, whatever their number and range. Each value
// of an axis has a cell of its own as long as there are few; then the axis is divided into bins,
// which are joined as its range grows.
type grid struct {
	kind  string
	x, y  binning
	cells map[place]*cell
}

// place is the series of a cell, and its bin or value on both axes.
type place struct {
	series int
	x, y   float64
}

// cell aggregates the rows of a place.
type cell struct {
	// first and last are the points of the lowest and the highest x, low and high those of y.
	first, last, low, high point
	// rows counts the rows that have a value, sum is that of their values, of a column's in sumUnit.
	rows int
	sum  float64
}

// sumUnit is the unit of sums of a column, which do not overflow in it: a power of two above MaxRows.
const sumUnit = 1 << 20

type point struct{ x, y float64 }

// The highest number of values or bins of an axis, by what is to be seen of them in 900 pixels.
const (
	mostBars    = 400
	mostPoints  = 2000
	mostColumns = 2000 // of a line, about one a pixel
	mostAcross  = 180  // cells of a heat map or a dense scatter chart
	mostDown    = 72
	mostBuckets = 100 // bars of a histogram
)

func newGrid(kind string, x, y binning) *grid {
	x.exact, x.most, y.exact = map[float64]struct{}{}, mostColumns, map[float64]struct{}{}
	x.mostExact, y.mostExact = mostPoints, mostPoints
	switch kind {
	case Bar:
		x.most, x.mostExact = mostBars, mostBars
	case Heatmap:
		x.most, x.mostExact, y.most, y.mostExact = 2*mostAcross, mostAcross, 2*mostDown, mostDown
	case Scatter:
		x.most, y.most = 2*mostAcross, 2*mostDown
	}
	return &grid{kind, x, y, map[place]*cell{}}
}

// flat reports whether the bins are those of x alone.
func (g *grid) flat() bool { return g.kind != Heatmap && g.kind != Scatter }

func (g *grid) add(series int, x, y, value float64) {
	g.x.include(x)
	at := place{series: series}
	if !g.flat() {
		g.y.include(y)
	}
	if g.x.full() || !g.flat() && g.y.full() {
		g.widen()
	}
	if at.x = g.x.bin(x); !g.flat() {
		at.y = g.y.bin(y)
	}
	g.put(at, cell{point{x, y}, point{x, y}, point{x, y}, point{x, y}, 1, value})
	if g.kind == Scatter && (g.x.exact != nil || g.y.exact != nil) && len(g.cells) > mostPoints {
		g.x.mostExact, g.y.mostExact = -1, -1
		g.widen()
	}
}

// put adds the rows of a cell to a place.
func (g *grid) put(at place, c cell) {
	if math.IsNaN(c.sum) {
		c.rows, c.sum = 0, 0
	}
	old, ok := g.cells[at]
	switch {
	case !ok:
		g.cells[at] = &c
		return
	case c.rows == 0:
		return
	case old.rows == 0:
		*old = c
		return
	}
	if c.first.x < old.first.x {
		old.first = c.first
	}
	if c.last.x >= old.last.x {
		old.last = c.last
	}
	if c.low.y < old.low.y {
		old.low = c.low
	}
	if c.high.y > old.high.y {
		old.high = c.high
	}
	old.rows += c.rows
	old.sum += c.sum
}

// isExact reports whether every value has its own cell.
func (g *grid) isExact() bool { return g.x.exact != nil && g.y.exact != nil }

// widen joins bins until there are not too many.
func (g *grid) widen() {
	toX, toY := g.x.widen(), same
	if !g.flat() {
		toY = g.y.widen()
	}
	g.move(toX, toY)
}

// finish divides the axes into as many bins as are drawn.
func (g *grid) finish() {
	switch g.kind {
	case Histogram:
		g.move(g.x.bucket(mostBuckets), same)
	case Scatter, Heatmap:
		toX, toY := same, same
		if g.x.exact == nil {
			toX = g.x.bucket(mostAcross)
		}
		if g.y.exact == nil {
			toY = g.y.bucket(mostDown)
		}
		g.move(toX, toY)
	}
}

func same(v float64) float64 { return v }

// move joins the cells that come to the same place.
func (g *grid) move(toX, toY func(float64) float64) {
	before := g.cells
	g.cells = map[place]*cell{}
	for _, at := range sortedPlaces(before) {
		g.put(place{at.series, toX(at.x), toY(at.y)}, *before[at])
	}
}

// sortedPlaces returns the places by series, then x, then y.
func sortedPlaces(cells map[place]*cell) []place {
	return slices.SortedFunc(maps.Keys(cells), func(a, b place) int {
		return cmp.Or(a.series-b.series, cmp.Compare(a.x, b.x), cmp.Compare(a.y, b.y))
	})
}

// binning divides an axis into bins of a round width.
type binning struct {
	// clock is true for times.
	clock bool
	// least is the lowest step of the width.
	least int
	// exact are the values as long as each has a bin of its own, of which there are up to mostExact;
	// then nil.
	exact           map[float64]struct{}
	mostExact, most int
	// width is that of the bins, step its step. Bin 0 begins at origin.
	width, origin float64
	step          int
	low, high     float64
	any           bool
}

func (b *binning) include(v float64) {
	if b.exact != nil {
		b.exact[v] = struct{}{}
	}
	if !b.any {
		b.low, b.high, b.any = v, v, true
	}
	b.low, b.high = min(b.low, v), max(b.high, v)
}

// full reports whether there are too many bins, or values with their own.
func (b *binning) full() bool {
	if b.exact != nil {
		return len(b.exact) > b.mostExact
	}
	return !b.fits(b.width)
}

// fits reports whether bins of a width are few enough; false too if their numbers overflow.
func (b *binning) fits(width float64) bool {
	return b.number(b.high, width)-b.number(b.low, width) < float64(b.most)
}

// bin returns the bin of a value: its number, or the value itself.
func (b *binning) bin(v float64) float64 {
	if b.exact != nil {
		return v
	}
	return b.number(v, b.width)
}

// number is the number of the value's bin; a value at a border is not lost to rounding.
func (b *binning) number(v, width float64) float64 {
	n := (v - b.origin) / width
	if near := math.Round(n); math.Abs(n-near) <= 4e-16*math.Abs(n) {
		return near
	}
	return math.Floor(n)
}

// edge returns where a bin begins.
func (b *binning) edge(number float64) float64 { return number*b.width + b.origin }

// widen makes the bins as wide as they must be. It returns the new bin of each bin or value.
func (b *binning) widen() (to func(float64) float64) {
	if !b.full() {
		return same
	}
	if b.exact != nil {
		b.exact, b.step, b.width = nil, b.least, stepWidth(b.least, b.clock)
		if b.clock {
			b.origin = monday
		}
		b.join()
		return b.bin
	}
	times := b.join()
	return func(v float64) float64 { return math.Floor(v / times) }
}

// join widens the bins and returns how many become one.
func (b *binning) join() (times float64) {
	for times = 1; b.full(); b.step++ {
		next := stepWidth(b.step+1, b.clock)
		times, b.width = times*math.Round(next/b.width), next
	}
	return times
}

// bucket divides the axis into at most n bins of a round width, which is not less than the least
// distance between values, where that is known.
func (b *binning) bucket(n int) (to func(float64) float64) {
	exact := b.exact != nil
	if exact {
		apart := distance(b.exact)
		for b.least < coarsestStep && stepWidth(b.least, b.clock) < apart*(1-1e-9) {
			b.least++
		}
		b.most, b.mostExact = n*10, -1
		b.widen()
	}
	b.most = n
	times := 1.0
	for !b.fits(b.width*times) || times < maxJoined && !isRound(b.width*times, b.clock) {
		times++
	}
	b.width *= times
	if exact {
		return b.bin
	}
	return func(v float64) float64 { return math.Floor(v / times) }
}

// maxJoined is how many bins of a step may become one to get a round width.
const maxJoined = 100

// isRound reports whether a width is 1, 2, 4 or 5 times a power of ten, or a part or a number of
// days.
func isRound(width float64, clock bool) bool {
	if clock && width >= 1 {
		return math.Mod(secondsOfDay, width) == 0 || math.Mod(width, secondsOfDay) == 0
	}
	first := width / math.Pow10(int(math.Floor(math.Log10(width)+1e-9)))
	for _, n := range []float64{1, 2, 4, 5} {
		if math.Abs(first-n) < 1e-6 {
			return true
		}
	}
	return false
}

// distance returns the least distance between two values, 0 if there are not two.
func distance(values map[float64]struct{}) float64 {
	least := math.Inf(1)
	sorted := slices.Sorted(maps.Keys(values))
	for i := 1; i < len(sorted); i++ {
		least = min(least, sorted[i]-sorted[i-1])
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return least
}

// The steps of the narrowest bins that a float64 tells apart, and of the widest whose width is one.
const (
	finestStep   = -640
	coarsestStep = 616
)

// stepWidth returns the width of bins of a step, which is a whole multiple of that of the step
// before: 1, 2, 10, 20, 100, …; of times seconds, minutes, hours, days and weeks.
func stepWidth(step int, clock bool) float64 {
	if clock && step >= 0 {
		if step < len(clockSteps) {
			return clockSteps[step]
		}
		return clockSteps[len(clockSteps)-1] * math.Exp2(float64(step-len(clockSteps)+1))
	}
	tens := step >> 1
	if step&1 == 1 {
		return 2 * math.Pow10(tens)
	}
	return math.Pow10(tens)
}

var clockSteps = []float64{1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, secondsOfDay, 7 * secondsOfDay, 28 * secondsOfDay}

const (
	secondsOfDay = 24 * 60 * 60
	// dayStep is the step of a day.
	dayStep = 10
	// monday is the first one after the beginning of 1970.
	monday = 4 * secondsOfDay
)
