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
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/result"
)

// Stream runs a query with named parameters ($name) and calls each once with its
// rows and the state that they show: both come from the same snapshot. The rows
// are computed while they are read, so that an answer's size does not matter. The
// end of ctx interrupts the query. At most Config.ReadConns run at once, others
// wait. Each must neither use the warehouse nor wait for a client.
func (w *Warehouse) Stream(ctx context.Context, query string, args map[string]any, each func(at result.Snapshot, rows result.Rows) error) error {
	return w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		return snapshot(ctx, conn, func(at result.Snapshot) error {
			return queryOn(ctx, conn, w.behind.run, query, args, func(rows result.Rows) error { return each(at, rows) })
		})
	})
}

// Revision is the state that a Stream begun now would show.
func (w *Warehouse) Revision(ctx context.Context) (at result.Snapshot, err error) {
	err = w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		at, err = latest(ctx, conn)
		return err
	})
	return at, err
}

// errNoQuery refuses what does more than read: PRAGMA enable_profiling, for one,
// is not among the settings that are locked.
var errNoQuery = errors.New("only SELECT and EXPLAIN are run here")

// Query runs a query on a connection to DuckDB, which it has for itself until each
// returns. Other statements are refused.
func Query(ctx context.Context, conn *sql.Conn, query string, args map[string]any, each func(result.Rows) error) error {
	return queryOn(ctx, conn, func(fn func()) { fn() }, query, args, each)
}

func queryOn(ctx context.Context, conn *sql.Conn, on func(func()), query string, args map[string]any, each func(result.Rows) error) error {
	raw, err := rawConnection(conn)
	if err != nil {
		return err
	}
	a, err := prepare(raw, query)
	if err != nil {
		return err
	}
	a.on = on
	switch mapping.PreparedStatementType(a.stmt) {
	case mapping.StatementTypeSelect, mapping.StatementTypeExplain:
		err = a.run(ctx, args)
	default:
		err = errNoQuery
	}
	if err != nil {
		a.close()
		return err
	}
	r := &rows{answer: a, ctx: ctx}
	defer r.close()
	return each(r)
}

// Read is Stream for those who would rather scan than read vectors, with the time
// of the last commit that the rows show, the zero time if nothing was committed yet.
func (w *Warehouse) Read(ctx context.Context, query string, args map[string]any, each func(asOf time.Time, rows *sql.Rows) error) error {
	return w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if err := w.checkArgs(ctx, conn, query, args); err != nil {
			return err
		}
		return snapshot(ctx, conn, func(at result.Snapshot) error {
			rows, err := conn.QueryContext(ctx, query, namedArgs(args)...)
			if err != nil {
				return err
			}
			defer rows.Close()
			if err := each(at.AsOf, rows); err != nil {
				return err
			}
			return rows.Err()
		})
	})
}

// Describe tells which columns the query answers with, without running it.
func (w *Warehouse) Describe(ctx context.Context, query string, args map[string]any) (columns []result.Column, err error) {
	err = w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if err := w.checkArgs(ctx, conn, none(query), args); err != nil {
			return err
		}
		columns, err = Describe(ctx, conn, query, args)
		return err
	})
	return columns, err
}

// Describe tells which columns the query answers with on a connection to DuckDB.
func Describe(ctx context.Context, conn *sql.Conn, query string, args map[string]any) ([]result.Column, error) {
	rows, err := conn.QueryContext(ctx, none(query), namedArgs(args)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return columnTypes(rows)
}

// none is the query without its rows.
func none(query string) string {
	return strings.Join([]string{"SELECT * FROM (", withoutEnd(query), ") LIMIT 0"}, "\n")
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

func columnTypes(rows *sql.Rows) ([]result.Column, error) {
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

// read runs fn with a connection for reading, waiting until one is free.
func (d *database) read(ctx context.Context, fn func(context.Context, *sql.Conn) error) error {
	turns := []chan struct{}{d.reads}
	if d.storesBacklog() {
		turns = []chan struct{}{d.alone, d.reads}
	}
	for _, turn := range turns {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return fmt.Errorf("wait for a read connection: %w", ctx.Err())
		}
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

const (
	// backlogRows is the size of a batch that only a backlog makes.
	backlogRows = 50_000
	// backlogFor is how long a backlog is taken to go on after such a batch.
	backlogFor = time.Second
)

// storesBacklog says whether ingestion is behind and needs the machine: reads then run
// one at a time.
func (d *database) storesBacklog() bool {
	return time.Now().UnixNano()-d.hurried.Load() < int64(backlogFor)
}

// snapshot runs fn in a transaction that is rolled back, with the state it shows.
func snapshot(ctx context.Context, conn *sql.Conn, fn func(at result.Snapshot) error) (err error) {
	if err := execAll(context.WithoutCancel(ctx), conn, "BEGIN"); err != nil {
		return err
	}
	defer func() { // after a panic too: the connection is used again
		err = errors.Join(err, execAll(context.WithoutCancel(ctx), conn, "ROLLBACK"))
	}()
	at, err := latest(ctx, conn)
	if err != nil {
		return err
	}
	return fn(at)
}

func latest(ctx context.Context, conn *sql.Conn) (result.Snapshot, error) {
	var asOf sql.NullTime
	var at result.Snapshot
	err := conn.QueryRowContext(ctx,
		"SELECT max(committed_at), coalesce(CAST(sum(rev) AS BIGINT), 0) FROM warehouse.estela.positions").Scan(&asOf, &at.Revision)
	if asOf.Valid {
		at.AsOf = asOf.Time.UTC()
	}
	return at, err
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
