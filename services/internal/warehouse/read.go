package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"time"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/result"
)

// Stream runs a query with named parameters ($name) and calls each once with its rows and their snapshot.
// The rows are streamed, so that a result's size does not matter. The end of ctx interrupts the query.
// At most database.Config.ReadConns run at once, others wait. each must neither use the warehouse nor
// wait for a client.
func (w *Warehouse) Stream(ctx context.Context, query string, args map[string]any, each func(at result.Snapshot, rows result.Rows) error) error {
	return w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		return snapshot(ctx, conn, func(at result.Snapshot) error {
			return w.db.LowPriority(conn).Stream(ctx, query, args, func(rows result.Rows) error { return each(at, rows) })
		})
	})
}

// Revision returns the current snapshot.
func (w *Warehouse) Revision(ctx context.Context) (at result.Snapshot, err error) {
	err = w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		at, err = latest(ctx, conn)
		return err
	})
	return at, err
}

// Read is like Stream with database/sql's rows, and the time of the snapshot's last commit, zero if there is
// none.
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

// Describe returns the columns of the query's result, without running it.
func (w *Warehouse) Describe(ctx context.Context, query string, args map[string]any) (columns []result.Column, err error) {
	err = w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		columns, err = conn.Describe(ctx, query, args)
		return err
	})
	return columns, err
}

// Parquet begins a Parquet file with these columns and metadata, which is written to it.
func (w *Warehouse) Parquet(to io.Writer, columns []result.Field, metadata map[string]string) (result.Sink, error) {
	return w.db.Parquet.Writer(to, columns, metadata)
}

// snapshot runs fn in a read transaction, with its snapshot.
func snapshot(ctx context.Context, conn *database.Conn, fn func(at result.Snapshot) error) (err error) {
	if err := database.ExecAll(context.WithoutCancel(ctx), conn, "BEGIN"); err != nil {
		return err
	}
	defer func() { // also after a panic: the connection is reused
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
