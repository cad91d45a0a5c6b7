package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// Warehouse is one writer and any number of readers of the database. It is safe
// for concurrent use; commits queue up.
type Warehouse struct {
	*database

	mu     sync.Mutex // held by the one who uses the writer's session
	lookMu sync.Mutex // held by the one who uses the look-up session
}

// Open attaches the database, creates or migrates the system tables and closes
// the instance to the outside. Errors to act on: *LockedError, *ExtensionError.
func Open(ctx context.Context, cfg Config) (*Warehouse, error) {
	d := newDatabase(cfg)
	if err := d.reopen(ctx); err != nil {
		d.behind.stop()
		return nil, err
	}
	return &Warehouse{database: d}, nil
}

// Another is a second writer on the same open database, as another process
// would be: a file admits one process, so this is how two workers meet. Every
// handle must be closed.
func (w *Warehouse) Another() *Warehouse {
	w.database.mu.Lock()
	defer w.database.mu.Unlock()
	w.handles++
	return &Warehouse{database: w.database}
}

// Close closes the handle and with the last one the database.
func (w *Warehouse) Close() error {
	w.database.mu.Lock()
	defer w.database.mu.Unlock()
	if w.handles--; w.handles > 0 {
		return nil
	}
	if w.handles == 0 {
		w.behind.stop() // nobody reads: that holds the lock too
	}
	if w.inst == nil {
		return nil
	}
	err := w.inst.close()
	w.inst = nil
	if err != nil {
		return fmt.Errorf("close warehouse: %w", err)
	}
	return nil
}

// write runs fn with the writer's session for itself.
func (w *Warehouse) write(ctx context.Context, fn func(context.Context, *session) error) error {
	if w.cfg.ReadOnly {
		return ErrReadOnly
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.with(ctx, func(ctx context.Context, inst *instance) error {
		s, err := inst.session(ctx, sessionKey{w, "write"})
		if err != nil {
			return err
		}
		return fn(ctx, s)
	})
}

// look runs fn with the session for look-ups, which has temporary tables of its
// own and does not wait for a commit.
func (w *Warehouse) look(ctx context.Context, fn func(context.Context, *session) error) error {
	w.lookMu.Lock()
	defer w.lookMu.Unlock()
	return w.with(ctx, func(ctx context.Context, inst *instance) error {
		s, err := inst.session(ctx, sessionKey{w, "look"})
		if err != nil {
			return err
		}
		return fn(ctx, s)
	})
}

// Location is the path of the file, or md: and the name of the MotherDuck
// database.
func (w *Warehouse) Location() string { return w.cfg.shown() }

// Remote reports whether the database is MotherDuck's.
func (w *Warehouse) Remote() bool { return w.cfg.remote() }

// Ping reports whether the warehouse answers.
func (w *Warehouse) Ping(ctx context.Context) error {
	return w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		var one int
		return conn.QueryRowContext(ctx, "SELECT count(*) FROM warehouse.estela.positions").Scan(&one)
	})
}
