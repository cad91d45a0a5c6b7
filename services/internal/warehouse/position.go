package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

// TakeOver makes the caller the owner of the shard: epoch and rev go up by one,
// committed before the position is read. It waits for a commit of the last owner in flight.
// event.ErrFenced: another process took over meanwhile.
func (w *Warehouse) TakeOver(ctx context.Context, c *contract.Contract, shard int) (event.Position, error) {
	var pos event.Position
	err := w.write(ctx, func(ctx context.Context, conn *database.Conn) error {
		var epoch int64
		err := database.RetryConflicts(ctx, func() error {
			return database.Transaction(ctx, conn, func() (err error) {
				epoch, err = nextEpoch(ctx, conn, c.Name, shard)
				return err
			})
		})
		if err != nil {
			return err
		}
		if pos, err = position(ctx, conn, c.Name, shard); err == nil && pos.Epoch != epoch {
			return event.ErrFenced
		}
		return err
	})
	if err != nil {
		return event.Position{}, fmt.Errorf("take over %s:%d: %w", c.Name, shard, err)
	}
	return pos, nil
}

// nextEpoch increments the epoch, and inserts the row if there is none.
func nextEpoch(ctx context.Context, conn *database.Conn, dataset string, shard int) (int64, error) {
	var epoch int64
	err := conn.QueryRowContext(ctx, `UPDATE warehouse.estela.positions SET epoch = epoch + 1, rev = rev + 1
		WHERE dataset = ? AND shard = ? RETURNING epoch`, dataset, shard).Scan(&epoch)
	if !errors.Is(err, sql.ErrNoRows) {
		return epoch, err
	}
	if _, err := conn.ExecContext(ctx, `UPDATE warehouse.estela.markers SET "at" = now() WHERE name = ?`, newPosition); err != nil {
		return 0, err
	}
	_, err = conn.ExecContext(ctx,
		`INSERT INTO warehouse.estela.positions
		(dataset, shard, last_ms, last_seq, epoch, rev, run_id, token, "rows", rejected, duplicates, committed_at)
		VALUES (?, ?, 0, 0, 1, 1, '', 0, 0, 0, 0, ?)`, dataset, shard, time.Now())
	return 1, err
}

const selectPositions = `SELECT dataset, shard, last_ms, last_seq, epoch, rev, run_id, token, "rows", rejected, duplicates, committed_at, added, trace
	FROM warehouse.estela.positions `

// position reads a shard's row.
func position(ctx context.Context, conn *database.Conn, dataset string, shard int) (event.Position, error) {
	row := conn.QueryRowContext(ctx, selectPositions+"WHERE dataset = ? AND shard = ?", dataset, shard)
	return scanPosition(row.Scan)
}

func scanPosition(scan func(...any) error) (event.Position, error) {
	var p event.Position
	err := scan(&p.Dataset, &p.Shard, &p.Last.MS, &p.Last.Seq, &p.Epoch, &p.Rev, &p.RunID, &p.Token,
		&p.Rows, &p.Rejected, &p.Duplicates, &p.CommittedAt, &p.Added, &p.Trace)
	p.CommittedAt = p.CommittedAt.UTC()
	return p, err
}

// Positions returns the positions of all shards of all datasets.
func (w *Warehouse) Positions(ctx context.Context) (all []event.Position, err error) {
	scan := func(rows *sql.Rows) (event.Position, error) { return scanPosition(rows.Scan) }
	err = w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		all, err = database.Collect(ctx, conn, scan, selectPositions+"ORDER BY dataset, shard")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	return all, nil
}

// Position returns the shard's position without taking it over; false: it never had an owner.
func (w *Warehouse) Position(ctx context.Context, c *contract.Contract, shard int) (event.Position, bool, error) {
	var pos event.Position
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		pos, err = position(ctx, conn, c.Name, shard)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return event.Position{}, false, nil
	}
	if err != nil {
		return event.Position{}, false, fmt.Errorf("read position of %s:%d: %w", c.Name, shard, err)
	}
	return pos, true, nil
}
