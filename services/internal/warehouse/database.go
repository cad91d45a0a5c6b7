package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// ErrReopening says that the query was interrupted because DuckDB's instance had
// to be opened anew after a fatal error. It can be tried again.
var ErrReopening = errors.New("warehouse is opened anew after a fatal error: try again")

var errClosed = errors.New("warehouse is closed")

// database is the open database that handles share. Its instance is replaced
// when a fatal error has made it unusable.
type database struct {
	cfg   Config
	reads chan struct{} // one for each read that runs
	// alone is for the one that runs while a backlog is stored; hurried is when a batch
	// of one was last, in nanoseconds since 1970.
	alone   chan struct{}
	hurried atomic.Int64
	// behind is where they do, with a thread for each.
	behind *background

	layouts sync.Map // dataset (string) -> *layout
	queries sync.Map // query (string) -> names of its parameters ([]string)

	mu      sync.RWMutex // read-held while the instance is used
	inst    *instance
	handles int
}

func newDatabase(cfg Config) *database {
	cfg = cfg.withDefaults()
	return &database{cfg: cfg, handles: 1, reads: make(chan struct{}, cfg.ReadConns), alone: make(chan struct{}, 1), behind: newBackground(cfg.ReadConns)}
}

// with runs fn with an instance that works, opening a new one if the last broke.
// Calls must not be nested: a reopening between them would wait for the outer
// and the inner for the reopening.
func (d *database) with(ctx context.Context, fn func(context.Context, *instance) error) error {
	for {
		d.mu.RLock()
		if d.inst != nil && d.inst.ctx.Err() == nil {
			break
		}
		d.mu.RUnlock()
		if err := d.reopen(ctx); err != nil {
			return err
		}
	}
	defer d.mu.RUnlock()
	return d.run(ctx, d.inst, fn)
}

// run calls fn under a context that also ends when the instance breaks, and
// marks the instance as broken after a fatal error.
func (d *database) run(ctx context.Context, inst *instance, fn func(context.Context, *instance) error) error {
	bound, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(inst.ctx, cancel) //nolint:contextcheck // the instance's life, beside the caller's
	defer stop()
	err := fn(bound, inst)
	if err == nil {
		return nil
	}
	if isFatal(err) {
		d.cfg.Logger.LogAttrs(ctx, slog.LevelError, "warehouse broke and is opened anew", slog.Any("error", err))
		inst.abandon()
	}
	if inst.ctx.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w (%w)", ErrReopening, err)
	}
	return err
}

// reopen waits until nobody uses the broken instance, closes it and opens a new
// one. In that order: the file's lock is the process's, and closing the old one
// later would give up the new one's.
func (d *database) reopen(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.handles == 0 {
		return errClosed
	}
	if d.inst != nil && d.inst.ctx.Err() == nil {
		return nil // somebody else did
	}
	if d.inst != nil {
		if err := d.inst.close(); err != nil {
			d.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "close broken warehouse", slog.Any("error", err))
		}
		d.inst = nil
	}
	inst, err := openInstance(ctx, d.cfg)
	if err != nil {
		return err
	}
	d.inst = inst
	return nil
}
