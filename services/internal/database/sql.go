package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// Table names a table in full.
type Table struct{ Catalog, Schema, Name string }

// Temporary is a table that only its session sees.
func Temporary(name string) Table { return Table{"temp", "main", name} }

// String is the name as SQL.
func (t Table) String() string {
	return QuoteName(t.Catalog) + "." + QuoteName(t.Schema) + "." + QuoteName(t.Name)
}

// QuoteName writes an identifier for SQL.
func QuoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteText writes a string literal for SQL, for the places where DuckDB takes
// no parameter.
func QuoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Field is a column's name and DuckDB type.
type Field struct{ Name, Type string }

// Fields are written as "NAME TYPE" each.
func Fields(texts ...string) []Field {
	fields := make([]Field, len(texts))
	for i, text := range texts {
		fields[i].Name, fields[i].Type, _ = strings.Cut(text, " ")
	}
	return fields
}

// ColumnList writes the columns of CREATE TABLE.
func ColumnList(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = QuoteName(f.Name) + " " + f.Type
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Names writes the columns of SELECT or INSERT.
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

// ExecAll runs statements one after the other.
func ExecAll(ctx context.Context, on execer, statements ...string) error {
	for _, statement := range statements {
		if _, err := on.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Changed is the number of rows that the statement changed.
func Changed(ctx context.Context, on execer, query string, args ...any) (int64, error) {
	res, err := on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Unsigned is a parameter of all 64 bits: database/sql refuses a uint64 whose highest is set,
// and either half of a stream ID can be anything.
func Unsigned(v uint64) duckdb.TypedValue { return duckdb.Typed(v, duckdb.TYPE_UBIGINT) }

// UUID is a UUID as a value of a row.
func UUID(text string) (driver.Value, error) {
	var id duckdb.UUID
	err := id.Scan(text)
	return id, err
}
