package database

import (
	"context"
	"database/sql"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

// Rows runs a query with named parameters for those who would rather scan than read
// vectors. Every parameter must have a value: the driver would take another one's for it.
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

// Collect makes a T of every row of a query's answer.
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

// Scan reads rows of one column.
func Scan[T any](rows *sql.Rows) (value T, err error) {
	err = rows.Scan(&value)
	return value, err
}

// Describe lists the columns of the query's answer, without running it.
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

// trimStatement is the query without the semicolon and the comment lines after it.
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
