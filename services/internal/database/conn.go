package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Conn is a connection that its holder has for itself. Besides what database/sql
// offers it streams answers as vectors (Stream, Prepare) and appends whole columns
// (NewAppender).
type Conn struct {
	*sql.Conn

	raw mapping.Connection
	run func(func()) // where DuckDB works on its queries
}

// NewConn makes a Conn of a connection to DuckDB. It is valid while conn is held.
//
// The driver has the C connection in an unexported field, which is read here and
// nowhere else. A test fails when a new driver stores it differently.
func NewConn(conn *sql.Conn) (*Conn, error) {
	c := &Conn{Conn: conn, run: func(fn func()) { fn() }}
	err := conn.Raw(func(driverConn any) error {
		duck, ok := driverConn.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("read the driver's connection: it is a %T", driverConn)
		}
		field := reflect.ValueOf(duck).Elem().FieldByName("conn")
		if !field.IsValid() || field.Type() != reflect.TypeFor[mapping.Connection]() {
			return errors.New("read the driver's connection: duckdb.Conn has no field conn of type mapping.Connection")
		}
		c.raw.Ptr = field.FieldByName("Ptr").UnsafePointer()
		return nil
	})
	return c, err
}

// LowPriority is the connection with its queries on threads that others go before.
func (d *DB) LowPriority(c *Conn) *Conn { return &Conn{c.Conn, c.raw, d.background.run} }

// interruptible runs fn and interrupts what the connection executes when ctx
// ends. It returns after both.
func (c *Conn) interruptible(ctx context.Context, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		mapping.Interrupt(c.raw)
		close(interrupted)
	})
	err := fn()
	if !stop() {
		<-interrupted
		err = errors.Join(ctx.Err(), err)
	}
	return err
}

// AppendRows appends the rows that fn adds, one value a column, to a table.
func (c *Conn) AppendRows(to Table, fn func(add func(row ...driver.Value) error) error) error {
	return c.Raw(func(driverConn any) error {
		a, err := duckdb.NewAppender(driverConn.(driver.Conn), to.Catalog, to.Schema, to.Name) //nolint:forcetypeassert // it is the driver's
		if err != nil {
			return fmt.Errorf("append to %s: %w", to, err)
		}
		return errors.Join(fn(a.AppendRow), a.Close())
	})
}

// Session is a connection with temporary tables of its own, for one caller at a time.
// When the DB is reopened it is another, without them.
type Session struct {
	db *DB
	mu sync.Mutex // held by the caller
}

// Session makes one, which connects at its first use and ends with the database.
func (d *DB) Session() *Session { return &Session{db: d} }

// Do runs fn with the session's connection, waiting for callers before. Fn must not use
// the DB.
func (s *Session) Do(ctx context.Context, fn func(context.Context, *Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.db.with(ctx, func(ctx context.Context, inst *instance) error {
		conn, err := inst.session(ctx, s)
		if err != nil {
			return err
		}
		return fn(ctx, conn)
	})
}
