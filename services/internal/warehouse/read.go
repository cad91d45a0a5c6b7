package warehouse

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Column is a column of a query's answer, its type by DuckDB's name.
type Column struct{ Name, Type string }

// Read runs a query with named parameters ($name) and calls each once with its
// rows and the time of the last commit that they show: both come from the same
// snapshot, the zero time if nothing was committed yet. The end of ctx
// interrupts the query. At most Config.ReadConns run at once, others wait. Each
// must neither use the warehouse nor wait for a client.
func (w *Warehouse) Read(ctx context.Context, query string, args map[string]any, each func(asOf time.Time, rows *sql.Rows) error) error {
	return w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if err := w.checkArgs(ctx, conn, query, args); err != nil {
			return err
		}
		return snapshot(ctx, conn, func(asOf time.Time) error {
			rows, err := conn.QueryContext(ctx, query, namedArgs(args)...)
			if err != nil {
				return err
			}
			defer rows.Close()
			if err := each(asOf, rows); err != nil {
				return err
			}
			return rows.Err()
		})
	})
}

// Describe tells which columns the query answers with, without running it.
func (w *Warehouse) Describe(ctx context.Context, query string, args map[string]any) ([]Column, error) {
	var columns []Column
	none := strings.Join([]string{"SELECT * FROM (", withoutEnd(query), ") LIMIT 0"}, "\n")
	err := w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if err := w.checkArgs(ctx, conn, none, args); err != nil {
			return err
		}
		rows, err := conn.QueryContext(ctx, none, namedArgs(args)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err = columnTypes(rows)
		return err
	})
	return columns, err
}

// withoutEnd is the query without the semicolon and the comment lines after it.
func withoutEnd(query string) string {
	for {
		query = strings.TrimRight(query, "; \t\r\n")
		start := strings.LastIndexByte(query, '\n') + 1
		if !strings.HasPrefix(strings.TrimSpace(query[start:]), "--") {
			return query
		}
		query = query[:start]
	}
}

func columnTypes(rows *sql.Rows) ([]Column, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns := make([]Column, len(types))
	for i, t := range types {
		columns[i] = Column{t.Name(), t.DatabaseTypeName()}
	}
	return columns, rows.Err()
}

// read runs fn with a connection for reading, waiting until one is free.
func (d *database) read(ctx context.Context, fn func(context.Context, *sql.Conn) error) error {
	select {
	case d.reads <- struct{}{}:
		defer func() { <-d.reads }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a read connection: %w", ctx.Err())
	}
	return d.with(ctx, func(ctx context.Context, inst *instance) error {
		conn, err := inst.db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect to DuckDB: %w", err)
		}
		defer conn.Close()
		return fn(ctx, conn)
	})
}

// snapshot runs fn in a transaction that is rolled back, with the time of the
// last commit in it.
func snapshot(ctx context.Context, conn *sql.Conn, fn func(asOf time.Time) error) error {
	if err := execAll(context.WithoutCancel(ctx), conn, "BEGIN"); err != nil {
		return err
	}
	var asOf sql.NullTime
	err := conn.QueryRowContext(ctx, "SELECT max(committed_at) FROM warehouse.estela.positions").Scan(&asOf)
	if err == nil {
		err = fn(asOf.Time.UTC())
	}
	return errors.Join(err, execAll(context.WithoutCancel(ctx), conn, "ROLLBACK"))
}

func namedArgs(args map[string]any) []any {
	named := make([]any, 0, len(args))
	for name, value := range args {
		named = append(named, sql.Named(name, value))
	}
	return named
}

// checkArgs makes sure that every parameter of the query has a value. The driver
// would take another one's for it.
func (d *database) checkArgs(ctx context.Context, conn *sql.Conn, query string, args map[string]any) error {
	params, err := d.parameters(ctx, conn, query)
	if err != nil {
		return err
	}
	for _, name := range params {
		if _, ok := args[name]; !ok {
			return fmt.Errorf("query has the parameter $%s, which was given no value", name)
		}
	}
	return nil
}

// parameters are the names of the query's parameters; they are remembered,
// because queries come from files and are few.
func (d *database) parameters(ctx context.Context, conn *sql.Conn, query string) ([]string, error) {
	if known, ok := d.queries.Load(query); ok {
		return known.([]string), nil //nolint:forcetypeassert // nothing else is stored
	}
	var params []string
	err := conn.Raw(func(driverConn any) error {
		prepared, err := driverConn.(*duckdb.Conn).PrepareContext(ctx, query) //nolint:forcetypeassert // the driver's
		if err != nil {
			return err
		}
		params, err = parameterNames(prepared)
		return errors.Join(err, prepared.Close())
	})
	if err == nil {
		d.queries.Store(query, params)
	}
	return params, err
}

func parameterNames(prepared driver.Stmt) ([]string, error) {
	stmt := prepared.(*duckdb.Stmt) //nolint:forcetypeassert // the driver's
	params := make([]string, stmt.NumInput())
	for i := range params {
		name, err := stmt.ParamName(i + 1)
		if err != nil {
			return nil, err
		}
		params[i] = name
	}
	return params, nil
}
