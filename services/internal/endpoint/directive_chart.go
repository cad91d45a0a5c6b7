package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/fault"
)

// Chart is how to draw an answer, by columns of it.
type Chart struct {
	// Kind is one of chartKinds.
	Kind string
	X    string
	// Y are several columns for as many series, or one, or none of a histogram and a heat map of
	// hours.
	Y []string
	// Series is the column whose values name the series, empty without one.
	Series string
	// Value is the column of a heat map's shades, empty to count the rows.
	Value string
}

// chartKinds are the kinds of charts, with what follows them in a header.
var chartKinds = []struct{ kind, keys string }{
	{"bar", seriesKeys},
	{"line", seriesKeys},
	{"area", seriesKeys},
	{"scatter", seriesKeys},
	{"histogram", "x=COLUMN"},
	{"heatmap", "x=COLUMN [y=COLUMN] [value=COLUMN]"},
}

const seriesKeys = "x=COLUMN y=COLUMN[,COLUMN…] [series=COLUMN]"

// maxChartColumns is the highest number of series, which is that of colours people tell apart.
const maxChartColumns = 8

// columns are all columns that the chart names.
func (c *Chart) columns() []string {
	all := append([]string{c.X}, c.Y...)
	for _, optional := range []string{c.Series, c.Value} {
		if optional != "" {
			all = append(all, optional)
		}
	}
	return all
}

var columnInKey = regexp.MustCompile(`^(x|y|series|value)=(.+)$`)

// chart parses the directive.
func (p *parser) chart(value string) {
	fields := strings.Fields(value)
	names := make([]string, len(chartKinds))
	for i, k := range chartKinds {
		names[i] = k.kind
	}
	if len(fields) == 0 {
		fields = []string{""}
	}
	kind := slices.Index(names, fields[0])
	if kind < 0 {
		p.fail(fmt.Sprintf("%q is no kind of chart%s", fields[0], fault.DidYouMean(fields[0], names)), "write "+strings.Join(names, ", ")+", and then x=COLUMN y=COLUMN")
		return
	}
	p.chartLine = p.line
	keys := chartKinds[kind].keys
	grammar := "write -- chart: " + names[kind] + " " + keys
	c := &Chart{Kind: names[kind]}
	for _, field := range fields[1:] {
		match := columnInKey.FindStringSubmatch(field)
		if match == nil || !strings.Contains(keys, match[1]+"=") {
			p.fail(fmt.Sprintf("%q is nothing that can be said of a chart of kind %s", field, c.Kind), grammar)
			return
		}
		if reason := c.set(match[1], match[2]); reason != "" {
			p.fail(reason, grammar)
			return
		}
	}
	switch {
	case c.X == "":
		p.fail("the chart has no x", grammar)
	case len(c.Y) == 0 && strings.Contains(keys, " y="):
		p.fail("the chart has no y", grammar)
	case c.Series != "" && len(c.Y) > 1:
		p.fail("the chart has several columns y and a column of series", "name one column y, or leave out series=")
	case c.Value != "" && len(c.Y) == 0:
		p.fail("the heat map has a value and no y", grammar)
	default:
		p.Chart = c
	}
}

// set sets the columns of a key. It returns what is wrong with them.
func (c *Chart) set(key, value string) (reason string) {
	names := strings.Split(value, ",")
	for i, name := range names {
		switch {
		case !columnName.MatchString(name):
			return fmt.Sprintf("%q in %s= is no name of a column", name, key)
		case slices.Contains(names[:i], name):
			return key + "= names " + name + " twice"
		case i > 0 && (key != "y" || c.Kind == "heatmap"):
			return key + "= names several columns, of which there can be one"
		case i == maxChartColumns:
			return fmt.Sprintf("y= names more than %d columns", maxChartColumns)
		}
	}
	to := map[string]*string{"x": &c.X, "series": &c.Series, "value": &c.Value}[key]
	switch {
	case key == "y" && c.Y == nil:
		c.Y = names
	case key == "y" || *to != "":
		return key + "= is given twice"
	default:
		*to = names[0]
	}
	return ""
}

var timeType = regexp.MustCompile(`^(DATE$|TIMESTAMP)`)

// checkChart checks that the chart's columns are there, and of types that can be drawn.
func (e *Endpoint) checkChart(sh *Shape) (errs []error) {
	c := e.Chart
	if c == nil {
		return nil
	}
	types := map[string]string{}
	for _, name := range c.columns() {
		column, ok := sh.column(name)
		if !ok {
			errs = append(errs, e.noColumn(e.chartLine, "chart", name, sh))
		}
		types[name] = column.Type
	}
	if errs != nil {
		return errs
	}
	wrong := func(key, name, want, fix string) {
		errs = append(errs, e.parseError(e.chartLine, fmt.Sprintf("chart draws %s=%s, whose type %s is no %s", key, name, types[name], want), fix))
	}
	const cast = "cast it to one in the SQL, or name another column"
	number := func(key, name string) {
		if t := types[name]; t == "BIGNUM" || !IsInteger(t) && !numberType.MatchString(t) {
			wrong(key, name, "number", cast)
		}
	}
	switch c.Kind {
	case "histogram":
		if !timeType.MatchString(types[c.X]) {
			number("x", c.X)
		}
	case "heatmap":
		if t := types[c.X]; len(c.Y) == 0 && (!timeType.MatchString(t) || t == "DATE") {
			wrong("x", c.X, "time of day", "name a column of type TIMESTAMP or TIMESTAMPTZ, whose hours are drawn by day, or say what is drawn with y=COLUMN")
		}
		if c.Value != "" {
			number("value", c.Value)
		}
	default:
		for _, y := range c.Y {
			number("y", y)
		}
	}
	return errs
}
