package warehouse

import (
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/estela-dev/estela/services/internal/mask"
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
	// Location is the path of a DuckDB file or "md:NAME", a MotherDuck database.
	Location string
	// Token is MotherDuck's access token. It never appears in errors or logs.
	Token string
	// SessionName is MotherDuck's name for the session: queries of the same
	// name go to the same instance there.
	//
	// Default: "estela".
	SessionName string
	// ExtensionDirectory is where MotherDuck's extension is looked for and
	// downloaded to.
	//
	// Default: DuckDB's own, ~/.duckdb/extensions.
	ExtensionDirectory string
	// ExtensionRepository is where MotherDuck's extension is downloaded from.
	//
	// Default: DuckDB's own.
	ExtensionRepository string

	// MemoryLimit bounds DuckDB's memory, for example "2GB".
	//
	// Default: DuckDB's own, 80 % of the machine's.
	MemoryLimit string
	// SpillLimit bounds the disk that queries may use for what does not fit into memory,
	// for example "4GB".
	//
	// Default: DuckDB's own, 90 % of what is free.
	SpillLimit string
	// Threads is the number of DuckDB's worker threads.
	//
	// Default: half the cores, at least one. A commit uses one, and one that
	// has nothing to do takes time from the others while it waits.
	Threads int
	// ReadConns bounds the reads that run at once.
	//
	// Default: 4.
	ReadConns int
	// ReadOnly opens for reading only: an API that runs apart from the worker.
	// Nothing is created or changed.
	ReadOnly bool
	// Staged sends the rows of a file through a temporary table as it is done
	// for MotherDuck. It is the stand-in for MotherDuck in tests.
	Staged bool

	// Logger receives what an operator should know.
	//
	// Default: none.
	Logger *slog.Logger
	// Hook, if set, is called at each step of a commit; its error makes the
	// commit fail there. It is for tests of failures.
	Hook func(Point) error
}

func (c Config) withDefaults() Config {
	if c.SessionName == "" {
		c.SessionName = "estela"
	}
	if c.Threads <= 0 {
		c.Threads = max(1, runtime.NumCPU()/2)
	}
	if c.ReadConns <= 0 {
		c.ReadConns = 4
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Hook == nil {
		c.Hook = func(Point) error { return nil }
	}
	if path, err := filepath.Abs(c.Location); err == nil && !c.remote() {
		c.Location = path
	}
	return c
}

// remote reports whether the database is MotherDuck's.
func (c Config) remote() bool { return strings.HasPrefix(c.Location, "md:") }

// shown is the location without what may be a secret in it.
func (c Config) shown() string {
	if c.remote() {
		return mask.URL(c.Location)
	}
	return c.Location
}

// staged reports whether rows go through a temporary table.
func (c Config) staged() bool { return c.Staged || c.remote() }
