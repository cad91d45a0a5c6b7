package warehouse

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// idleWAL is the size of the write-ahead log from which on Idle runs a checkpoint.
const idleWAL = 16 << 20

// Checkpoint moves the write-ahead log into the file. Commits of this handle wait for it; while another
// handle is in a transaction it fails, and can be retried later. On MotherDuck it does nothing.
func (w *Warehouse) Checkpoint(ctx context.Context) error {
	if w.Remote() {
		return nil
	}
	err := w.write(ctx, func(ctx context.Context, conn *database.Conn) error {
		return database.ExecAll(ctx, conn, "CHECKPOINT warehouse")
	})
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// Idle runs a checkpoint if the write-ahead log is large enough. It is called when nothing is in flight; a
// commit meanwhile waits for about a tenth of a second.
func (w *Warehouse) Idle(ctx context.Context) {
	if w.cfg.Database.ReadOnly || w.WALSize() < idleWAL {
		return
	}
	if err := w.Checkpoint(ctx); err != nil {
		w.cfg.Database.Logger.LogAttrs(ctx, slog.LevelDebug, "checkpoint failed, retrying when idle", slog.Any("error", err))
	}
}

// WALSize returns the size of the write-ahead log in bytes, 0 for MotherDuck.
func (w *Warehouse) WALSize() int64 {
	if w.Remote() {
		return 0
	}
	info, err := os.Stat(w.cfg.Database.Location + ".wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// Prune deletes the dataset's rows that were stored longer ago than its
// retention and returns how many.
func (w *Warehouse) Prune(ctx context.Context, c *contract.Contract) (int64, error) {
	if c.Retention <= 0 {
		return 0, nil
	}
	var n int64
	err := w.write(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		n, err = database.Changed(ctx, conn, "DELETE FROM "+datasetTable(c.Name).String()+" WHERE _ingested_at < ?",
			time.Now().Add(-c.Retention))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("prune %s: %w", c.Name, err)
	}
	return n, nil
}
