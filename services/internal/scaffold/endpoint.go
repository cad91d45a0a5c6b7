package scaffold

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/inference"
)

// Endpoint is a file of endpoints/, and the requests that test it.
type Endpoint struct {
	Name, SQL string
	Cases     []endpoint.Case
}

const (
	// maxFilters is how many columns an answer can be filtered by, maxMeasures how many are summed.
	maxFilters, maxMeasures = 5, 4
	// maxSelected is how many columns a SELECT names: more are *.
	maxSelected = 60
)

// endpoints are those worth having: rows, a row, rows and measures by group, and over time.
func (s *Survey) endpoints(e *events) []Endpoint {
	all := []Endpoint{s.latest(e)}
	if len(s.keyNames()) > 0 {
		all = append(all, s.row(e))
	}
	all = append(all, s.summary())
	if s.Time >= 0 {
		all = append(all, s.series(e))
	}
	return all
}

// file writes the SQL of an endpoint.
type file struct {
	header, params, where []string
	taken                 map[string]bool
}

func (s *Survey) newFile(header ...string) *file {
	return &file{header: header, taken: map[string]bool{"limit": true, "cursor": true, "format": true, "since": true, "until": true, "by": true, "every": true}}
}

// param declares a parameter for a column and returns its name.
func (f *file) param(column, kind, attributes, about string) string {
	param := column
	if f.taken[param] || strings.HasPrefix(param, "cursor_") {
		param = "with_" + strings.TrimPrefix(param, "cursor_")
	}
	for f.taken[param] {
		param += "_"
	}
	f.taken[param] = true
	f.params = append(f.params, strings.Join(slices.DeleteFunc([]string{param, kind, attributes, "-- " + about}, func(t string) bool { return t == "" }), " "))
	return param
}

// filter adds an optional parameter that rows must equal.
func (f *file) filter(c *inference.Column, example string) string {
	param := f.param(c.Property, kindOf(c), exampleOf(example), "only rows with this "+c.Property)
	f.where = append(f.where, fmt.Sprintf("($%[1]s IS NULL OR %[2]s = $%[1]s)", param, name(c.Property)))
	return param
}

// times adds the parameters since and until.
func (s *Survey) times(f *file) {
	if s.Time < 0 {
		return
	}
	c := &s.Columns[s.Time]
	f.params = append(f.params, "since "+c.Format+" -- only rows at or after it, by "+c.Property, "until "+c.Format+" -- only rows before it")
	f.where = append(f.where, fmt.Sprintf("($since IS NULL OR %s >= $since)", name(c.Property)), fmt.Sprintf("($until IS NULL OR %s < $until)", name(c.Property)))
}

// text returns the file with the directives and the SELECT.
func (f *file) text(directives []string, sql string) string {
	var b strings.Builder
	for _, line := range f.header {
		b.WriteString("-- " + line + "\n")
	}
	b.WriteString("--\n")
	for _, p := range f.params {
		b.WriteString("-- param: " + p + "\n")
	}
	for _, d := range directives {
		b.WriteString("-- " + d + "\n")
	}
	where := ""
	if len(f.where) > 0 {
		where = "\nWHERE " + strings.Join(f.where, "\n  AND ")
	}
	return b.String() + strings.NewReplacer("{where}", where, "{nested}", strings.ReplaceAll(where, "\n", "\n    ")).Replace(sql)
}

// kindOf is the type of a parameter for the column.
func kindOf(c *inference.Column) string {
	if c.Format != "" {
		return c.Format
	}
	return c.Type
}

// exampleOf is the attribute of a parameter, empty for a text that no header can have.
func exampleOf(text string) string {
	if text == "" || len(text) > 100 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufeff' || r == '\u2028' || r == '\u2029' }) {
		return ""
	}
	return `example="` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

// selected are the columns of an answer with whole rows.
func (s *Survey) selected() string {
	names := make([]string, 0, len(s.Columns)+1)
	for i := range s.Columns {
		names = append(names, name(s.Columns[i].Property))
	}
	if s.madeKey() {
		names = append(names, s.keyName())
	}
	if len(names) > maxSelected {
		return "*"
	}
	return "\n    " + strings.Join(names, ",\n    ")
}

func spaced(selected string) string {
	if selected == "*" {
		return "SELECT *"
	}
	return "SELECT" + selected
}

// latest is the endpoint of rows, the newest first, or in the order of the key.
func (s *Survey) latest(e *events) Endpoint {
	order, header, title := []string{}, []string{"Rows of " + s.Name + ", in the order of their key."}, "rows"
	if s.Time >= 0 {
		title, header = "latest", []string{"Newest rows of " + s.Name + ".", "By " + s.Columns[s.Time].Property + ", newest first."}
		order = append(order, s.Columns[s.Time].Property+" desc")
	}
	for _, key := range s.keyNames() {
		switch {
		case s.Time < 0:
			order = append(order, key)
		case key != s.Columns[s.Time].Property:
			order = append(order, key+" desc")
		}
	}
	if len(order) == 0 {
		header, order = []string{"Rows of " + s.Name + "."}, []string{s.Columns[0].Property}
	}
	f := s.newFile(header...)
	s.times(f)
	cases := []endpoint.Case{{Name: "the first page"}}
	for i, at := range s.categories() {
		c := &s.Columns[at]
		param := f.filter(c, e.first[c.Property])
		if value, ok := e.first[c.Property]; ok && i == 0 {
			cases = append(cases, endpoint.Case{Name: "by " + c.Property, Params: map[string]string{param: value, "limit": "2"}})
		}
	}
	if s.Time >= 0 {
		cases = append(cases, endpoint.Case{Name: "before all", Params: map[string]string{"until": e.from}})
	}
	return Endpoint{title, f.text([]string{"order: " + strings.Join(order, ", "), "cache: 2s"}, spaced(s.selected())+"\nFROM "+name(s.Name)+"{where}\n"), cases}
}

// row is the endpoint of one row.
func (s *Survey) row(e *events) Endpoint {
	f := s.newFile("A row of "+s.Name+", by its key.", "Without such a row the answer is empty.")
	params := map[string]string{}
	for i, key := range s.keyNames() {
		kind := "string"
		if !s.madeKey() {
			kind = kindOf(&s.Columns[s.Key.Columns[i]])
		}
		example := exampleOf(e.first[key])
		if example == "" {
			example = "example=none"
		}
		param := f.param(key, kind, "required "+example, "the "+key+" of the row")
		f.where = append(f.where, fmt.Sprintf("%s = $%s", name(key), param))
		params[param] = e.first[key]
	}
	cases := []endpoint.Case{{Name: "a row of the sample", Params: params}, {Name: "without its key", Status: 400}}
	return Endpoint{"row", f.text([]string{"cache: 2s"}, spaced(s.selected())+"\nFROM "+name(s.Name)+"{where}\n"), cases}
}

// measured are the columns of sums and averages: their names, their SQL, their documentation.
func (s *Survey) measured() (names, columns, documented []string) {
	for i, c := range s.Columns {
		if len(columns) == 2*maxMeasures || !s.isMeasure(i) {
			continue
		}
		digits := ", 4)"
		if c.Low <= c.High && max(c.High, -c.Low) < 1 {
			digits = ", 8)"
		}
		total := "sum(" + name(c.Property) + ")"
		if c.Type == "number" {
			total = "round(" + total + digits
		}
		names = append(names, "total_"+c.Property, "average_"+c.Property)
		documented = append(documented, "column: total_"+c.Property+" -- Sum of "+c.Property+".", "column: average_"+c.Property+" -- Mean of "+c.Property+", of the rows that have it.")
		columns = append(columns, total+" AS total_"+c.Property, "round(avg("+name(c.Property)+")"+digits+" AS average_"+c.Property)
	}
	return names, columns, append([]string{"column: rows -- How many rows there are."}, documented...)
}

func (s *Survey) isMeasure(at int) bool {
	c := &s.Columns[at]
	return (c.Type == "number" || c.Type == "integer") && !s.isKey(at) && !inference.IsID(c.Property) && !inference.IsPeriod(c.Property) && len(c.Property) < 55
}

// summary is the endpoint of rows and measures by group.
func (s *Survey) summary() Endpoint {
	categories := s.categories()
	names, columns, documented := s.measured()
	if len(categories) == 0 {
		f := s.newFile("Rows and measures of " + s.Name + " as a whole.")
		s.times(f)
		return Endpoint{"summary", f.text(append(documented, "cache: 5s"), "SELECT\n    "+strings.Join(append([]string{"count(*) AS rows"}, columns...), ",\n    ")+"\nFROM "+name(s.Name)+"{where}\n"), []endpoint.Case{{Name: "all"}}}
	}
	var groups, branches []string
	for _, at := range categories {
		c := &s.Columns[at]
		groups = append(groups, c.Property)
		branches = append(branches, fmt.Sprintf("\n            WHEN '%s' THEN CAST(%s AS VARCHAR)", c.Property, name(c.Property)))
	}
	f := s.newFile("Rows and measures of "+s.Name+" by "+groups[0]+alternatives(groups[1:])+".", "The groups with the most rows first; rows without a value are a group without a name.")
	f.params = append(f.params, fmt.Sprintf("by string default=%s enum=%s -- what to group by", groups[0], strings.Join(groups, ",")))
	s.times(f)
	grouped := strings.Join(append([]string{"count(*) AS rows"}, columns...), ",\n        ")
	chosen := strings.Join(append([]string{"row_number() OVER (ORDER BY rows DESC, name) AS rank", "name", "rows"}, names...), ",\n    ")
	sql := "WITH grouped AS (\n    SELECT\n        CASE $by" + strings.Join(branches, "") + "\n        END AS name,\n        " + grouped + "\n    FROM " + name(s.Name) +
		"{nested}\n    GROUP BY ALL\n)\n\nSELECT\n    " + chosen + "\nFROM grouped\n"
	cases := []endpoint.Case{{Name: "by " + groups[0]}, {Name: "what is no group", Params: map[string]string{"by": "nothing"}, Status: 400}}
	for _, g := range groups[1:] {
		cases = append(cases, endpoint.Case{Name: "by " + g, Params: map[string]string{"by": g}})
	}
	return Endpoint{"summary", f.text(append(documented, "column: rank -- Place of the group in the order.", "column: name -- The value that the rows of the group have in common.",
		"order: rank", "cache: 5s", "chart: bar x=name y=rows"), sql), cases}
}

func alternatives(more []string) string {
	if len(more) == 0 {
		return ""
	}
	before := ""
	if len(more) > 1 {
		before = ", " + strings.Join(more[:len(more)-1], ", ")
	}
	return before + " or " + more[len(more)-1]
}

// series is the endpoint of rows and measures over time.
func (s *Survey) series(e *events) Endpoint {
	c := &s.Columns[s.Time]
	every := period(e.from, e.to)
	units, truncated := "hour,day,week,month,quarter,year", "date_trunc($every, "+name(c.Property)+")"
	if c.Format == "date" {
		units, truncated = strings.TrimPrefix(units, "hour,"), "CAST("+truncated+" AS DATE)"
		if every == "hour" {
			every = "day"
		}
	}
	f := s.newFile("Rows and measures of "+s.Name+" over time.", "By "+c.Property+"; a period without rows is left out. Periods are of UTC.")
	f.params = append(f.params, fmt.Sprintf("every string default=%s enum=%s -- how long a period is", every, units))
	s.times(f)
	for _, at := range s.categories()[:min(1, len(s.categories()))] {
		f.filter(&s.Columns[at], e.first[s.Columns[at].Property])
	}
	_, columns, documented := s.measured()
	sql := "SELECT\n    " + strings.Join(append([]string{truncated + " AS period", "count(*) AS rows"}, columns...), ",\n    ") + "\nFROM " + name(s.Name) + "{where}\nGROUP BY ALL\n"
	cases := []endpoint.Case{{Name: "by " + every}, {Name: "by year", Params: map[string]string{"every": "year"}}}
	return Endpoint{"series", f.text(append(documented, "column: period -- The first moment of the period.", "order: period", "cache: 5s", "chart: line x=period y=rows"), sql), cases}
}

// period is a length of which there are some, but not too many, between two times.
func period(from, to string) string {
	first, err1 := time.Parse(time.DateOnly, from[:min(len(from), 10)])
	last, err2 := time.Parse(time.DateOnly, to[:min(len(to), 10)])
	days := last.Sub(first).Hours() / 24
	switch {
	case err1 != nil || err2 != nil:
		return "day"
	case days < 3:
		return "hour"
	case days < 92:
		return "day"
	case days < 5*366:
		return "month"
	default:
		return "year"
	}
}

// categories are the indexes of the columns that group rows best, the best first.
func (s *Survey) categories() []int {
	type candidate struct{ at, score int }
	var all []candidate
	for at := range s.Columns {
		if score := s.category(at); score > 0 {
			all = append(all, candidate{at, score})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return b.score - a.score })
	var best []int
	for _, c := range all[:min(len(all), maxFilters)] {
		best = append(best, c.at)
	}
	return best
}

// category is how well the column groups rows, 0 if it does not.
func (s *Survey) category(at int) int {
	c := &s.Columns[at]
	alone := s.isKey(at) && len(s.Key.Columns) == 1
	var score int
	switch {
	case alone || c.Format != "" || c.Layout != inference.Plain && c.Type != "boolean" || c.Distinct == 1 || len(c.Property) > 55:
		return 0
	case c.Type == "string" && c.Repeats:
		score = 6
	case c.Type == "boolean":
		score = 3
	case c.Type == "integer" && c.Distinct > 0 && c.Distinct <= 24 && int64(c.Distinct) <= s.Rows/2 && (inference.IsPeriod(c.Property) || inference.IsID(c.Property)):
		score = 4
	default:
		return 0
	}
	if c.Distinct > 2 && c.Distinct <= 32 {
		score += 2
	} else if c.Distinct == 0 {
		score -= 2
	}
	if c.Present {
		score++
	}
	return score
}
