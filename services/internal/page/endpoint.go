package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/problem"
)

// Use is how an endpoint was used since the process' start.
type Use struct {
	Requests, Errors float64
	// Median and P95 are latencies in seconds, estimated from a histogram.
	Median, P95 float64
}

// The parameters of an endpoint's page that are not the endpoint's: no parameter of an endpoint has a hyphen or a dot.
const (
	runTests = "run-tests"
	// ownLang is the endpoint's parameter lang, for lang is the page's.
	ownLang = "param.lang"
)

// shownRows is the number of rows of an answer in a page.
const shownRows = 1000

// endpointPage is the page of an endpoint.
type endpointPage struct {
	view

	Wrong    []Finding
	Dataset  string
	Endpoint *endpoint.Endpoint
	// Paragraphs are those of the description.
	Paragraphs []string
	Fields     []field
	Columns    []endpoint.Column
	// Detail is what is wrong with the request, apart from what a field says.
	Detail string
	Answer *answer
	// API is the path and query of this request, URL the whole of it.
	API, URL string
	// Chart is the picture's path, empty without one.
	Chart string
	// Formats are the downloads.
	Formats  []download
	Examples []example
	Tests    []test
	// TestLink runs the tests, if they have not run.
	TestLink string
	Used     *usedFigures
}

// field is a form's field.
type field struct {
	Name, Label, ID, Type, Value, Description, Default, Error string
	// Pattern is that of the field, in ECMAScript's syntax.
	Pattern, Min, Max, Step string
	Required, UTC           bool
	Options                 []string
}

type usedFigures struct{ Requests, Errors, Median, P95 string }

func (s *Server) endpoint(r *request) error {
	e, ok := find(r.Datasets(), r.path["dataset"], r.path["endpoint"])
	if !ok {
		return errNotFound
	}
	r.view.Title = r.path["dataset"] + "/" + e.Name
	p := endpointPage{view: r.view, Wrong: s.wrong(r), Dataset: r.path["dataset"], Endpoint: &e}
	for text := range strings.SplitSeq(e.Description, "\n\n") {
		if text != "" {
			p.Paragraphs = append(p.Paragraphs, text)
		}
	}
	path := pathTo("/v1", p.Dataset, e.Name)
	query := apiQuery(&e, r.query)
	status := http.StatusOK
	var fault problem.Problem
	if isAsked(&e, query, r.query) {
		var err error
		if status, p.Answer, fault, err = r.ask(path, query); err != nil {
			return err
		}
	}
	var err error
	if p.Columns, err = r.Columns(r.c.UserContext(), p.Dataset, e.Name); err != nil {
		return err
	}
	if p.Answer != nil {
		p.Answer.document(p.Columns)
		p.Answer.next(r.view, p.Path, r.query)
	}
	p.fields(&e, r.query, fault)
	p.links(r, path, query)
	if r.Inspects() {
		if err := s.inspect(r, &p, path); err != nil {
			return err
		}
	}
	return r.render(status, "endpoint", &p)
}

// find returns the endpoint of that name.
func find(all []endpoint.Dataset, dataset, name string) (endpoint.Endpoint, bool) {
	for _, d := range all {
		for _, e := range d.Endpoints {
			if d.Name == dataset && e.Name == name {
				return e, true
			}
		}
	}
	return endpoint.Endpoint{}, false
}

// fieldName is the name of a parameter's field.
func fieldName(param string) string {
	if param == "lang" {
		return ownLang
	}
	return param
}

// apiQuery returns the API's query of a page's: a form sends its empty fields, too. What the endpoint does not take is
// left for the API to refuse.
func apiQuery(e *endpoint.Endpoint, of url.Values) url.Values {
	query := url.Values{}
	for name, values := range of {
		if name == "lang" || name == runTests || name == "format" || len(values) == 1 && values[0] == "" {
			continue
		}
		if name == ownLang {
			name = "lang"
		}
		for _, p := range e.Params {
			if p.Name == name && p.Type == "date-time" {
				values = slices.Clone(values)
				for i, v := range values {
					values[i] = instant(v)
				}
			}
		}
		query[name] = values
	}
	return query
}

// localTime is what a browser's field of a date and a time has: without a zone, and without seconds if they are 0.
var localTime = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?$`)

// instant reads a field's time as one in UTC.
func instant(text string) string {
	m := localTime.FindStringSubmatch(text)
	switch {
	case m == nil:
		return text
	case m[2] == "":
		return m[1] + ":00Z"
	default:
		return text + "Z"
	}
}

// isAsked reports whether the page has an answer: at once if nothing is required, else when the form was sent.
func isAsked(e *endpoint.Endpoint, query, sent url.Values) bool {
	return !e.NeedsParams() || len(query) > 0 || slices.ContainsFunc(e.Params, func(p endpoint.Param) bool { return sent.Has(fieldName(p.Name)) })
}

// ask returns the API's answer, or its problem.
func (r *request) ask(path string, query url.Values) (status int, a *answer, fault problem.Problem, err error) {
	asked := maps.Clone(query)
	asked.Set("format", "json")
	status, header, body, err := r.Get(target(path, asked), "")
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Status, nil, *p, nil
	}
	if err != nil {
		return 0, nil, fault, err
	}
	if status != http.StatusOK {
		if err := json.Unmarshal(body, &fault); err != nil {
			return 0, nil, fault, fmt.Errorf("read problem: %w", err)
		}
		if wait := header.Get("Retry-After"); wait != "" {
			r.c.Set("Retry-After", wait)
		}
		return status, nil, fault, nil
	}
	a, err = readAnswer(body)
	if err == nil {
		a.AsOf = header.Get("Data-As-Of")
	}
	return status, a, fault, err
}

// fields makes the form, as it was sent, with what is wrong beside its field.
func (p *endpointPage) fields(e *endpoint.Endpoint, sent url.Values, fault problem.Problem) {
	add := func(f field) {
		f.Value, f.ID = sent.Get(f.Name), "param-"+f.Label
		if f.Label == fault.Parameter {
			f.Error = fault.Detail
		}
		f.fit()
		p.Fields = append(p.Fields, f)
	}
	for _, q := range e.Params {
		f := field{
			Name: fieldName(q.Name), Label: q.Name, Type: q.Type, Description: q.Description, Required: q.Required, Options: q.Enum,
			Default: textOf(q, q.Default), Min: textOf(q, q.Minimum), Max: textOf(q, q.Maximum),
		}
		if q.Pattern != nil {
			if pattern, ok := endpoint.ECMA(q.Pattern.String()); ok {
				f.Pattern = ".*(?:" + pattern + ").*" // a field's matches the whole, the API's anywhere
			}
		}
		if q.Type == "boolean" && f.Options == nil {
			f.Options = []string{"true", "false"}
		}
		add(f)
	}
	if len(e.Order) > 0 {
		add(field{Name: "limit", Label: "limit", Type: "integer", Min: "1", Default: "100", Description: p.T("Rows of a page.")})
	}
	if fault.Detail != "" && !slices.ContainsFunc(p.Fields, func(f field) bool { return f.Error != "" }) {
		if p.Detail = fault.Title + ": " + fault.Detail; fault.Parameter != "" {
			p.Detail = fault.Parameter + ": " + p.Detail
		}
	}
}

var (
	dateText    = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)?$`)
	numberText  = regexp.MustCompile(`^(-?\d+(\.\d+)?)?$`)
	instantText = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z?)?$`)
)

// fit chooses the input of a field. A browser empties an input that can't hold its value, so that of another form is
// a text.
func (f *field) fit() {
	of := f.Type
	f.Type = "text"
	switch {
	case of == "date" && dateText.MatchString(f.Value):
		f.Type = "date"
	case of == "date-time":
		f.UTC = true
		if instantText.MatchString(f.Value) {
			f.Type, f.Step, f.Value = "datetime-local", "any", strings.TrimSuffix(f.Value, "Z")
		}
	case (of == "integer" || of == "number") && numberText.MatchString(f.Value):
		f.Type, f.Step = "number", map[string]string{"integer": "1", "number": "any"}[of]
	case of == "uuid":
		f.Pattern = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
	}
	if f.Type != "number" {
		f.Min, f.Max = "", ""
	}
	switch {
	case len(f.Options) == 0:
	case f.Value == "" && slices.Contains(f.Options, f.Default):
		f.Value = f.Default
	case f.Value == "" || !slices.Contains(f.Options, f.Value): // nothing, or shown as it was sent, with its error
		f.Options = append([]string{f.Value}, f.Options...)
	case !f.Required && f.Default == "":
		f.Options = append([]string{""}, f.Options...)
	}
}

// textOf is a parameter's value as text, empty for none.
func textOf(p endpoint.Param, value any) string {
	switch v := p.JSON(value).(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// links makes what leads to the API: for required parameters that are missing, with their examples.
func (p *endpointPage) links(r *request, path string, query url.Values) {
	query = maps.Clone(query)
	for _, q := range p.Endpoint.Params {
		if q.Required && !query.Has(q.Name) && q.Example != nil {
			query.Set(q.Name, textOf(q, q.Example))
		}
	}
	p.API = target(path, query)
	p.URL = r.base() + p.API
	p.Examples = examplesOf(r.base()+path, query, p.Guarded)
	in := func(query url.Values, format string) string {
		query = maps.Clone(query)
		query.Set("format", format)
		return target(path, query)
	}
	formats := []string{"json", "ndjson", "csv", "parquet", "arrow"}
	if p.Answer == nil {
		return
	}
	whole := maps.Clone(query) // a chart has all rows
	whole.Del("limit")
	whole.Del("cursor")
	for _, f := range formats {
		p.Formats = append(p.Formats, download{f, in(query, f), p.Endpoint.Name + "." + f})
	}
	if p.Endpoint.Chart != nil {
		p.Chart = in(whole, "svg")
		p.Formats = append(p.Formats, download{"svg", p.Chart, p.Endpoint.Name + ".svg"})
	}
}

// describing is the path of a format that describes a row.
func (p *endpointPage) describing(format string) string {
	return target(pathTo("/v1", p.Dataset, p.Endpoint.Name), url.Values{"format": {format}})
}

// Schema is the path of the JSON Schema of a row, Dictionary that of a table of the columns.
func (p *endpointPage) Schema() string     { return p.describing("schema") }
func (p *endpointPage) Dictionary() string { return p.describing("dictionary") }

// Whole writes a number of rows.
func (p *endpointPage) Whole(n int) string { return p.Number(int64(n)) }

// brief is the first sentence of a column's description, for the table's header: the whole is below.
func brief(description string) string {
	if first, _, more := strings.Cut(description, ". "); more {
		return first + ". …"
	}
	return description
}

// answer is an answer of the API as a table.
type answer struct {
	table

	// Count is the number of the answer's rows, of which at most shownRows are shown.
	Count int
	AsOf  string
	// Later is the link to the next page, First that to the first one; empty without.
	Later, First string
}

// Cut reports whether there are more rows than are shown.
func (a *answer) Cut() bool { return len(a.Rows) < a.Count }

// Shown is how many rows are shown at most.
func (a *answer) Shown() int { return len(a.Rows) }

// readAnswer reads the API's JSON.
func readAnswer(body []byte) (*answer, error) {
	t, err := newTable(body, nil)
	if err != nil {
		return nil, err
	}
	a := &answer{table: t, Count: len(t.Rows)}
	a.Label, a.Rows = "answer", t.Rows[:min(len(t.Rows), shownRows)]
	return a, nil
}

// document gives the table its header. Without rows the columns are those that the endpoint has.
func (a *answer) document(columns []endpoint.Column) {
	for _, c := range columns {
		i := slices.IndexFunc(a.Columns, func(of tableColumn) bool { return of.Name == c.Name })
		if i < 0 {
			if a.Count > 0 {
				continue
			}
			i = len(a.Columns)
			a.Columns = append(a.Columns, tableColumn{Name: c.Name})
		}
		a.Columns[i].Unit, a.Columns[i].Meaning, a.Columns[i].Number = c.Unit, brief(c.Description), isNumber(c.Type)
	}
}

// next links to the pages before and behind.
func (a *answer) next(v view, path string, sent url.Values) {
	link := func(cursor string) string {
		query := maps.Clone(sent)
		query.Del("cursor")
		query.Del(runTests)
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		if v.asked {
			query.Set("lang", string(v.Language))
		}
		return target((&url.URL{Path: path}).EscapedPath(), query)
	}
	if a.table.Next != "" {
		a.Later = link(a.table.Next)
	}
	if sent.Get("cursor") != "" {
		a.First = link("")
	}
}

// test is a case of an endpoint.
type test struct {
	Title, Params string
	// Ran and Passed are whether it has, Differences are those found.
	Ran, Passed bool
	Differences []string
}

// inspect adds what only a visit sees that inspects.
func (s *Server) inspect(r *request, p *endpointPage, path string) error {
	if s.cfg.Use != nil {
		u := s.cfg.Use(p.Dataset + "/" + p.Endpoint.Name)
		p.Used = &usedFigures{r.view.Number(int64(u.Requests)), r.view.Number(int64(u.Errors)), latency(u.Median), latency(u.P95)}
	}
	if s.cfg.Cases == nil {
		return nil
	}
	cases, wrong := s.cfg.Cases(p.Dataset, p.Endpoint)
	if wrong != nil {
		p.Wrong = append(p.Wrong, Finding{Name: r.view.T("Tests"), Found: wrong.Error(), Fix: p.Endpoint.CaseFile()})
	}
	var err error
	run := r.query.Has(runTests)
	for i := range cases {
		c := &cases[i]
		query := url.Values{}
		for name, value := range c.Params {
			query.Set(name, value)
		}
		t := test{Title: c.Title(i), Params: query.Encode(), Ran: run}
		if run {
			if t.Differences, err = r.try(path, query, c); err != nil {
				return err
			}
			t.Passed = len(t.Differences) == 0
		}
		p.Tests = append(p.Tests, t)
	}
	if len(cases) > 0 && !run {
		query := maps.Clone(r.query)
		query.Set(runTests, "1")
		p.TestLink = target((&url.URL{Path: p.Path}).EscapedPath(), query) + "#tests"
	}
	return nil
}

// try asks for a case and returns how the answer differs from what it expects.
func (r *request) try(path string, query url.Values, c *endpoint.Case) ([]string, error) {
	query.Set("format", "json")
	status, _, body, err := r.Get(target(path, query), "")
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return []string{p.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	a, err := endpoint.ReadAnswer(status, body)
	if err != nil {
		return nil, err
	}
	return c.Compare(a), nil
}

// latency writes seconds, "–" for none.
func latency(seconds float64) string {
	if seconds == 0 {
		return "–"
	}
	return strconv.FormatFloat(seconds*1000, 'f', 1, 64) + " ms"
}
