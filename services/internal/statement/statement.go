package statement

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// ParseQuery is a query whose answer is DuckDB's syntax tree of $query, a SELECT, as JSON.
const ParseQuery = "SELECT CAST(json_serialize_sql(CAST($query AS VARCHAR), skip_default := true, skip_empty := true, skip_null := true) AS VARCHAR) AS parse"

// Parser runs ParseQuery for a query.
type Parser func(ctx context.Context, query string) (parse string, err error)

// Bounds of a statement's values.
const (
	// MaxBytes is the size of the largest value, or of a vector of them where it
	// depends on a column.
	MaxBytes = 64 << 20
	// MaxTotal is the size of all values above a megabyte together.
	MaxTotal = 256 << 20
	// ColumnBytes is the estimated size of a column's value.
	ColumnBytes = 64

	vectorRows    = 2048
	gatheredBytes = 4096
	maxColumns    = 20_000
	maxTables     = 2_000
	maxSample     = 1_000_000
)

// Param has the bounds of a parameter's values.
type Param struct {
	// Low and High bound a number; infinite if unbounded.
	Low, High float64
	// Bytes is the length of the longest text.
	Bytes float64
}

// FaultError is an error in a statement and its fix.
type FaultError struct {
	// At is its byte in the statement, -1 if unknown.
	At          int
	Reason, Fix string
}

func (f *FaultError) Error() string { return f.Reason + "; " + f.Fix }

// Table is a table or view that a statement names.
type Table struct {
	Name string
	// At is the byte of its first use in the statement.
	At int
}

// Star is a place where rows of a table are compared by all columns, such as SELECT DISTINCT *.
type Star struct{ What, Table string }

// Statement is the outcome of checking a query.
type Statement struct {
	// Tables are the tables and views that it names, without CTEs.
	Tables []Table
	// ColumnNames are the names in lower case of the columns in its select lists, also of
	// subqueries, without those of *.
	ColumnNames map[string]bool
	// Computed are the names in lower case that it gives to anything but a column of that name, or
	// to one of its values such as the latest: a column of the answer that has another name is
	// what its table says of it.
	Computed map[string]bool
	// Sources are the tables that a select list names in front of a column, such as t in t.name, by
	// the column's name, both in lower case.
	Sources map[string][]string
	// Nondeterministic are the places where a value that differs from query to query gets into a
	// column, or a random one decides which rows there are; now() in a filter is allowed.
	Nondeterministic []*FaultError
	Stars            []Star
	// Faults are the reasons to reject it as an endpoint.
	Faults []*FaultError

	relation relation
}

// Check analyses a query. views are the statements of the views that it may name, by name in
// lower case, for the size of their columns. Its error is the parser's, or a *FaultError if DuckDB
// can't parse the query.
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
	w := &walker{aliases: map[string]string{}, out: &Statement{ColumnNames: map[string]bool{}, Computed: map[string]bool{}, Sources: map[string][]string{}}, params: params, views: views}
	w.out.relation = w.query(doc.Statements[0].Node, &scope{})
	return w.out, nil
}
