package chart

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/rivo/uniseg"
)

const (
	// leastWidth is the least width of a chart of text, in columns.
	leastWidth = 24
	// mostRows is the highest number of bars that have a line each.
	mostRows = 40
	// textRows are the lines of a plot, unless its cells have one each.
	textRows = 16
)

// Text writes the picture in so many columns of text, at least 24. Paint colours what belongs to a
// series; nil: series are told apart by letters.
func (p *Picture) Text(w io.Writer, width int, paint func(series int, text string) string) error {
	t := &textChart{p: p, width: max(width, leastWidth), rows: p.textRows(), paint: paint}
	t.heading()
	if p.Kind == Bar && p.X.Scale == nameScale && p.X.Stride == 1 && len(p.X.Names)*len(p.Series) <= mostRows {
		t.bars()
	} else {
		t.plot()
	}
	for _, note := range p.Notes {
		t.paragraph(note)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// textRows is the number of lines of a plot.
func (p *Picture) textRows() int {
	for _, m := range p.all {
		if n := math.Round((p.Y.High - p.Y.Low) / (m.Y1 - m.Y)); p.cells() && n >= 1 && n <= mostRows {
			return int(n)
		}
		break
	}
	return textRows
}

// textChart is a chart while it is written.
type textChart struct {
	b     strings.Builder
	p     *Picture
	width int
	rows  int // of the plot
	paint func(series int, text string) string
}

func (t *textChart) paragraph(text string) {
	for _, line := range wrapped(printable(text), t.width, 4) {
		t.b.WriteString(line + "\n")
	}
}

func (t *textChart) heading() {
	t.paragraph(t.p.Title)
	if len(t.p.Series) > 1 {
		for i, s := range t.p.Series {
			t.b.WriteString(t.glyph(i, "━") + " " + fitted(printable(s.Name), t.width-2) + "\n")
		}
	}
	if t.p.cells() {
		t.paragraph(fmt.Sprintf("%s: ░ from %s, █ to %s", t.p.Colour, number6(t.p.From), number6(t.p.To)))
	}
}

// glyph is text in the colour of a series; without colours it is the letter of the series.
func (t *textChart) glyph(series int, text string) string {
	switch {
	case len(t.p.Series) < 2:
		return text
	case t.paint != nil:
		return t.paint(series, text)
	default:
		return string(rune('a' + series%26))
	}
}

// bars writes a line for each bar: its name, the bar and its value.
func (t *textChart) bars() {
	names := 0
	for _, name := range t.p.X.Names {
		names = max(names, uniseg.StringWidth(printable(name)))
	}
	names = min(names, t.width/3)
	values := 0
	bySlot := map[[2]int]Mark{}
	for i, m := range t.p.all {
		bySlot[[2]int{int(math.Round(m.X + (m.X1-m.X)/2)), i}] = m
		values = max(values, len(number6(m.Y)))
	}
	room := max(t.width-names-values-3, 1)
	if t.p.Y.Label != "" {
		t.b.WriteString(strings.Repeat(" ", names+2) + fitted(printable(t.p.Y.Label), t.width-names-2) + "\n")
	}
	for i, name := range t.p.X.Names {
		for k := range t.p.Series {
			label := strings.Repeat(" ", names)
			if k == 0 {
				label = padded(fitted(printable(name), names), names)
			}
			m, ok := bySlot[[2]int{i, k}]
			if !ok {
				t.b.WriteString(strings.TrimRight(label+" │", " ") + "\n")
				continue
			}
			t.b.WriteString(label + " │" + t.block(k, m.Y, room) + " " + number6(m.Y) + "\n")
		}
	}
}

// block is the bar of a value in a line; a negative one ends at zero.
func (t *textChart) block(series int, value float64, room int) string {
	at := func(v float64) int { return clamped(math.Round(t.p.Y.at(v)*float64(room)), room) }
	begin, eighths := at(0), clamped(math.Round((t.p.Y.at(value)-t.p.Y.at(0))*float64(room)*8), room*8)
	if value < 0 {
		begin, eighths = at(value), (at(0)-at(value))*8
	}
	text := strings.Repeat("█", eighths/8)
	switch {
	case t.paint == nil && len(t.p.Series) > 1:
		text = strings.Repeat(t.glyph(series, ""), (eighths+7)/8)
	case eighths%8 > 0:
		text = t.glyph(series, text+string([]rune("▏▎▍▌▋▊▉")[eighths%8-1]))
	case eighths > 0:
		text = t.glyph(series, text)
	}
	return strings.Repeat(" ", begin) + text
}

// clamped returns a place as an integer from 0 to most.
func clamped(v float64, most int) int {
	if !(v > 0) {
		return 0
	}
	return int(min(v, float64(most)))
}

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-uniseg.StringWidth(text)))
}

// plot writes both axes and the marks between them.
func (t *textChart) plot() {
	p := t.p
	ticks := p.Y.ticks(4)
	if p.Y.Scale == nameScale {
		ticks = p.Y.nameTicks(t.rows)
	}
	labels := map[int]string{}
	left := 0
	for _, tick := range ticks {
		row := t.row(p.Y.at(tick.value))
		labels[row] = fitted(printable(strings.ReplaceAll(tick.label, "\n", " ")), t.width/4)
		left = max(left, uniseg.StringWidth(labels[row]))
	}
	c := newCanvas(t.width-left-2, t.rows)
	for i := range p.Series {
		for _, run := range p.Series[i].Runs {
			t.draw(c, i, run)
		}
	}
	t.paragraph(p.Y.Label)
	for row := range t.rows {
		edge := "│"
		if labels[row] != "" {
			edge = "┤"
		}
		t.b.WriteString(strings.Repeat(" ", left-uniseg.StringWidth(labels[row])) + labels[row] + " " + edge + t.line(c, row) + "\n")
	}
	t.xTicks(left+2, c.width)
}

// row returns the line of a place on the y axis, 0 to 1. Names go down.
func (t *textChart) row(at float64) int {
	if t.p.Y.Scale != nameScale {
		at = 1 - at
	}
	return clamped(at*float64(t.rows), t.rows-1)
}

// xTicks writes the labels of x where they have room.
func (t *textChart) xTicks(left, width int) {
	a := &t.p.X
	ticks := a.ticks(max(width/14, 1))
	if a.Scale == nameScale {
		ticks = a.nameTicks(max(width/12, 1))
	}
	axis := []rune(strings.Repeat("─", width))
	lines, ends := [2]string{}, [2]int{}
	for _, tick := range ticks {
		at := clamped(a.at(tick.value)*float64(width), width-1)
		axis[at] = '┬'
		for n, text := range strings.SplitN(tick.label, "\n", 2) {
			text = fitted(printable(text), 11)
			wide := uniseg.StringWidth(text)
			from := max(0, min(left+at-wide/2, left+width-wide))
			if from >= ends[n] {
				lines[n] += strings.Repeat(" ", from-uniseg.StringWidth(lines[n])) + text
				ends[n] = from + wide + 1
			}
		}
	}
	t.b.WriteString(strings.Repeat(" ", left-1) + "└" + string(axis) + "\n")
	for _, line := range lines {
		if line != "" {
			t.b.WriteString(line + "\n")
		}
	}
	label := a.Label
	if a.Zone != "" {
		label += ", " + a.Zone
	}
	label = fitted(printable(label), width)
	t.b.WriteString(strings.Repeat(" ", left+(width-uniseg.StringWidth(label))/2) + label + "\n")
}

// canvas has the dots of lines of text: 2 by 4 in a column, as Braille characters have.
type canvas struct {
	width, height int
	dots          []uint8
	// shades are the cells' shades, 0 without one; series are those of the last dot or cell.
	shades, series []int
}

func newCanvas(width, height int) *canvas {
	return &canvas{width, height, make([]uint8, width*height), make([]int, width*height), make([]int, width*height)}
}

// dot sets a dot.
func (c *canvas) dot(series, x, y int) {
	bit := [4][2]uint8{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}[y%4][x%2]
	c.dots[y/4*c.width+x/2] |= bit
	c.series[y/4*c.width+x/2] = series
}

// draw draws the marks of a run.
func (t *textChart) draw(c *canvas, series int, run []Mark) {
	p := t.p
	x := func(v float64) int { return clamped(p.X.at(v)*float64(c.width*2), c.width*2-1) }
	y := func(v float64) int { return clamped((1-p.Y.at(v))*float64(c.height*4), c.height*4-1) }
	for i, m := range run {
		switch {
		case p.cells():
			from, to := min(t.row(p.Y.at(m.Y)), t.row(p.Y.at(m.Y1))), max(t.row(p.Y.at(m.Y)), t.row(p.Y.at(m.Y1)))
			// The cell that begins where this one ends has that line and column.
			for row := from; row < max(to, from+1); row++ {
				for column := x(m.X) / 2; column < max((x(m.X1)+1)/2, x(m.X)/2+1); column++ {
					at := row*c.width + column
					c.shades[at], c.series[at] = max(c.shades[at], 1+p.shade(m.Value, 4)), series
				}
			}
		case p.extended():
			from, to := p.slot(series, m)
			for column := x(from); column <= max(x(to)-1, x(from)); column++ {
				c.column(series, column, y(m.Y), y(m.Y1))
			}
		case p.Kind == Scatter || i == 0:
			c.dot(series, x(m.X), y(m.Y))
		default:
			before := run[i-1]
			c.segment(series, x(before.X), y(before.Y), x(m.X), y(m.Y), p.Kind == Area, y(0))
		}
	}
}

// column sets the dots between two heights.
func (c *canvas) column(series, x, y, y1 int) {
	for at := min(y, y1); at <= max(y, y1); at++ {
		c.dot(series, x, at)
	}
}

// segment draws a line between two dots, and the area between it and zero.
func (c *canvas) segment(series, x, y, x1, y1 int, area bool, zero int) {
	steps := max(x1-x, x-x1, y1-y, y-y1, 1)
	for i := range steps + 1 {
		atX, atY := x+(x1-x)*i/steps, y+(y1-y)*i/steps
		c.dot(series, atX, atY)
		if area {
			c.column(series, atX, atY, zero)
		}
	}
}

// line returns a line of the plot.
func (t *textChart) line(c *canvas, row int) string {
	var b strings.Builder
	for at := row * c.width; at < (row+1)*c.width; at++ {
		switch {
		case c.shades[at] > 0 && (t.paint != nil || len(t.p.Series) < 2):
			b.WriteString(t.glyph(c.series[at], string([]rune("░▒▓█")[c.shades[at]-1])))
		case c.shades[at] > 0 || c.dots[at] > 0:
			b.WriteString(t.glyph(c.series[at], string(rune(0x2800+int(c.dots[at])))))
		default:
			b.WriteByte(' ')
		}
	}
	return strings.TrimRight(b.String(), " ")
}
