package endpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Params are the parameters of a request by name, as text. In JSON a number or a boolean may stand for
// its text.
type Params map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (p *Params) UnmarshalJSON(text []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return errors.New("params must be an object")
	}
	*p = make(Params, len(raw))
	for name, value := range raw {
		var plain string
		switch err := json.Unmarshal(value, &plain); {
		case err == nil && value[0] == '"':
			(*p)[name] = plain
		case bytes.ContainsAny(value[:1], "{[n"):
			return fmt.Errorf("parameter %q must be a text, a number or a boolean, found %s", name, value)
		default:
			(*p)[name] = string(value)
		}
	}
	return nil
}

// Case is a test of an endpoint: parameters, and what of the answer is expected. At least one
// expectation is given; all that are must hold.
type Case struct {
	// Name says what the case shows.
	Name string `json:"name,omitempty"`
	// Params are the query's.
	Params Params `json:"params,omitempty"`
	// Status is the HTTP status, 200 if it is left out.
	Status int `json:"status,omitempty"`
	// Count is the number of rows, Columns are the names of the first row's columns in order,
	// First is the first row, Rows are all.
	Count   *int              `json:"count,omitempty"`
	Columns []string          `json:"columns,omitempty"`
	First   json.RawMessage   `json:"first,omitempty"`
	Rows    []json.RawMessage `json:"rows,omitempty"`
}

// CaseFile is where the endpoint's cases are: beside its SQL file.
func (e *Endpoint) CaseFile() string { return strings.TrimSuffix(e.File, ".sql") + ".test.json" }

// LoadCases reads the cases of an endpoint, a JSON array; none if it has no such file.
func (e *Endpoint) LoadCases(fsys fs.FS, dir string) ([]Case, error) {
	file := e.CaseFile()
	text, err := fs.ReadFile(fsys, strings.TrimPrefix(file, path.Clean(dir)+"/"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var cases []Case
	if err := d.Decode(&cases); err != nil {
		return nil, fmt.Errorf("%s: %w; it is an array of cases, each with params and one or more of status, count, columns, first and rows", file, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: has more after the array of cases", file)
	}
	for i, c := range cases {
		if c.Status == 0 && c.Count == nil && c.Columns == nil && c.First == nil && c.Rows == nil {
			return nil, fmt.Errorf("%s: case %s expects nothing: give one or more of status, count, columns, first and rows", file, c.Title(i))
		}
	}
	return cases, nil
}

// Title is the case's name, or its number, i from 0.
func (c *Case) Title(i int) string {
	if c.Name != "" {
		return c.Name
	}
	return fmt.Sprint(i + 1)
}

// Answer is what a case is compared with.
type Answer struct {
	Status  int
	Columns []string
	Rows    []json.RawMessage
	// Problem is why it has no rows: the problem's title and detail.
	Problem string
}

// ReadAnswer reads the body of a response, an answer as JSON or a problem.
func ReadAnswer(status int, body []byte) (Answer, error) {
	a := Answer{Status: status}
	var doc struct {
		Data          []json.RawMessage
		Title, Detail string
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return a, fmt.Errorf("read answer: %w", err)
	}
	if a.Rows = doc.Data; status != 200 {
		a.Problem = doc.Title + ": " + doc.Detail
	}
	if len(a.Rows) == 0 {
		return a, nil
	}
	var err error
	if a.Columns, _, err = Members(a.Rows[0]); err != nil {
		return a, fmt.Errorf("read answer: %w", err)
	}
	return a, nil
}

// Members are the names and values of a row of an answer, in its order.
func Members(row json.RawMessage) (names []string, values []json.RawMessage, err error) {
	d := json.NewDecoder(bytes.NewReader(row))
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		names, values = append(names, fmt.Sprint(name)), append(values, value)
	}
	return names, values, nil
}

// shownRows is how many rows that differ are shown.
const shownRows = 3

// Compare lists how the answer differs from what the case expects.
func (c *Case) Compare(a Answer) (differences []string) {
	differ := func(what string, expected, answered any) {
		differences = append(differences, fmt.Sprintf("%s: expected %v\n%s  answered %v", what, expected, strings.Repeat(" ", len(what)), answered))
	}
	if want := cmp.Or(c.Status, 200); a.Status != want {
		answered := fmt.Sprint(a.Status)
		if a.Problem != "" {
			answered += ", " + a.Problem
		}
		differ("status", want, answered)
		return differences
	}
	if c.Count != nil && *c.Count != len(a.Rows) {
		differ("count", *c.Count, len(a.Rows))
	}
	if c.Columns != nil && !slices.Equal(c.Columns, a.Columns) {
		differ("columns", strings.Join(c.Columns, ", "), strings.Join(a.Columns, ", "))
	}
	if c.First != nil && !same(c.First, row(a.Rows, 0)) {
		differ("first", string(c.First), string(row(a.Rows, 0)))
	}
	if c.Rows == nil {
		return differences
	}
	if len(c.Rows) != len(a.Rows) {
		differ("rows", len(c.Rows), len(a.Rows))
	}
	shown := 0
	for i := range max(len(c.Rows), len(a.Rows)) {
		if want, have := row(c.Rows, i), row(a.Rows, i); !same(want, have) && shown < shownRows {
			shown++
			differ(fmt.Sprintf("row %d", i+1), string(want), string(have))
		}
	}
	return differences
}

// row is the row of that index, "no row" beyond the last.
func row(rows []json.RawMessage, i int) json.RawMessage {
	if i < len(rows) {
		return rows[i]
	}
	return json.RawMessage("no row")
}

// same reports whether two values are equal, whatever the order of members: numbers by their
// digits.
func same(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	decode := func(raw json.RawMessage) (v any, err error) {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		err = d.Decode(&v)
		return v, err
	}
	x, err1 := decode(a)
	y, err2 := decode(b)
	return err1 == nil && err2 == nil && reflect.DeepEqual(x, y)
}

// Accept makes the case expect the answer: in the terms that it has, or by status, count, columns
// and first row if it has none.
func (c *Case) Accept(a Answer) {
	if c.Status = a.Status; a.Status == 200 {
		c.Status = 0
	}
	if a.Status != 200 {
		c.Count, c.Columns, c.First, c.Rows = nil, nil, nil, nil
		return
	}
	if c.Count == nil && c.Columns == nil && c.First == nil && c.Rows == nil {
		c.Count, c.Columns, c.First = new(int), []string{}, json.RawMessage("null")
	}
	if len(a.Rows) == 0 {
		c.Count, c.Columns, c.First, c.Rows = new(int), nil, nil, nil
		return
	}
	if c.Count != nil {
		c.Count = new(len(a.Rows))
	}
	if c.Columns != nil {
		c.Columns = a.Columns
	}
	if c.First != nil {
		c.First = a.Rows[0]
	}
	if c.Rows != nil {
		c.Rows = a.Rows
	}
}

// WriteCases writes cases as LoadCases reads them, a row a line.
func WriteCases(cases []Case) ([]byte, error) {
	var b bytes.Buffer
	for i := range cases {
		b.WriteString([]string{"[\n  {", ",\n  {"}[min(i, 1)])
		fields, err := cases[i].fields()
		if err != nil {
			return nil, fmt.Errorf("write cases: %w", err)
		}
		b.WriteString("\n    " + strings.Join(fields, ",\n    ") + "\n  }")
	}
	b.WriteString("\n]\n")
	return b.Bytes(), nil
}

// fields are the members of the case, as JSON.
func (c *Case) fields() ([]string, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	var fields []string
	for _, name := range []string{"name", "params", "status", "count", "columns", "first"} {
		if value, ok := all[name]; ok {
			fields = append(fields, fmt.Sprintf("%q: %s", name, value))
		}
	}
	if len(c.Rows) > 0 {
		lines := make([]string, len(c.Rows))
		for i, r := range c.Rows {
			lines[i] = string(r)
		}
		fields = append(fields, "\"rows\": [\n      "+strings.Join(lines, ",\n      ")+"\n    ]")
	}
	return fields, nil
}
