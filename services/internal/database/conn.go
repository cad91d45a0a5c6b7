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

// Conn is a connection with exclusive use. Besides database/sql it streams results as vectors (Stream,
// Prepare) and appends whole columns (Append).
type Conn struct {
	*sql.Conn

	raw mapping.Connection
	run func(func()) // runs DuckDB's query execution
}

// NewConn returns a Conn of a connection to DuckDB, valid until conn is closed.
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

// LowPriority returns the connection with its queries on low-priority threads.
func (d *DB) LowPriority(c *Conn) *Conn { return &Conn{c.Conn, c.raw, d.background.run} }

// interruptible runs fn, and interrupts the connection's query when ctx ends. It returns after both.
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

// Session is a connection with its own temporary tables, for one caller at a time. They are lost when
// the DB is reopened.
type Session struct {
	db *DB
	mu sync.Mutex // locked during Do
}

// Session returns a Session, which connects at its first use and is closed with the database.
func (d *DB) Session() *Session { return &Session{db: d} }

// Do runs fn with the session's connection. fn must not use the DB.
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
