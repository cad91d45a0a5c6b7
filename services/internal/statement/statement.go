package statement

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// ParseQuery is the query that answers with DuckDB's parse of $query, a SELECT.
const ParseQuery = "SELECT CAST(json_serialize_sql(CAST($query AS VARCHAR), skip_default := true, skip_empty := true, skip_null := true) AS VARCHAR) AS parse"

// Parser answers ParseQuery for a query.
type Parser func(ctx context.Context, query string) (parse string, err error)

// Bounds of a statement's values.
const (
	// MaxBytes is the size of the largest value, or of a vector of them where it
	// depends on a column.
	MaxBytes = 64 << 20
	// MaxTotal is the size of all values above a megabyte together.
	MaxTotal = 256 << 20
	// ColumnBytes is what a column's value is taken to be.
	ColumnBytes = 64

	vectorRows    = 2048
	gatheredBytes = 4096
	maxColumns    = 20_000
	maxTables     = 2_000
	maxSample     = 1_000_000
)

// Param is what is known of a parameter's values.
type Param struct {
	// Low and High bound a number; infinite where nothing does.
	Low, High float64
	// Bytes is the length of the longest text.
	Bytes float64
}

// FaultError is what is wrong with a statement, and what to do.
type FaultError struct {
	// At is the byte of the statement at which it is found, -1 if that is unknown.
	At          int
	Reason, Fix string
}

func (f *FaultError) Error() string { return f.Reason + "; " + f.Fix }

// Table is a table or view that a statement names.
type Table struct {
	Name string
	// At is the byte of the statement at which it is first named.
	At int
}

// Star is a * whose columns decide which rows there are, such as SELECT DISTINCT *.
type Star struct{ What, Table string }

// Statement is what the check found in a query.
type Statement struct {
	// Tables are those that it names itself, in order; CTEs are none.
	Tables []Table
	// Given are the names in lower case that its select lists give to columns, those of
	// subqueries too; what * gives is none.
	Given map[string]bool
	// Changing are the places where a value that is another at each query gets into what
	// the columns show, or chance into which rows there are: not where now() only filters.
	Changing []*FaultError
	// Stars are the places where rows of a table are compared by all of its columns.
	Stars []Star
	// Faults are what an endpoint must not have.
	Faults []*FaultError

	relation relation
}

// Check analyses a query. views are the statements of the views that it may name, by
// name in lower case: they say how large their columns are. Its error is the parser's,
// or a *FaultError where DuckDB can't parse the text.
func Check(ctx context.Context, parse Parser, query string, params map[string]Param, views map[string]*Statement) (*Statement, error) {
	text, err := parse(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("parse query: %w", err)
	}
	var doc struct {
		Error      bool
		Message    string `json:"error_message"`
		Position   any    // a number, in a text
		Statements []struct{ Node map[string]any }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("read parse of query: %w", err)
	}
	switch {
	case doc.Error && strings.Contains(doc.Message, "Only SELECT"):
		return nil, &FaultError{-1, "is not one SELECT that can be checked", "write SELECT, or WITH … SELECT; in a PIVOT, name the values with IN"}
	case doc.Error:
		at := -1
		if _, err := fmt.Sscan(fmt.Sprint(doc.Position), &at); err != nil {
			at = -1
		}
		return nil, &FaultError{at, doc.Message, "correct the SQL"}
	case len(doc.Statements) != 1:
		return nil, &FaultError{-1, fmt.Sprintf("has %d statements", len(doc.Statements)), "keep one"}
	}
	w := &walker{out: &Statement{Given: map[string]bool{}}, params: params, views: views}
	w.out.relation = w.node(doc.Statements[0].Node, &scope{})
	return w.out, nil
}
