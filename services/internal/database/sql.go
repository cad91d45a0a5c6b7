package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// Table is the qualified name of a table.
type Table struct{ Catalog, Schema, Name string }

// Temporary returns the name of a temporary table, visible to its session only.
func Temporary(name string) Table { return Table{"temp", "main", name} }

// String returns the quoted name.
func (t Table) String() string {
	return QuoteName(t.Catalog) + "." + QuoteName(t.Schema) + "." + QuoteName(t.Name)
}

// QuoteName quotes an identifier.
func QuoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteText quotes a string literal, for statements where DuckDB accepts no parameter.
func QuoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Field is a column's name and DuckDB type.
type Field struct{ Name, Type string }

// Fields parses fields, each "NAME TYPE".
func Fields(texts ...string) []Field {
	fields := make([]Field, len(texts))
	for i, text := range texts {
		fields[i].Name, fields[i].Type, _ = strings.Cut(text, " ")
	}
	return fields
}

// ColumnList formats the columns for CREATE TABLE.
func ColumnList(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = QuoteName(f.Name) + " " + f.Type
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Names formats the columns' names for SELECT or INSERT.
func Names(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = QuoteName(f.Name)
	}
	return strings.Join(parts, ", ")
}

// execer is a connection, a pool or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// ExecAll runs statements in order, until one fails.
func ExecAll(ctx context.Context, on execer, statements ...string) error {
	for _, statement := range statements {
		if _, err := on.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Changed runs a statement and returns the number of rows changed.
func Changed(ctx context.Context, on execer, query string, args ...any) (int64, error) {
	res, err := on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Unsigned returns a parameter of all 64 bits: database/sql refuses a uint64 with the highest bit set,
// which either half of a stream ID can have.
func Unsigned(v uint64) duckdb.TypedValue { return duckdb.Typed(v, duckdb.TYPE_UBIGINT) }

// UUID parses a UUID as a value for AppendRows.
func UUID(text string) (driver.Value, error) {
	var id duckdb.UUID
	err := id.Scan(text)
	return id, err
}
