package warehouse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

// outcomeTimeout bounds the lookup of the position after a failed commit.
const outcomeTimeout = 10 * time.Second

// backlogRows is the size of a batch that only a backlog makes.
const backlogRows = 50_000

// errMoved means that the position row is not as expected.
var errMoved = errors.New("position has moved")

// Commit stores the batch's rows and rejects, deletes the rejects it replaces and
// moves the position from at to the batch's Last, in one transaction, and
// returns the new position. event.ErrFenced: another process moved it, drop the
// batch. After any other error nothing was stored, or the outcome is
// unknown; a retry with the same arguments resolves that.
func (w *Warehouse) Commit(ctx context.Context, at event.Position, b *contract.Batch) (event.Position, error) {
	for b.Token == 0 {
		//nolint:gosec // G404: it distinguishes commits and guards no secret; database/sql takes 63 bits
		b.Token = rand.Uint64() >> 1
	}
	next := advanced(at, b, time.Now())
	err := w.write(ctx, func(ctx context.Context, conn *database.Conn) error {
		return w.commit(ctx, conn, at, next, b)
	})
	if err != nil {
		next, err = w.outcome(ctx, at, next, err)
	}
	if err != nil {
		return event.Position{}, fmt.Errorf("commit to %s:%d: %w", at.Dataset, at.Shard, err)
	}
	if b.Rows >= backlogRows {
		w.db.ThrottleReads()
	}
	return next, nil
}

// advanced returns the position after the batch. Times are rounded down to the microsecond.
func advanced(at event.Position, b *contract.Batch, now time.Time) event.Position {
	next := at
	next.Last = b.Last
	if b.Added != 0 {
		next.Added = b.Added
	}
	if n := len(b.Traces); n > 0 {
		next.Trace = b.Traces[n-1].Parent
	}
	next.Rev++
	next.Token = b.Token
	next.Rows += int64(b.Rows)
	next.Rejected += int64(len(b.Rejects))
	next.Duplicates += int64(b.Duplicates)
	next.CommittedAt = now.UTC().Truncate(time.Microsecond)
	if b.RunID != "" {
		next.RunID = b.RunID
	}
	return next
}

// commit is one attempt. Staging precedes BEGIN, because a transaction writes to one attached database. The
// position is updated first in the transaction, so that a fenced owner writes nothing.
func (w *Warehouse) commit(ctx context.Context, conn *database.Conn, at, next event.Position, b *contract.Batch) error {
	loads, err := w.loads(ctx, conn, b, at.Rows, next.CommittedAt)
	if err != nil {
		return err
	}
	if err := w.stage(ctx, conn, loads, replayed(b)); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	err = database.Transaction(ctx, conn, func() error {
		if err := w.cfg.Hook(PointBegun); err != nil {
			return err
		}
		if err := move(ctx, conn, at, next); err != nil {
			return err
		}
		for _, l := range loads {
			if err := l.store(ctx, conn, w.staged()); err != nil {
				return err
			}
		}
		if len(b.Replayed) > 0 {
			if err := deleteReplayed(ctx, conn); err != nil {
				return err
			}
		}
		return w.cfg.Hook(PointWritten)
	})
	if err != nil {
		return err
	}
	return w.cfg.Hook(PointCommitted)
}

// move updates the position row, which must be exactly at. rev is compared, too, because a backfill
// doesn't change Last.
func move(ctx context.Context, conn *database.Conn, at, next event.Position) error {
	n, err := database.Changed(ctx, conn, `UPDATE warehouse.estela.positions
		SET last_ms = ?, last_seq = ?, rev = rev + 1, run_id = ?, token = ?, "rows" = ?, rejected = ?, duplicates = ?, committed_at = ?, added = ?, trace = ?
		WHERE dataset = ? AND shard = ? AND epoch = ? AND rev = ? AND last_ms = ? AND last_seq = ?`,
		database.Unsigned(next.Last.MS), database.Unsigned(next.Last.Seq), next.RunID, next.Token, next.Rows, next.Rejected, next.Duplicates, next.CommittedAt, next.Added, next.Trace,
		at.Dataset, at.Shard, at.Epoch, at.Rev, database.Unsigned(at.Last.MS), database.Unsigned(at.Last.Seq))
	switch {
	case database.IsConflict(err):
		return fmt.Errorf("%w: %w", event.ErrFenced, err)
	case err != nil:
		return fmt.Errorf("move position: %w", err)
	case n != 1:
		return fmt.Errorf("%w: %d rows match", errMoved, n)
	}
	return nil
}

// outcome determines, from the position row, whether a commit that failed with cause was stored. It
// ignores the end of ctx, because the result decides whether the batch is dropped.
func (w *Warehouse) outcome(ctx context.Context, at, next event.Position, cause error) (event.Position, error) {
	if errors.Is(cause, event.ErrFenced) || errors.Is(cause, ErrReadOnly) {
		return next, cause
	}
	w.layouts.Delete(at.Dataset) // a stale layout may be the cause
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	var now event.Position
	err := w.write(bounded, func(ctx context.Context, conn *database.Conn) (err error) {
		now, err = position(ctx, conn, at.Dataset, at.Shard)
		return err
	})
	switch {
	case err != nil:
		return next, errors.Join(cause, fmt.Errorf("read position: %w", err))
	case sameRevision(now, next):
		return now, nil
	case sameRevision(now, at):
		return next, cause
	default:
		return next, fmt.Errorf("%w: %w", event.ErrFenced, cause)
	}
}

// sameRevision reports whether both are the same change of the row: of one owner, by one batch. Within an
// epoch other processes raise rev, too (a backfill), perhaps with as many rows: hence the token.
func sameRevision(a, b event.Position) bool {
	return a.Epoch == b.Epoch && a.Rev == b.Rev && a.Last == b.Last && a.Token == b.Token
}
