package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// table names a table in full.
type table struct{ catalog, schema, name string }

// datasetTable is the table of a dataset or of reference data.
func datasetTable(name string) table { return table{"warehouse", "main", name} }

// systemTable is a table of Estela's own.
func systemTable(name string) table { return table{"warehouse", "estela", name} }

// temporary is a table that only its session sees.
func temporary(name string) table { return table{"temp", "main", name} }

// String is the name as SQL.
func (t table) String() string {
	return quoteName(t.catalog) + "." + quoteName(t.schema) + "." + quoteName(t.name)
}

// quoteName writes an identifier for SQL.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteText writes a string literal for SQL, for the places where DuckDB takes
// no parameter.
func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// field is a column's name and DuckDB type.
type field struct{ name, kind string }

// columnList writes the columns of CREATE TABLE.
func columnList(fields []field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = quoteName(f.name) + " " + f.kind
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// names writes the columns of SELECT or INSERT.
func names(fields []field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = quoteName(f.name)
	}
	return strings.Join(parts, ", ")
}

// execer is a connection, a pool or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func execAll(ctx context.Context, on execer, statements ...string) error {
	for _, statement := range statements {
		if _, err := on.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// transaction runs fn between BEGIN and COMMIT, or rolls back. The end of ctx
// interrupts fn but none of these, whose outcome must be known.
func transaction(ctx context.Context, conn *sql.Conn, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lasting := context.WithoutCancel(ctx)
	if err := execAll(lasting, conn, "BEGIN"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(); err != nil {
		return rolledBack(lasting, conn, err)
	}
	if err := execAll(lasting, conn, "COMMIT"); err != nil {
		return rolledBack(lasting, conn, fmt.Errorf("commit: %w", err))
	}
	return nil
}

// rolledBack ends the transaction and gives err. After a failed COMMIT there may
// be none left, which is no fault.
func rolledBack(ctx context.Context, conn *sql.Conn, err error) error {
	rollback := execAll(ctx, conn, "ROLLBACK")
	if isFatal(rollback) {
		return errors.Join(err, rollback)
	}
	return err
}

// changed is the number of rows that the statement changed.
func changed(ctx context.Context, on execer, query string, args ...any) (int64, error) {
	res, err := on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func duckError(text string, kind mapping.ErrorType) error {
	return &duckdb.Error{Type: duckdb.ErrorType(kind), Msg: text}
}

// unsigned is a parameter of all 64 bits: database/sql refuses a uint64 whose highest is set,
// and either half of a stream ID can be anything.
func unsigned(v uint64) duckdb.TypedValue { return duckdb.Typed(v, duckdb.TYPE_UBIGINT) }
