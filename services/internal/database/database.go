package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// ErrReopening means that a query was interrupted because DuckDB's instance is reopened after a fatal
// error. It can be retried.
var ErrReopening = errors.New("database is reopened after a fatal error: try again")

var errClosed = errors.New("database is closed")

// throttleTime is how long reads run one at a time after ThrottleReads.
const throttleTime = time.Second

// Prepare initializes a database after it is attached, before outside access is closed. It is called
// again whenever the instance is reopened.
type Prepare func(ctx context.Context, conn *Conn) error

// DB is an open database, reference-counted by its users. Its instance is replaced after a fatal error.
// It is safe for concurrent use.
type DB struct {
	// Parquet writes answers as Parquet.
	Parquet ParquetExporter

	cfg     Config
	prepare Prepare
	reads   chan struct{} // semaphore of running reads
	// single is the semaphore of the one read that runs while reads are throttled; throttled is the
	// time of the last ThrottleReads, in nanoseconds since 1970.
	single     chan struct{}
	throttled  atomic.Int64
	background *background // a thread for each read

	mu    sync.RWMutex // read-held while the instance is used
	inst  *instance
	users int
}

// Open attaches the database, prepares it and closes outside access. Errors with a hint: *LockedError,
// *ExtensionError.
func Open(ctx context.Context, cfg Config, prepare Prepare) (*DB, error) {
	cfg = cfg.WithDefaults()
	d := &DB{
		cfg: cfg, prepare: prepare, users: 1,
		reads: make(chan struct{}, cfg.ReadConns), single: make(chan struct{}, 1), background: newBackground(cfg.ReadConns),
	}
	if err := d.reopen(ctx); err != nil {
		d.background.stop()
		return nil, err
	}
	return d, nil
}

// Share adds a user, which must call Close, too.
func (d *DB) Share() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users++
}

// Close removes a user; the last one closes the database.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users--; d.users > 0 {
		return nil
	}
	if d.users == 0 {
		d.background.stop() // no read is running: it would have the lock
		d.Parquet.Close()
	}
	if d.inst == nil {
		return nil
	}
	err := d.inst.close()
	d.inst = nil
	return err
}

// ThrottleReads makes reads run one at a time for the next second, to leave the machine to a backlog that
// is being stored.
func (d *DB) ThrottleReads() { d.throttled.Store(time.Now().UnixNano()) }

// Read runs fn with a connection for reading. At most Config.ReadConns run at once, others wait. fn must
// not use the DB.
func (d *DB) Read(ctx context.Context, fn func(context.Context, *Conn) error) error {
	limits := []chan struct{}{d.reads}
	if time.Now().UnixNano()-d.throttled.Load() < int64(throttleTime) {
		limits = []chan struct{}{d.single, d.reads}
	}
	for _, limit := range limits {
		select {
		case limit <- struct{}{}:
			defer func() { <-limit }()
		case <-ctx.Done():
			return fmt.Errorf("wait for a read connection: %w", ctx.Err())
		}
	}
	return d.with(ctx, func(ctx context.Context, inst *instance) error {
		conn, err := inst.connect(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return fn(ctx, conn)
	})
}

// with runs fn with a working instance, which it reopens if necessary. Calls must not be nested: a reopen
// between them would wait for the outer and the inner for the reopen.
func (d *DB) with(ctx context.Context, fn func(context.Context, *instance) error) error {
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
func (d *DB) run(ctx context.Context, inst *instance, fn func(context.Context, *instance) error) error {
	bound, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(inst.ctx, cancel) //nolint:contextcheck // the instance's life, beside the caller's
	defer stop()
	err := fn(bound, inst)
	if err == nil {
		return nil
	}
	if isFatal(err) {
		d.cfg.Logger.LogAttrs(ctx, slog.LevelError, "fatal database error, reopening", slog.Any("error", err))
		inst.abandon()
	}
	if inst.ctx.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w (%w)", ErrReopening, err)
	}
	return err
}

// reopen waits until the broken instance is unused, closes it and opens a new one. In that order, because
// the file's lock belongs to the process: closing the old one later would release the new one's.
func (d *DB) reopen(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users == 0 {
		return errClosed
	}
	if d.inst != nil && d.inst.ctx.Err() == nil {
		return nil // reopened meanwhile
	}
	if d.inst != nil {
		if err := d.inst.close(); err != nil {
			d.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "close of the broken database failed", slog.Any("error", err))
		}
		d.inst = nil
	}
	inst, err := openInstance(ctx, d.cfg, d.prepare)
	if err != nil {
		return err
	}
	d.inst = inst
	return nil
}
