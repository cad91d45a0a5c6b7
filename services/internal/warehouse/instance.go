package warehouse

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
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// instance is a DuckDB instance with the database attached.
type instance struct {
	db *sql.DB
	// ctx ends when the instance is abandoned after a fatal error.
	ctx     context.Context //nolint:containedctx // the instance's life, not a request's
	abandon context.CancelFunc

	mu       sync.Mutex
	sessions map[sessionKey]*session
}

// session is a connection with temporary tables of its own.
type session struct {
	conn *sql.Conn
	raw  mapping.Connection
}

// sessionKey names the session of a handle.
type sessionKey struct {
	owner *Warehouse
	role  string
}

// openInstance attaches the database, prepares it and locks the configuration.
func openInstance(ctx context.Context, cfg Config) (*instance, error) {
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
	inst := &instance{db: sql.OpenDB(connector), sessions: map[sessionKey]*session{}}
	inst.ctx, inst.abandon = context.WithCancel(context.WithoutCancel(ctx))
	inst.db.SetMaxIdleConns(cfg.ReadConns)
	if err := inst.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(err, inst.close())
	}
	attached.Store(true)
	return inst, nil
}

// prepare runs on the only connection that exists so far.
func (inst *instance) prepare(ctx context.Context, cfg Config) error {
	conn, err := inst.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("start DuckDB: %w", err)
	}
	defer conn.Close()
	if err := execAll(ctx, conn, settings(cfg)...); err != nil {
		return fmt.Errorf("configure DuckDB: %w", err)
	}
	if err := attach(ctx, conn, cfg); err != nil {
		return err
	}
	if cfg.ReadOnly {
		err = checkSystem(ctx, conn)
	} else {
		err = migrate(ctx, conn)
	}
	if err != nil || cfg.remote() { // saas_mode has closed and locked it already
		return err
	}
	// Last, because they hold for the whole instance and for good.
	return execAll(ctx, conn, "SET enable_external_access = false", "SET lock_configuration = true")
}

// settings are made before the attachment: MotherDuck's saas_mode allows none
// after it.
func settings(cfg Config) []string {
	set := []string{
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET GLOBAL TimeZone = 'UTC'",
		// A checkpoint at the default of 16 MB costs half the throughput; the
		// owner makes one when idle.
		"SET checkpoint_threshold = '1GB'",
		"SET temp_directory = " + quoteText(spillDirectory(cfg)),
	}
	add := func(name, value string) {
		if value != "" {
			set = append(set, "SET "+name+" = "+quoteText(value))
		}
	}
	add("memory_limit", cfg.MemoryLimit)
	add("max_temp_directory_size", cfg.SpillLimit)
	add("threads", strconv.Itoa(cfg.Threads))
	if cfg.remote() {
		add("extension_directory", cfg.ExtensionDirectory)
		add("custom_extension_repository", cfg.ExtensionRepository)
	}
	return set
}

// spillDirectory is where queries that need more memory put it.
func spillDirectory(cfg Config) string {
	if cfg.remote() {
		return filepath.Join(os.TempDir(), "estela-"+strconv.Itoa(os.Getpid())+".spill")
	}
	return cfg.Location + ".spill"
}

func attach(ctx context.Context, conn *sql.Conn, cfg Config) error {
	if cfg.remote() {
		return attachRemote(ctx, conn, cfg)
	}
	options := "STORAGE_VERSION 'latest'"
	if cfg.ReadOnly {
		options = "READ_ONLY"
	}
	err := execAll(ctx, conn, "ATTACH "+quoteText(cfg.Location)+" AS warehouse ("+options+")", "USE warehouse")
	if err != nil {
		return openError(cfg.Location, err)
	}
	return nil
}

func attachRemote(ctx context.Context, conn *sql.Conn, cfg Config) error {
	if cfg.Token == "" {
		return fmt.Errorf("open %s: no access token: set MOTHERDUCK_TOKEN", cfg.shown())
	}
	if err := execAll(ctx, conn, "INSTALL motherduck", "LOAD motherduck"); err != nil {
		return &ExtensionError{Location: cfg.shown(), Err: err}
	}
	err := execAll(ctx, conn, "SET motherduck_token = "+quoteText(cfg.Token), remoteAttach(cfg), "USE warehouse")
	if err != nil {
		return fmt.Errorf("open %s: %w", cfg.shown(), redact(err, cfg.Token))
	}
	return nil
}

// remoteAttach is the ATTACH of a MotherDuck database. MotherDuck takes an alias
// in single mode only; saas_mode keeps queries from this machine's files.
func remoteAttach(cfg Config) string {
	name, _, _ := strings.Cut(cfg.Location, "?")
	query := url.Values{
		"session_name": {cfg.SessionName},
		"saas_mode":    {"true"},
		"attach_mode":  {"single"},
	}
	return "ATTACH " + quoteText(name+"?"+query.Encode()) + " AS warehouse"
}

// session gives the session of that key, made at its first use.
func (inst *instance) session(ctx context.Context, key sessionKey) (*session, error) {
	inst.mu.Lock()
	defer inst.mu.Unlock()
	if s := inst.sessions[key]; s != nil {
		return s, nil
	}
	conn, err := inst.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to DuckDB: %w", err)
	}
	raw, err := rawConnection(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &session{conn: conn, raw: raw}
	inst.sessions[key] = s
	return s, nil
}

// close closes every connection and the file. Nobody may use the instance.
func (inst *instance) close() error {
	inst.abandon()
	var errs []error
	for _, s := range inst.sessions {
		errs = append(errs, s.conn.Close())
	}
	return errors.Join(append(errs, inst.db.Close())...)
}
