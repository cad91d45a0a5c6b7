// Package chart draws the rows of an answer: as SVG, for light and dark backgrounds, and as text for
// a terminal.
//
// The rows are aggregated as they come, in memory that depends on what can be seen and not on their
// number: more points than pixels become the lowest and the highest of each column, more dots become
// cells that are darker where there are more of them. All rows count; what is aggregated, and what has
// no number to draw, is noted on the chart.
//
//	rows -> grid (cells by series and place) -> Picture (axes, series, marks) -> SVG, JSON -> Text
//
// A Picture is all that a chart shows, in values of the data. It has a form in JSON, from which a
// terminal draws the same chart (Text).
//
// Series differ by colour and by dashes or the form of their points. The colours are told apart with
// every kind of colour blindness and have a contrast of 3:1 to their background (see the tests).
package chart
