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
	// Columns are those of its own table: their documentation in the contract is also that of
	// an answer's columns of the same name and kind.
	Columns []contract.Column
	// System are columns of it that an endpoint answers with only if the SQL names them.
	System []string
}

// Endpoint is one SQL file: a GET request and the query that answers it.
type Endpoint struct {
	// Name is the last part of its path: the file's name without ".sql".
	Name string
	// File is where it was read from, for messages.
	File string
	// Summary is the first line of the header, Description the plain lines
	// after it; an empty comment line parts paragraphs.
	Summary, Description string
	Params               []Param
	// Order is how the answer is sorted and paged; empty: in one piece.
	Order []Order
	// Cache is how stale an answer may be.
	Cache time.Duration
	// Chart is how to draw the answer; nil if the header doesn't say.
	Chart *Chart
	// Reads are the other datasets that the endpoint reads; a key needs all of them.
	Reads []string
	// Limit replaces the server's limits; zero: theirs.
	Limit Limit
	// SQL is the query as it is written, without the header.
	SQL string
	// Line is the file's line on which SQL begins.
	Line int

	// orderLine and chartLine are where the header names columns, readsLine datasets.
	orderLine, chartLine, readsLine int
	// typed is SQL with every parameter cast to its type.
	typed string
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

// Limit bounds an endpoint's answers.
type Limit struct {
	// Rows is the highest number of rows in an answer.
	Rows int
	// Time is how long the query may take, waiting included.
	Time time.Duration
}

// Chart says how to draw an answer.
type Chart struct {
	// Kind is bar, line, area or scatter.
	Kind string
	// X and Y are columns of the answer.
	X, Y string
}

// ParseError is what is wrong with an endpoint file, and what to do.
type ParseError struct {
	File string
	// Line and Column count from 1; 0 is the whole file, or the whole line.
	Line, Column int
	Reason, Fix  string
}

func (e *ParseError) Error() string {
	at := e.File
	if e.Line > 0 {
		at += fmt.Sprintf(":%d", e.Line)
	}
	if e.Column > 0 {
		at += fmt.Sprintf(":%d", e.Column)
	}
	return fmt.Sprintf("%s: %s; %s", at, e.Reason, e.Fix)
}

// fault is what is wrong with the endpoint, on a line of its file; 0 is the whole file.
func (e *Endpoint) fault(line int, reason, fix string) *ParseError {
	return &ParseError{File: e.File, Line: line, Reason: reason, Fix: fix}
}

// Typed is the query as it runs: SQL with every parameter cast to its type.
func (e *Endpoint) Typed() string { return e.typed }

// Defaults are the values of the parameters, by name, when a request gives none.
func (e *Endpoint) Defaults() map[string]any {
	args := map[string]any{}
	for _, p := range e.Params {
		args[p.Name] = p.Default
	}
	return args
}

// volatile are the words of SQL whose value is another at each query. One that
// stands in a string or as a name costs a query, no more.
var volatile = regexp.MustCompile(`(?i)\b(now|today|age|current_\w+|get_current_\w+|localtime|localtimestamp|transaction_timestamp|random|setseed|uuid|uuidv[47]|gen_random_uuid|nextval|currval|txid_current|sample|tablesample|getvariable)\b`)

// Volatile reports whether the SQL may answer differently though the data are the same.
func Volatile(sql string) bool { return volatile.MatchString(sql) }
