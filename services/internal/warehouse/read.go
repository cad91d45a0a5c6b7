package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/result"
)

// Stream runs a query with named parameters ($name) and calls each once with its
// rows and the state that they show: both come from the same snapshot. The rows
// are computed while they are read, so that an answer's size does not matter. The
// end of ctx interrupts the query. At most database.Config.ReadConns run at once, others
// wait. Each must neither use the warehouse nor wait for a client.
func (w *Warehouse) Stream(ctx context.Context, query string, args map[string]any, each func(at result.Snapshot, rows result.Rows) error) error {
	return w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		return snapshot(ctx, conn, func(at result.Snapshot) error {
			return w.db.LowPriority(conn).Stream(ctx, query, args, func(rows result.Rows) error { return each(at, rows) })
		})
	})
}

// Revision is the state that a Stream begun now would show.
func (w *Warehouse) Revision(ctx context.Context) (at result.Snapshot, err error) {
	err = w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		at, err = latest(ctx, conn)
		return err
	})
	return at, err
}

// Read is Stream for those who would rather scan than read vectors, with the time
// of the last commit that the rows show, the zero time if nothing was committed yet.
func (w *Warehouse) Read(ctx context.Context, query string, args map[string]any, each func(asOf time.Time, rows *sql.Rows) error) error {
	return w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		return snapshot(ctx, conn, func(at result.Snapshot) error {
			rows, err := conn.Rows(ctx, query, args)
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

// Describe lists the columns of the query's answer, without running it.
func (w *Warehouse) Describe(ctx context.Context, query string, args map[string]any) (columns []result.Column, err error) {
	err = w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		columns, err = conn.Describe(ctx, query, args)
		return err
	})
	return columns, err
}

// snapshot runs fn in a transaction that is rolled back, with the state it shows.
func snapshot(ctx context.Context, conn *database.Conn, fn func(at result.Snapshot) error) (err error) {
	if err := database.ExecAll(context.WithoutCancel(ctx), conn, "BEGIN"); err != nil {
		return err
	}
	defer func() { // after a panic too: the connection is used again
		err = errors.Join(err, database.ExecAll(context.WithoutCancel(ctx), conn, "ROLLBACK"))
	}()
	at, err := latest(ctx, conn)
	if err != nil {
		return err
	}
	return fn(at)
}

func latest(ctx context.Context, conn *database.Conn) (result.Snapshot, error) {
	var asOf sql.NullTime
	var at result.Snapshot
	err := conn.QueryRowContext(ctx,
		"SELECT max(committed_at), coalesce(CAST(sum(rev) AS BIGINT), 0) FROM warehouse.estela.positions").Scan(&asOf, &at.Revision)
	if asOf.Valid {
		at.AsOf = asOf.Time.UTC()
	}
	return at, err
}
