package database

import (
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/estela-dev/estela/services/internal/mask"
)

// Config configures the database's location and limits.
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
	// ExtensionDirectory is where MotherDuck's extension is searched for and
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
	// SpillLimit bounds the disk that queries may spill to, for example "4GB".
	//
	// Default: DuckDB's own, 90 % of what is free.
	SpillLimit string
	// Threads is the number of DuckDB's worker threads.
	//
	// Default: half the cores, at least one. A commit uses one, and idle ones cost time while they
	// wait.
	Threads int
	// ReadConns bounds the reads that run at once.
	//
	// Default: 4.
	ReadConns int
	// ReadOnly attaches the database for reading only.
	ReadOnly bool

	// Logger receives warnings and errors.
	//
	// Default: none.
	Logger *slog.Logger
}

// WithDefaults returns the configuration with defaults set.
func (c Config) WithDefaults() Config {
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
	if path, err := filepath.Abs(c.Location); err == nil && !c.Remote() {
		c.Location = path
	}
	return c
}

// Remote reports whether the database is on MotherDuck.
func (c Config) Remote() bool { return strings.HasPrefix(c.Location, "md:") }

// Shown returns the location without secrets.
func (c Config) Shown() string {
	if c.Remote() {
		return mask.URL(c.Location)
	}
	return c.Location
}
