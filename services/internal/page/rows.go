package page

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
)

const (
	// maxFilters bounds the filters of a page of rows, pageRows is how many rows it has.
	maxFilters, pageRows = 20, 50
	// downloadRows is the most rows of a download, and countTime how long rows are counted.
	downloadRows, countTime = 100_000, "2s"
)

// rowsPage is the page at /datasets/NAME/rows.
type rowsPage struct {
	datasetView

	Filters   []filter
	Operators []operator
	Columns   []rowColumn
	Sort, Dir string
	Rows      []rowLine
	// Next and First are the links to the next page and to the first; empty if there is none, or this is it.
	Next, First string
	// Count is how many rows match; empty if it is not known.
	Count string
	// Many: more rows match than a download has.
	Many      bool
	Downloads []choice
	// Fault is why there are no rows.
	Fault string
}

// rowColumn is a column of the table.
type rowColumn struct {
	Name string
	Kind column.Kind
	// Link sorts by it; Order is ascending, descending or none.
	Link, Order string
}

// rowLine is a row of the table. Link is the page of its event, empty if it has neither a key nor an entry.
type rowLine struct {
	Cells          []cell
	Link, LinkText string
}

// operator compares a column with a value.
type operator struct{ Name, Text string }

// filter is a condition as it was asked for.
type filter struct {
	Column, Operator, Value string
	Fault                   string
}

// The operators of filters, with the SQL of each; that of a comparison lacks the value.
var filterSQL = map[string]string{
	"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "contains": "", "null": "IS NULL", "notnull": "IS NOT NULL",
}

func operatorsOf(v view) []operator {
	return []operator{
		{"eq", "="},
		{"ne", "≠"},
		{"lt", "<"},
		{"le", "≤"},
		{"gt", ">"},
		{"ge", "≥"},
		{"contains", v.T("contains")},
		{"null", v.T("is null")},
		{"notnull", v.T("is not null")},
	}
}

// systemColumns are those of the pipeline that rows are shown with, after the contract's.
var systemColumns = []rowColumn{
	{Name: "_ingested_at", Kind: column.TimestampTZ},
	{Name: "_shard", Kind: column.Integer},
	{Name: "_stream_ms", Kind: column.BigInt},
	{Name: "_stream_seq", Kind: column.BigInt},
	{Name: "_line", Kind: column.BigInt},
}

func columnsOf(c *contract.Contract) []rowColumn {
	all := make([]rowColumn, 0, len(c.Columns)+len(systemColumns))
	for _, k := range c.Columns {
		all = append(all, rowColumn{Name: k.Name, Kind: k.Type})
	}
	return append(all, systemColumns...)
}

// selection is what a page of rows asks for.
type selection struct {
	params, where []string
	query         url.Values
}

// and adds a condition on a column. The value is a parameter, never SQL.
func (s *selection) and(c rowColumn, operator, value string) error {
	name, kind := sqlName(c.Name), c.Kind
	switch operator {
	case "null", "notnull":
		s.where = append(s.where, name+" "+filterSQL[operator])
		return nil
	case "contains":
		kind = column.Varchar
	default:
	}
	if kind == column.TimestampTZ && contract.IsScalar(column.Date, []byte(value)) {
		value += "T00:00:00Z"
	}
	typed := "string"
	switch kind {
	case column.TimestampTZ:
		typed = "date-time"
	case column.Date:
		typed = "date"
	case column.UUID:
		typed = "uuid"
	case column.Boolean:
		typed = "boolean"
	case column.Double:
		typed = "number"
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		typed = "integer"
	default: // text, and JSON as text
	}
	scalar, _ := contract.ScalarType(typed)
	if _, err := contract.ParseScalar(scalar, value); err != nil {
		return err
	}
	param := "p" + strconv.Itoa(len(s.params))
	s.params = append(s.params, "-- param: "+param+" "+typed+" required\n")
	if s.query == nil {
		s.query = url.Values{}
	}
	s.query.Set(param, value)
	switch {
	case operator == "contains":
		s.where = append(s.where, "contains(CAST("+name+" AS VARCHAR), $"+param+")")
	case c.Kind == column.JSON:
		s.where = append(s.where, "CAST("+name+" AS VARCHAR) "+filterSQL[operator]+" $"+param)
	default:
		s.where = append(s.where, name+" "+filterSQL[operator]+" $"+param)
	}
	return nil
}

// file returns an endpoint's text with further lines of the header and the statement's parts.
func (s *selection) file(c *contract.Contract, header, what, tail string) string {
	where := ""
	if len(s.where) > 0 {
		where = "\nWHERE " + strings.Join(s.where, "\n  AND ")
	}
	return "-- Rows.\n" + strings.Join(s.params, "") + header + "SELECT " + what + " FROM " + sqlName(c.Name) + where + tail
}

// with returns the selection's parameters with others.
func (s *selection) with(pairs ...string) url.Values {
	query := url.Values{}
	maps.Copy(query, s.query)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	return query
}

func namesOf(columns []rowColumn) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = sqlName(c.Name)
	}
	return strings.Join(names, ", ")
}

// shownOf are the columns as a page shows them: JSON as text, by which pages can be sorted.
func shownOf(columns []rowColumn) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		if names[i] = sqlName(c.Name); c.Kind == column.JSON {
			names[i] = "CAST(" + names[i] + " AS VARCHAR) AS " + names[i]
		}
	}
	return strings.Join(names, ", ")
}

// filtersOf reads the filters of the query: parameters column, op and value, the nth of each together. ok is false if
// one is wrong; it says so.
func filtersOf(v view, query url.Values, columns []rowColumn) (s *selection, all []filter, ok bool) {
	s, ok = &selection{}, true
	at := func(name string, i int) string {
		if values := query[name]; i < len(values) {
			return values[i]
		}
		return ""
	}
	for i := range max(len(query["column"]), len(query["op"]), len(query["value"])) {
		f := filter{Column: at("column", i), Operator: at("op", i), Value: at("value", i)}
		if f.Operator == "" {
			f.Operator = "eq"
		}
		if f.Column == "" && f.Value == "" {
			continue
		}
		n := slices.IndexFunc(columns, func(c rowColumn) bool { return c.Name == f.Column })
		_, known := filterSQL[f.Operator]
		switch {
		case len(all) == maxFilters:
			f.Fault = fmt.Sprintf(v.T("There can be %d filters."), maxFilters)
			return s, append(all, f), false
		case f.Column == "":
			f.Fault = v.T("Choose the column to compare with it.")
		case n < 0:
			f.Fault = v.T("There is no such column.")
		case !known:
			f.Fault = v.T("There is no such condition.")
		default:
			if err := s.and(columns[n], f.Operator, f.Value); err != nil {
				f.Fault = fmt.Sprintf(v.T("The value %s."), err.Error())
			}
		}
		ok = ok && f.Fault == ""
		all = append(all, f)
	}
	return s, all, ok
}

// rows answers with the rows of a dataset: a page of them, or a download.
func (s *Server) rows(r *request, d datasetView) error {
	c, columns := d.Contract, columnsOf(d.Contract)
	p := rowsPage{datasetView: d, Operators: operatorsOf(d.view), Sort: r.query.Get("sort"), Dir: r.query.Get("dir")}
	chosen, filters, ok := filtersOf(d.view, r.query, columns)
	p.Filters = filters
	status := http.StatusOK
	switch {
	case !ok:
		status = http.StatusBadRequest
	case p.Sort != "" && !slices.ContainsFunc(columns, func(c rowColumn) bool { return c.Name == p.Sort }), p.Dir != "" && p.Dir != "asc" && p.Dir != "desc":
		status, p.Fault, p.Sort, p.Dir = http.StatusBadRequest, d.T("It can't be sorted by that."), "", ""
	}
	order := orderOf(c, p.Sort, p.Dir)
	if format := r.query.Get("format"); format != "" && status == http.StatusOK {
		return r.download(d, chosen, columns, order, format)
	}
	p.Filters = append(p.Filters, filter{})
	p.Columns = p.sortable(r, columns)
	if status == http.StatusOK {
		p.fill(r, chosen, columns, order)
		if p.Fault != "" {
			status = http.StatusBadRequest
		}
	}
	return r.render(status, "rows", p)
}

// orderOf is the order of rows: by the column or, without one, newest first; equal ones by when they came.
func orderOf(c *contract.Contract, sort, dir string) string {
	var all []string
	switch {
	case sort != "":
		all = append(all, strings.TrimSpace(sort+" "+dir))
	case c.Time >= 0:
		all = append(all, c.Columns[c.Time].Name+" desc")
	default:
		all = append(all, "_ingested_at desc")
	}
	for _, last := range []string{"_stream_ms", "_stream_seq", "_line"} {
		if sort != last {
			all = append(all, last+" desc")
		}
	}
	return strings.Join(all, ", ")
}

// sqlOrder quotes the names of an order, whose NULLs come last as on pages.
func sqlOrder(order string) string {
	terms := strings.Split(order, ", ")
	for i, term := range terms {
		name, dir, _ := strings.Cut(term, " ")
		terms[i] = strings.TrimSpace(sqlName(name)+" "+dir) + " NULLS LAST"
	}
	return strings.Join(terms, ", ")
}

func (r *request) download(d datasetView, chosen *selection, columns []rowColumn, order, format string) error {
	if !slices.Contains(downloadFormats, format) {
		return r.problem(http.StatusBadRequest, "There is no such format.")
	}
	if n, err := r.countRows(d.Contract, chosen, "10s"); err == nil && n > downloadRows { // the API would say so in JSON
		return r.problem(http.StatusBadRequest, "More rows match than the 100,000 of a download: filter them first.")
	}
	r.c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+d.Dataset+"."+format+`"`)
	file := chosen.file(d.Contract, fmt.Sprintf("-- limit: rows=%d time=60s\n", downloadRows), namesOf(columns), "\nORDER BY "+sqlOrder(order))
	err := r.Send(file, chosen.with("format", format))
	if err != nil {
		r.c.Response().Header.Del(fiber.HeaderContentDisposition)
	}
	return err
}

// linkWith is the page's URL with other values of some parameters, from its first page on.
func (p *rowsPage) linkWith(r *request, pairs ...string) string {
	query := url.Values{}
	for name, values := range r.query {
		if name != "cursor" && name != "format" {
			query[name] = values
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return target(pathTo("/datasets", p.Dataset, "rows"), query)
}

// sortable gives the columns that are shown their links: those of the entry are one, which is the last.
func (p *rowsPage) sortable(r *request, columns []rowColumn) []rowColumn {
	all := slices.Clone(columns)
	for i := range all {
		c := &all[i]
		dir := "asc"
		if p.Sort == c.Name {
			if c.Order = "ascending"; p.Dir == "desc" {
				c.Order = "descending"
			} else {
				dir = "desc"
			}
		}
		c.Link = p.linkWith(r, "sort", c.Name, "dir", dir)
	}
	return all
}

// fill asks for the rows and their number.
func (p *rowsPage) fill(r *request, chosen *selection, columns []rowColumn, order string) {
	c := p.Contract
	for _, format := range downloadFormats {
		p.Downloads = append(p.Downloads, choice{Text: format, Link: p.linkWith(r, "format", format)})
	}
	cursor := r.query.Get("cursor")
	if cursor != "" {
		p.First = p.linkWith(r)
	}
	page, err := r.askRows(chosen.file(c, "-- order: "+order+"\n-- limit: time=10s\n", shownOf(columns), ""), chosen.with("limit", strconv.Itoa(pageRows), "cursor", cursor))
	if err != nil {
		p.Fault = err.Error()
		return
	}
	for i := range page.Rows {
		p.Rows = append(p.Rows, newRowLine(p.view, c, page, i))
	}
	if page.Next != "" {
		p.Next = p.linkWith(r, "cursor", page.Next)
	}
	if n, err := r.countRows(c, chosen, countTime); err == nil {
		p.Count, p.Many = p.Number(n), n > downloadRows
	}
}

// countRows counts the rows that are chosen, within the time.
func (r *request) countRows(c *contract.Contract, chosen *selection, within string) (int64, error) {
	counted, err := r.askRows(chosen.file(c, "-- limit: time="+within+"\n", "count(*)", ""), chosen.query)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(counted.Rows[0][0]), 10, 64)
}

func newRowLine(v view, c *contract.Contract, page *rowsAnswer, row int) (l rowLine) {
	for _, value := range page.Rows[row] {
		l.Cells = append(l.Cells, newCell(value))
	}
	texts := page.texts(row)
	if len(c.Key) > 0 {
		parts := make([]string, len(c.Key))
		for i, k := range c.Key {
			parts[i] = texts[k]
		}
		l.LinkText = contract.KeyText(parts)
	} else if at := len(c.Columns) + 2; texts[at+1] != "" {
		l.LinkText = texts[at] + "-" + texts[at+1]
	}
	if l.LinkText != "" {
		l.Link = v.Link(pathTo("/datasets", c.Name, "event"), "key", l.LinkText)
	}
	return l
}
