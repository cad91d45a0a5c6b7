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
	// PointCommitted is after COMMIT succeeded and before the caller learns so.
	PointCommitted Point = "committed"
)

// Config says where the warehouse is and how it is opened.
type Config struct {
	// Database is where it is. With ReadOnly it is opened for reading only: an API that
	// runs apart from the worker. Nothing is created or changed then.
	Database database.Config
	// Staged sends the rows of a file through a temporary table as it is done
	// for MotherDuck. It is the stand-in for MotherDuck in tests.
	Staged bool
	// Hook, if set, is called at each step of a commit; its error makes the
	// commit fail there. It is for tests of failures.
	Hook func(Point) error
}

// Warehouse is one writer and any number of readers of the database. It is safe
// for concurrent use; commits queue up.
type Warehouse struct {
	cfg     Config
	db      *database.DB
	layouts *sync.Map // dataset (string) -> *layout
	writer  *database.Session
	lookups *database.Session // with temporary tables of its own, so that it does not wait for a commit
}

// Open attaches the database, creates or migrates the system tables and closes
// the instance to the outside. Errors to act on: *database.LockedError, *database.ExtensionError.
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

// Another is a second writer on the same open database, as another process
// would be: a file admits one process, so this is how two workers meet. Every
// handle must be closed.
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

// write runs fn with the writer's session for itself.
func (w *Warehouse) write(ctx context.Context, fn func(context.Context, *database.Conn) error) error {
	if w.cfg.Database.ReadOnly {
		return ErrReadOnly
	}
	return w.writer.Do(ctx, fn)
}

// staged reports whether rows go through a temporary table.
func (w *Warehouse) staged() bool { return w.cfg.Staged || w.Remote() }

// Location is the path of the file, or md: and the name of the MotherDuck
// database.
func (w *Warehouse) Location() string { return w.cfg.Database.Shown() }

// Remote reports whether the database is MotherDuck's.
func (w *Warehouse) Remote() bool { return w.cfg.Database.Remote() }

// Ping reports whether the warehouse answers.
func (w *Warehouse) Ping(ctx context.Context) error {
	return w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		var one int
		return conn.QueryRowContext(ctx, "SELECT count(*) FROM warehouse.estela.positions").Scan(&one)
	})
}
