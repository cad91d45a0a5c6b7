package database

import (
	"context"
	"database/sql"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

// Rows runs a query with named parameters and returns database/sql's rows. It checks that every parameter
// has a value: the driver would bind another one's.
func (c *Conn) Rows(ctx context.Context, query string, args map[string]any) (*sql.Rows, error) {
	q, err := c.Prepare(query)
	if err != nil {
		return nil, err
	}
	parameters := q.Parameters()
	q.Close()
	named := make([]any, 0, len(args))
	for name, value := range args {
		named = append(named, sql.Named(name, value))
	}
	for _, name := range parameters {
		if _, ok := args[name]; !ok {
			return nil, noValue(name)
		}
	}
	return c.QueryContext(ctx, query, named...)
}

// Collect scans every row of a query's result.
func Collect[T any](ctx context.Context, conn *Conn, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// Scan scans a row of one column.
func Scan[T any](rows *sql.Rows) (value T, err error) {
	err = rows.Scan(&value)
	return value, err
}

// Describe returns the columns of the query's result, without running it.
func (c *Conn) Describe(ctx context.Context, query string, args map[string]any) ([]result.Column, error) {
	rows, err := c.Rows(ctx, strings.Join([]string{"SELECT * FROM (", trimStatement(query), ") LIMIT 0"}, "\n"), args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns := make([]result.Column, len(types))
	for i, t := range types {
		columns[i] = result.Column{Name: t.Name(), Type: t.DatabaseTypeName()}
	}
	return columns, rows.Err()
}

// trimStatement removes trailing semicolons and comment lines.
func trimStatement(query string) string {
	for {
		query = strings.TrimRight(query, "; \t\r\n")
		start := strings.LastIndexByte(query, '\n') + 1
		if !strings.HasPrefix(strings.TrimSpace(query[start:]), "--") {
			return query
		}
		query = query[:start]
	}
}
