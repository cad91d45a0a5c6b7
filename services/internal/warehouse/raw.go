package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// rawConnection is the C connection under conn, for the parts of DuckDB's
// interface that the driver does not offer: appending whole vectors and
// streaming results. It is valid while conn is held.
//
// The driver keeps it in an unexported field, which is read here and nowhere
// else. A test fails when a new driver stores it differently.
func rawConnection(conn *sql.Conn) (mapping.Connection, error) {
	var raw mapping.Connection
	err := conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("read the driver's connection: it is a %T", driverConn)
		}
		field := reflect.ValueOf(c).Elem().FieldByName("conn")
		if !field.IsValid() || field.Type() != reflect.TypeFor[mapping.Connection]() {
			return errors.New("read the driver's connection: duckdb.Conn has no field conn of type mapping.Connection")
		}
		raw.Ptr = field.FieldByName("Ptr").UnsafePointer()
		return nil
	})
	return raw, err
}

// interruptible runs fn and interrupts what the connection executes when ctx
// ends. It returns after both.
func interruptible(ctx context.Context, raw mapping.Connection, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		mapping.Interrupt(raw)
		close(interrupted)
	})
	err := fn()
	if !stop() {
		<-interrupted
		err = errors.Join(ctx.Err(), err)
	}
	return err
}

// result is a query's answer that is computed while it is read, so that its
// size does not matter. It needs its connection for itself.
type result struct {
	raw  mapping.Connection
	stmt mapping.PreparedStatement
	res  mapping.Result
}

// stream starts a query without parameters.
func stream(ctx context.Context, raw mapping.Connection, query string) (*result, error) {
	r := &result{raw: raw}
	if mapping.Prepare(raw, query, &r.stmt) == mapping.StateError {
		err := errors.New(mapping.PrepareError(r.stmt))
		mapping.DestroyPrepare(&r.stmt)
		return nil, err
	}
	if err := interruptible(ctx, raw, r.execute); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *result) execute() error {
	var pending mapping.PendingResult
	defer mapping.DestroyPending(&pending)
	if bindings.PendingPreparedStreaming(r.stmt, &pending) == mapping.StateError {
		return duckError(mapping.PendingError(pending), mapping.ErrorTypeInvalid)
	}
	if mapping.ExecutePending(pending, &r.res) == mapping.StateError {
		return duckError(mapping.ResultError(&r.res), mapping.ResultErrorType(&r.res))
	}
	return nil
}

// next gives the next chunk, which the caller destroys, or one without Ptr
// after the last.
func (r *result) next(ctx context.Context) (mapping.DataChunk, error) {
	var chunk mapping.DataChunk
	err := interruptible(ctx, r.raw, func() error {
		chunk = mapping.FetchChunk(r.res)
		if text := mapping.ResultError(&r.res); chunk.Ptr == nil && text != "" {
			return duckError(text, mapping.ResultErrorType(&r.res))
		}
		return nil
	})
	if err != nil && chunk.Ptr != nil {
		mapping.DestroyDataChunk(&chunk)
	}
	return chunk, err
}

// each calls fn with every chunk.
func (r *result) each(ctx context.Context, fn func(chunk mapping.DataChunk, rows int) error) error {
	for {
		chunk, err := r.next(ctx)
		if err != nil || chunk.Ptr == nil {
			return err
		}
		err = fn(chunk, int(mapping.DataChunkGetSize(chunk)))
		mapping.DestroyDataChunk(&chunk)
		if err != nil {
			return err
		}
	}
}

func (r *result) close() {
	mapping.DestroyResult(&r.res)
	mapping.DestroyPrepare(&r.stmt)
}
