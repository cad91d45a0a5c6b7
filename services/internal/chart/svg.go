package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"
)

// The measures of an SVG, in its units: pixels where it is as wide as it may be.
const (
	svgWidth   = 960
	plotHeight = 340
	margin     = 20
	lineHeight = 18
	// columnWidth is the width of a column of text of 12 pixels: half of what a CJK character takes.
	columnWidth = 6.6
	// narrow is how much larger text is on a narrow screen (styleSheet).
	narrow = 1.6
	// mostTips is the highest number of marks that have a tooltip.
	mostTips = 1000
	// mostDots is the highest number of points that a line is drawn with dots for.
	mostDots = 60
)

// svg is a chart while it is written.
type svg struct {
	b                        bytes.Buffer
	p                        *Picture
	left, right, top, bottom float64 // of the plot
	below                    float64 // where what is below the plot ends
	tips                     bool
}

// SVG writes the picture as an SVG document that loads and runs nothing.
func (p *Picture) SVG(w io.Writer) error {
	s := &svg{p: p}
	n := 0
	for range p.all {
		n++
	}
	s.tips = n <= mostTips
	s.heading()
	s.yAxis()
	s.xAxis()
	for i := range p.Series {
		s.series(i, n)
	}
	s.baseline()
	end := s.footer()
	sum := fnv.New32a()
	_, _ = sum.Write(s.b.Bytes())
	id := fmt.Sprintf("chart-%x", sum.Sum32()) // several charts may be on one page
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %s" width="%[1]d" height="%[2]s" role="img" aria-labelledby="%[3]s %[3]s-desc">`+
		`<title id="%[3]s">%[4]s</title><desc id="%[3]s-desc">%[5]s</desc><style>%[6]s</style>%[7]s</svg>`+"\n",
		svgWidth, px(end), id, escape(p.Title), escape(p.Description), styleSheet, s.b.Bytes())
	return err
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}

// px formats a coordinate.
func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64) }

// text writes a line of text; anchor is start, middle or end.
func (s *svg) text(class, anchor string, x, y float64, text, attributes string) {
	fmt.Fprintf(&s.b, `<text class="%s" x="%s" y="%s" text-anchor="%s"%s>%s</text>`, class, px(x), px(y), anchor, attributes, escape(text))
}

func (s *svg) line(class string, x, y, x1, y1 float64) {
	fmt.Fprintf(&s.b, `<path class="%s" d="M%s %sL%s %s"/>`, class, px(x), px(y), px(x1), px(y1))
}

// heading writes title and legend above the plot.
func (s *svg) heading() {
	y := 10.0
	for _, line := range wrapped(s.p.Title, 60, 3) {
		y += 22
		s.text("t", "start", margin, y, line, "")
	}
	y += 8
	x := float64(margin)
	if len(s.p.Series) > 1 {
		y += lineHeight
		for i, series := range s.p.Series {
			name := fitted(series.Name, 40)
			width := 40 + textWidth(name)*narrow + 12
			if x+width > svgWidth-margin && x > margin {
				x, y = margin, y+lineHeight
			}
			fmt.Fprintf(&s.b, `<g class="s%d">`, i)
			if s.p.Kind == Line || s.p.Kind == Area {
				s.line("l", x, y-4, x+32, y-4)
			}
			s.dot(i, x+16, y-4)
			s.b.WriteString("</g>")
			s.text("", "start", x+40, y, name, "")
			x += width
		}
	}
	if s.p.cells() {
		y += lineHeight
		s.shades(y)
	}
	s.top = y + 12
	if s.p.Y.Label != "" {
		s.top += lineHeight
	}
}

// shades writes what the shades of cells stand for.
func (s *svg) shades(y float64) {
	label := fitted(s.p.Colour, 60)
	s.text("", "start", margin, y, label, "")
	x := margin + textWidth(label)*narrow + 10
	low, high := number6(s.p.From), number6(s.p.To)
	s.text("", "start", x, y, low, "")
	x += textWidth(low)*narrow + 8
	class := "h"
	if len(s.p.Series) > 1 {
		class = "f q"
	}
	for i := range shadeCount {
		fmt.Fprintf(&s.b, `<path class="%s%d" d="M%s %sh16v12h-16z"/>`, class, i, px(x), px(y-10))
		x += 16
	}
	s.text("", "start", x+8, y, high, "")
}

// yAxis writes the grid with its labels, and places the plot beside them.
func (s *svg) yAxis() {
	a := &s.p.Y
	s.bottom, s.right = s.top+plotHeight, svgWidth-margin
	ticks := a.ticks(6)
	if a.Scale == nameScale {
		ticks = a.nameTicks(plotHeight / 14)
	}
	widest := 0.0
	for i := range ticks {
		ticks[i].label = fitted(strings.ReplaceAll(ticks[i].label, "\n", " "), 24)
		widest = max(widest, textWidth(ticks[i].label))
	}
	s.left = max(64, margin+widest+10)
	if a.Label != "" {
		s.text("n", "start", margin, s.top-12, fitted(a.Label, 120), "")
	}
	for i, t := range ticks {
		y := s.y(t.value)
		if a.Scale != nameScale {
			s.line("g", s.left, y, s.right, y)
		}
		s.text(tickClass(i), "end", s.left-8, y+4, t.label, "")
	}
}

// tickClass is the class of a tick's label; narrow screens show every second one.
func tickClass(i int) string { return [...]string{"k", "k o"}[i%2] }

// nameTicks returns ticks for the names, or every nth, so that there are at most so many.
func (a *Axis) nameTicks(most int) (ticks []tick) {
	every := (len(a.Names) + most - 1) / max(most, 1)
	for i := 0; i < len(a.Names); i += max(every, 1) {
		ticks = append(ticks, tick{float64(i * a.Stride), a.Names[i]})
	}
	return ticks
}

// xAxis writes the labels below the plot, and its own.
func (s *svg) xAxis() {
	a := &s.p.X
	end := s.bottom + 22
	if a.Scale == nameScale {
		end = s.nameLabels()
	} else {
		lines := 1
		for i, t := range a.ticks(8) {
			x := s.x(t.value)
			s.line("a", x, s.bottom, x, s.bottom+5)
			for n, text := range strings.Split(t.label, "\n") {
				at, anchor := x, "middle"
				if x+textWidth(text)*narrow/2 > svgWidth-4 {
					at, anchor = svgWidth-4, "end"
				}
				s.text(tickClass(i), anchor, at, s.bottom+20+float64(n)*15, text, "")
				lines = max(lines, n+1)
			}
		}
		end += float64(lines-1) * 15
	}
	label := a.Label
	if a.Zone != "" {
		label += ", " + a.Zone
	}
	s.text("n", "middle", (s.left+s.right)/2, end+14, fitted(label, 100), "")
	s.line("a", s.left, s.bottom, s.right, s.bottom)
	s.below = end + 14
}

// nameLabels writes names below the plot: side by side if there is room, else rotated, else every
// nth. It returns where they end.
func (s *svg) nameLabels() (end float64) {
	a := &s.p.X
	slot := (s.right - s.left) / float64(max(a.Places, 1))
	widest := 0.0
	for _, name := range a.Names {
		widest = max(widest, textWidth(fitted(name, 24)))
	}
	if widest+8 <= slot*float64(max(a.Stride, 1)) {
		for i, t := range a.nameTicks(len(a.Names)) {
			s.text(tickClass(i), "middle", s.x(t.value), s.bottom+20, fitted(t.label, 24), "")
		}
		return s.bottom + 22
	}
	for i, t := range a.nameTicks(int((s.right - s.left) / 17)) {
		x, y := s.x(t.value), s.bottom+12
		s.text([...]string{"r", "r o"}[i%2], "end", x+4, y, fitted(t.label, 24), fmt.Sprintf(` transform="rotate(-45 %s %s)"`, px(x+4), px(y)))
	}
	return s.bottom + 16 + widest*0.72
}

func (s *svg) x(v float64) float64 { return s.left + s.p.X.at(v)*(s.right-s.left) }

// y returns the height of a value; the first name is at the top.
func (s *svg) y(v float64) float64 {
	if s.p.Y.Scale == nameScale {
		return s.top + s.p.Y.at(v)*(s.bottom-s.top)
	}
	return s.bottom - s.p.Y.at(v)*(s.bottom-s.top)
}

// baseline writes the line of zero, if it is inside of the plot.
func (s *svg) baseline() {
	if a := &s.p.Y; a.Scale == numberScale && a.Low < 0 && a.High > 0 && !s.p.cells() {
		s.line("a", s.left, s.y(0), s.right, s.y(0))
	}
}

// footer writes the notes and returns where the picture ends.
func (s *svg) footer() float64 {
	y := s.below + 6
	for _, note := range s.p.Notes {
		for _, line := range wrapped(note, 120, 3) {
			y += lineHeight
			s.text("n", "start", margin, y, line, "")
		}
	}
	return y + 14
}

// series writes the marks of a series; the picture has n in all.
func (s *svg) series(i, n int) {
	fmt.Fprintf(&s.b, `<g class="s%d">`, i)
	for _, run := range s.p.Series[i].Runs {
		if (s.p.Kind == Line || s.p.Kind == Area) && len(run) > 1 {
			s.path(run)
			if n > mostDots*len(s.p.Series) {
				continue
			}
		}
		for _, m := range run {
			s.mark(i, m)
		}
	}
	s.b.WriteString("</g>")
}

// path writes a line, and the area below it.
func (s *svg) path(run []Mark) {
	var d strings.Builder
	for i, m := range run {
		d.WriteString([...]string{"L", "M"}[btoi(i == 0)] + px(s.x(m.X)) + " " + px(s.y(m.Y)))
	}
	if s.p.Kind == Area {
		fmt.Fprintf(&s.b, `<path class="w" d="%sL%s %[4]sL%[3]s %[4]sz"/>`, d.String(), px(s.x(run[len(run)-1].X)), px(s.x(run[0].X)), px(s.y(0)))
	}
	fmt.Fprintf(&s.b, `<path class="l" d="%s"/>`, d.String())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mark writes a dot, a bar or a cell with its tooltip.
func (s *svg) mark(i int, m Mark) {
	if s.tips {
		s.b.WriteString("<g>")
		defer s.b.WriteString("</g>")
		fmt.Fprintf(&s.b, "<title>%s</title>", escape(s.p.tip(i, m)))
	}
	if !s.p.extended() {
		s.dot(i, s.x(m.X), s.y(m.Y))
		return
	}
	from, to := s.p.slot(i, m)
	x, x1, y, y1 := s.x(from), s.x(to), s.y(m.Y), s.y(m.Y1)
	if thin := 1.0; x1-x < thin {
		x, x1 = (x+x1-thin)/2, (x+x1+thin)/2
	}
	class := "f"
	switch {
	case s.p.cells() && len(s.p.Series) > 1:
		class = "f q" + strconv.Itoa(s.p.shade(m.Value, shadeCount))
	case s.p.cells():
		class = "h" + strconv.Itoa(s.p.shade(m.Value, shadeCount))
	case s.p.Kind == Histogram && x1-x > 3:
		x1-- // a gap between the bars
	}
	fmt.Fprintf(&s.b, `<path class="%s" d="M%s %sH%sV%sH%sz"/>`, class, px(x), px(y), px(x1), px(y1), px(x))
}

// tip is a mark's tooltip.
func (p *Picture) tip(series int, m Mark) string {
	value := m.Y
	if p.cells() {
		value = m.Value
	}
	text := p.where(&m) + ": " + number6(value)
	if name := p.Series[series].Name; name != "" {
		text = name + ", " + text
	}
	return text
}

// shade returns the shade of a cell, of n.
func (p *Picture) shade(value float64, n int) int {
	part := (value/2 - p.From/2) / (p.To/2 - p.From/2)
	if p.Kind == Scatter {
		part = math.Log(value) / math.Log(p.To)
	}
	if math.IsNaN(part) {
		return n - 1
	}
	return min(n-1, max(0, int(part*float64(n))))
}

// dots are the forms of points by series, each around 0, 0.
var dots = [maxSeries]string{
	"m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z", "m-3 -3h6v6h-6z", "m0 -4.5l4.5 7.5h-9z", "m0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
	"m0 4.5l4.5 -7.5h-9z", "m-4.5 -1.2h3.3v-3.3h2.4v3.3h3.3v2.4h-3.3v3.3h-2.4v-3.3h-3.3z", "m-2.5 -4.5h5v9h-5z", "m-4.5 -2.5h9v5h-9z",
}

// dot writes the point of a series.
func (s *svg) dot(i int, x, y float64) {
	fmt.Fprintf(&s.b, `<path class="f" d="M%s %s%s"/>`, px(x), px(y), dots[i%maxSeries])
}

func textWidth(text string) float64 { return float64(uniseg.StringWidth(text)) * columnWidth }

// fitted cuts a text with an ellipsis to a number of columns.
func fitted(text string, columns int) string {
	if uniseg.StringWidth(text) <= columns {
		return text
	}
	var b strings.Builder
	width := 1
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if width += g.Width(); width > columns {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// wrapped breaks a text into at most so many lines.
func wrapped(text string, columns, most int) (lines []string) {
	line := ""
	words := strings.Fields(text)
	for i, word := range words {
		longer := strings.TrimSpace(line + " " + word)
		switch {
		case line == "" || uniseg.StringWidth(longer) <= columns:
			line = longer
		case len(lines) == most-1:
			return append(lines, fitted(line+" "+strings.Join(words[i:], " "), columns))
		default:
			lines, line = append(lines, fitted(line, columns)), word
		}
	}
	if line != "" {
		lines = append(lines, fitted(line, columns))
	}
	return lines
}
