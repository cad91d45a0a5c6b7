package warehouse

import (
	"context"
	"fmt"
	"sync"

	"github.com/estela-dev/estela/services/internal/database"
)

// Point is a step of a commit at which Config.Hook is called.
type Point string

// The steps of a commit.
const (
	// PointBegun is inside the transaction, before anything is written.
	PointBegun Point = "begun"
	// PointWritten is inside the transaction, after the last write and before
	// COMMIT.
	PointWritten Point = "written"
	// PointCommitted is after COMMIT has succeeded, before Commit returns.
	PointCommitted Point = "committed"
)

// Config configures a warehouse.
type Config struct {
	// Database is its database. With ReadOnly, for an API in another process than the worker, nothing
	// is created or changed.
	Database database.Config
	// Staged appends the rows of a file through a temporary table, as for MotherDuck, to test that
	// path.
	Staged bool
	// Hook, if set, is called at each step of a commit; its error makes the commit fail there. For
	// failure tests.
	Hook func(Point) error
}

// Warehouse is a handle of the database with one writer and any number of readers. It is safe for concurrent
// use; commits run one at a time.
type Warehouse struct {
	cfg     Config
	db      *database.DB
	layouts *sync.Map // dataset (string) -> *layout
	writer  *database.Session
	lookups *database.Session // of its own, so that lookups don't wait for a commit
}

// Open attaches the database, creates or migrates the system tables and closes outside access. Errors with a
// hint: *database.LockedError, *database.ExtensionError.
func Open(ctx context.Context, cfg Config) (*Warehouse, error) {
	cfg.Database = cfg.Database.WithDefaults()
	if cfg.Hook == nil {
		cfg.Hook = func(Point) error { return nil }
	}
	prepare := migrate
	if cfg.Database.ReadOnly {
		prepare = checkSystem
	}
	db, err := database.Open(ctx, cfg.Database, prepare)
	if err != nil {
		return nil, err
	}
	return newWarehouse(cfg, db, &sync.Map{}), nil
}

func newWarehouse(cfg Config, db *database.DB, layouts *sync.Map) *Warehouse {
	return &Warehouse{cfg: cfg, db: db, layouts: layouts, writer: db.Session(), lookups: db.Session()}
}

// Another returns a second writer on the same open database, to test two workers on one file, which only one
// process can open. Every handle must be closed.
func (w *Warehouse) Another() *Warehouse {
	w.db.Share()
	return newWarehouse(w.cfg, w.db, w.layouts)
}

// Close closes the handle and with the last one the database.
func (w *Warehouse) Close() error {
	if err := w.db.Close(); err != nil {
		return fmt.Errorf("close warehouse: %w", err)
	}
	return nil
}

// write runs fn with the writer's session, exclusively.
func (w *Warehouse) write(ctx context.Context, fn func(context.Context, *database.Conn) error) error {
	if w.cfg.Database.ReadOnly {
		return ErrReadOnly
	}
	return w.writer.Do(ctx, fn)
}

// staged reports whether rows are appended through a temporary table.
func (w *Warehouse) staged() bool { return w.cfg.Staged || w.Remote() }

// Location returns the path of the file or md:NAME.
func (w *Warehouse) Location() string { return w.cfg.Database.Shown() }

// Remote reports whether the database is on MotherDuck.
func (w *Warehouse) Remote() bool { return w.cfg.Database.Remote() }

// Ping checks that the warehouse can be queried.
func (w *Warehouse) Ping(ctx context.Context) error {
	return w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		var one int
		return conn.QueryRowContext(ctx, "SELECT count(*) FROM warehouse.estela.positions").Scan(&one)
	})
}
