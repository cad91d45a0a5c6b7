package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"time"

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

// answer is a query's answer that is computed while it is read, so that its
// size does not matter. It needs its connection for itself.
type answer struct {
	raw  mapping.Connection
	stmt mapping.PreparedStatement
	res  mapping.Result
	// on is where DuckDB works on it.
	on func(func())
}

// stream starts a query, whose parameters ($name) args has values for: nil, bool,
// int64, float64, string or time.Time.
func stream(ctx context.Context, raw mapping.Connection, query string, args map[string]any) (*answer, error) {
	r, err := prepare(raw, query)
	if err != nil {
		return nil, err
	}
	if err := r.run(ctx, args); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func prepare(raw mapping.Connection, query string) (*answer, error) {
	r := &answer{raw: raw, on: func(fn func()) { fn() }}
	if mapping.Prepare(raw, query, &r.stmt) == mapping.StateError {
		err := errors.New(mapping.PrepareError(r.stmt))
		mapping.DestroyPrepare(&r.stmt)
		return nil, err
	}
	return r, nil
}

func (r *answer) run(ctx context.Context, args map[string]any) error {
	if err := r.bind(args); err != nil {
		return err
	}
	return interruptible(ctx, r.raw, func() (err error) {
		r.on(func() { err = r.execute() })
		return err
	})
}

func (r *answer) bind(args map[string]any) error {
	for i := range mapping.NParams(r.stmt) {
		name := mapping.ParameterName(r.stmt, i+1)
		value, ok := args[name]
		if !ok {
			return fmt.Errorf("query has the parameter $%s, which was given no value", name)
		}
		if bindValue(r.stmt, i+1, value) == mapping.StateError {
			return fmt.Errorf("bind $%s: %s", name, mapping.PrepareError(r.stmt))
		}
	}
	return nil
}

func bindValue(stmt mapping.PreparedStatement, i mapping.IdxT, value any) mapping.State {
	switch v := value.(type) {
	case nil:
		return mapping.BindNull(stmt, i)
	case bool:
		return mapping.BindBoolean(stmt, i, v)
	case int64:
		return mapping.BindInt64(stmt, i, v)
	case float64:
		return mapping.BindDouble(stmt, i, v)
	case string:
		return mapping.BindVarchar(stmt, i, v)
	case time.Time:
		return bindTime(stmt, i, v)
	default:
		return mapping.StateError
	}
}

// bindTime binds a date where the query has one: as an instant it would become
// a date in the session's zone.
func bindTime(stmt mapping.PreparedStatement, i mapping.IdxT, v time.Time) mapping.State {
	const day = 24 * 60 * 60
	value := mapping.CreateTimestampTZ(mapping.NewTimestamp(v.UnixMicro()))
	if mapping.ParamType(stmt, i) == mapping.TypeDate {
		seconds := v.Unix()
		value = mapping.CreateDate(mapping.NewDate(int32((seconds - (seconds%day+day)%day) / day)))
	}
	defer mapping.DestroyValue(&value)
	return mapping.BindValue(stmt, i, value)
}

func (r *answer) execute() error {
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
func (r *answer) next(ctx context.Context) (mapping.DataChunk, error) {
	var chunk mapping.DataChunk
	err := interruptible(ctx, r.raw, func() error {
		r.on(func() { chunk = mapping.FetchChunk(r.res) })
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
func (r *answer) each(ctx context.Context, fn func(chunk mapping.DataChunk, rows int) error) error {
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

func (r *answer) close() {
	mapping.DestroyResult(&r.res)
	mapping.DestroyPrepare(&r.stmt)
}
