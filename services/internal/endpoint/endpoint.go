package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// Dataset is a dataset with its endpoints.
type Dataset struct {
	Name        string
	Description string
	Endpoints   []Endpoint
	// Views is the SQL of the views that the endpoints may use: CREATE VIEW statements.
	Views string
	// Tables are the dataset's reference tables; its own table has its name.
	Tables []string
	// Columns are those of its own table. They document an answer's columns that have their
	// values and name.
	Columns []contract.Column
	// System are the columns of that table that * leaves out of an answer.
	System []string
}

// Endpoint is one SQL file: a GET request and the query that answers it.
type Endpoint struct {
	// Name is the last part of its path: the file's name without ".sql".
	Name string
	// File is its path, for messages.
	File string
	// Summary is the first line of the header, Description the plain lines
	// after it; an empty comment line separates paragraphs.
	Summary, Description string
	Params               []Param
	// Columns documents columns of the answer that no contract does.
	Columns []ColumnText
	// Order is how the answer is sorted and paged; empty: no pages.
	Order []Order
	// Cache is how long an answer is fresh.
	Cache time.Duration
	// Chart is how to draw the answer; nil if the header doesn't say.
	Chart *Chart
	// Reads are the other datasets that the endpoint reads; a key needs all of them.
	Reads []string
	// Limit overrides the server's limits where it is not zero.
	Limit Limit
	// SQL is the query in the file, without the header.
	SQL string
	// Line is the file's line on which SQL begins.
	Line int

	// orderLine and chartLine are where the header names columns, readsLine datasets.
	orderLine, chartLine, readsLine int
	// castSQL is SQL with every parameter cast to its type.
	castSQL string
}

// NeedsParams reports whether a request must have a parameter.
func (e *Endpoint) NeedsParams() bool {
	return slices.ContainsFunc(e.Params, func(p Param) bool { return p.Required })
}

// Order is one column of an endpoint's order.
type Order struct {
	Column string
	Desc   bool
}

// Limit limits an endpoint's answers.
type Limit struct {
	// Rows is the highest number of rows in an answer.
	Rows int
	// Time is the query's time limit.
	Time time.Duration
}

// ParseError is an error in an endpoint file and its fix.
type ParseError struct {
	File string
	// Line and Column count from 1; 0 is the whole file, or the whole line.
	Line, Column int
	Reason, Fix  string
}

func (e *ParseError) Error() string { return fmt.Sprintf("%s: %s; %s", e.Place(), e.Reason, e.Fix) }

// Place is where it is: FILE:LINE:COLUMN.
func (e *ParseError) Place() string {
	at := e.File
	if e.Line > 0 {
		at += fmt.Sprintf(":%d", e.Line)
	}
	if e.Column > 0 {
		at += fmt.Sprintf(":%d", e.Column)
	}
	return at
}

// parseError returns an error on a line of the file; 0 is the whole file.
func (e *Endpoint) parseError(line int, reason, fix string) *ParseError {
	return &ParseError{File: e.File, Line: line, Reason: reason, Fix: fix}
}

// CastSQL returns the query as it runs: SQL with every parameter cast to its type.
func (e *Endpoint) CastSQL() string { return e.castSQL }

// Defaults returns the parameters' defaults by name.
func (e *Endpoint) Defaults() map[string]any {
	args := map[string]any{}
	for _, p := range e.Params {
		args[p.Name] = p.Default
	}
	return args
}

// volatile matches words of SQL whose value differs from query to query. A false match, in a
// string or name, costs no more than a query.
var volatile = regexp.MustCompile(`(?i)\b(now|today|age|current_\w+|get_current_\w+|localtime|localtimestamp|transaction_timestamp|random|setseed|uuid|uuidv[47]|gen_random_uuid|nextval|currval|txid_current|sample|tablesample|getvariable)\b`)

// Volatile reports whether the SQL may answer differently though the data are the same.
func Volatile(sql string) bool { return volatile.MatchString(sql) }
