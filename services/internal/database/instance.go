package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/duckdb/duckdb-go/v2"
)

// instance is a DuckDB instance with the database attached.
type instance struct {
	db *sql.DB
	// ctx ends when the instance is abandoned, after a fatal error or at the end.
	ctx     context.Context //nolint:containedctx // the instance's life, not a request's
	abandon context.CancelFunc

	mu       sync.Mutex
	sessions map[*Session]*Conn
}

// openInstance attaches the database, prepares it and locks the configuration.
func openInstance(ctx context.Context, cfg Config, prepare Prepare) (*instance, error) {
	var attached atomic.Bool
	connector, err := duckdb.NewConnector("", func(conn driver.ExecerContext) error {
		if !attached.Load() {
			return nil
		}
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "USE warehouse", nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	inst := &instance{db: sql.OpenDB(connector), sessions: map[*Session]*Conn{}}
	inst.ctx, inst.abandon = context.WithCancel(context.WithoutCancel(ctx))
	inst.db.SetMaxIdleConns(cfg.ReadConns)
	if err := inst.attach(ctx, cfg, prepare); err != nil {
		return nil, errors.Join(err, inst.close())
	}
	attached.Store(true)
	return inst, nil
}

// attach uses the first connection, before any other exists.
func (inst *instance) attach(ctx context.Context, cfg Config, prepare Prepare) error {
	conn, err := inst.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := ExecAll(ctx, conn, settings(cfg)...); err != nil {
		return fmt.Errorf("configure DuckDB: %w", err)
	}
	if err := registerRows(conn); err != nil {
		return err
	}
	if err := attach(ctx, conn, cfg); err != nil {
		return err
	}
	if err := prepare(ctx, conn); err != nil || cfg.Remote() { // saas_mode has closed and locked it already
		return err
	}
	// Last, because they hold for the whole instance and are irreversible.
	return ExecAll(ctx, conn, "SET enable_external_access = false", "SET lock_configuration = true")
}

// settings returns the SET statements that precede ATTACH: MotherDuck's saas_mode allows none after it.
func settings(cfg Config) []string {
	set := []string{
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET GLOBAL TimeZone = 'UTC'",
		// A checkpoint at the default of 16 MB costs half the throughput; the
		// owner makes one when idle.
		"SET checkpoint_threshold = '1GB'",
		"SET temp_directory = " + QuoteText(spillDirectory(cfg)),
	}
	add := func(name, value string) {
		if value != "" {
			set = append(set, "SET "+name+" = "+QuoteText(value))
		}
	}
	add("memory_limit", cfg.MemoryLimit)
	add("max_temp_directory_size", cfg.SpillLimit)
	add("threads", strconv.Itoa(cfg.Threads))
	if cfg.Remote() {
		add("extension_directory", cfg.ExtensionDirectory)
		add("custom_extension_repository", cfg.ExtensionRepository)
	}
	return set
}

// spillDirectory returns the directory that queries spill to.
func spillDirectory(cfg Config) string {
	if cfg.Remote() {
		return filepath.Join(os.TempDir(), "estela-"+strconv.Itoa(os.Getpid())+".spill")
	}
	return cfg.Location + ".spill"
}

func attach(ctx context.Context, conn *Conn, cfg Config) error {
	if cfg.Remote() {
		return attachRemote(ctx, conn, cfg)
	}
	options := "STORAGE_VERSION 'latest'"
	if cfg.ReadOnly {
		options = "READ_ONLY"
	}
	err := ExecAll(ctx, conn, "ATTACH "+QuoteText(cfg.Location)+" AS warehouse ("+options+")", "USE warehouse")
	if err != nil {
		return openError(cfg.Location, err)
	}
	return nil
}

func attachRemote(ctx context.Context, conn *Conn, cfg Config) error {
	if cfg.Token == "" {
		return fmt.Errorf("open %s: no access token: set MOTHERDUCK_TOKEN", cfg.Shown())
	}
	if err := ExecAll(ctx, conn, "INSTALL motherduck", "LOAD motherduck"); err != nil {
		return &ExtensionError{Location: cfg.Shown(), Err: err}
	}
	err := ExecAll(ctx, conn, "SET motherduck_token = "+QuoteText(cfg.Token), remoteAttach(cfg), "USE warehouse")
	if err != nil {
		return fmt.Errorf("open %s: %w", cfg.Shown(), redact(err, cfg.Token))
	}
	return nil
}

// remoteAttach returns the ATTACH of a MotherDuck database. MotherDuck accepts an alias in single mode
// only; saas_mode denies queries this machine's files.
func remoteAttach(cfg Config) string {
	name, _, _ := strings.Cut(cfg.Location, "?")
	query := url.Values{
		"session_name": {cfg.SessionName},
		"saas_mode":    {"true"},
		"attach_mode":  {"single"},
	}
	return "ATTACH " + QuoteText(name+"?"+query.Encode()) + " AS warehouse"
}

// connect returns a connection. The caller closes it.
func (inst *instance) connect(ctx context.Context) (*Conn, error) {
	conn, err := inst.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to DuckDB: %w", err)
	}
	c, err := NewConn(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// session returns the session's connection, opened at its first use.
func (inst *instance) session(ctx context.Context, s *Session) (*Conn, error) {
	inst.mu.Lock()
	defer inst.mu.Unlock()
	if c := inst.sessions[s]; c != nil {
		return c, nil
	}
	c, err := inst.connect(ctx)
	if err == nil {
		inst.sessions[s] = c
	}
	return c, err
}

// close closes every connection and the file. The instance must be unused.
func (inst *instance) close() error {
	inst.abandon()
	var errs []error
	for _, c := range inst.sessions {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, inst.db.Close())...)
}
