package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/result"
)

// errNoQuery refuses statements that do more than read: lock_configuration does not cover PRAGMA
// enable_profiling, for example.
var errNoQuery = errors.New("only SELECT and EXPLAIN are run here")

// Query is a statement and its result, which is streamed, so that its size does not matter. It needs its
// connection exclusively.
type Query struct {
	conn  *Conn
	ctx   context.Context //nolint:containedctx // Run's: Next is called inside of it
	stmt  mapping.PreparedStatement
	res   mapping.Result
	raw   mapping.DataChunk
	chunk result.Chunk
}

// Stream runs a query with named parameters ($name), whose values in args are nil, bool, int64, float64,
// string or time.Time. It calls each once with the rows, which implement result.Typed. It refuses
// statements other than SELECT and EXPLAIN.
func (c *Conn) Stream(ctx context.Context, query string, args map[string]any, each func(result.Rows) error) error {
	q, err := c.Prepare(query)
	if err != nil {
		return err
	}
	defer q.Close()
	if !q.IsSelect() && mapping.PreparedStatementType(q.stmt) != mapping.StatementTypeExplain {
		return errNoQuery
	}
	if err := q.Run(ctx, args); err != nil {
		return err
	}
	return each(q)
}

// Prepare prepares one statement. The caller closes it.
func (c *Conn) Prepare(query string) (*Query, error) {
	q := &Query{conn: c}
	if mapping.Prepare(c.raw, query, &q.stmt) == mapping.StateError {
		err := errors.New(mapping.PrepareError(q.stmt))
		mapping.DestroyPrepare(&q.stmt)
		return nil, err
	}
	return q, nil
}

// IsSelect reports whether the statement is one SELECT.
func (q *Query) IsSelect() bool {
	return mapping.PreparedStatementType(q.stmt) == mapping.StatementTypeSelect
}

// Parameters returns the names of the statement's parameters.
func (q *Query) Parameters() []string {
	names := make([]string, mapping.NParams(q.stmt))
	for i := range names {
		names[i] = mapping.ParameterName(q.stmt, mapping.IdxT(i+1))
	}
	return names
}

// Run starts the statement. The end of ctx interrupts it and Next.
func (q *Query) Run(ctx context.Context, args map[string]any) error {
	if err := q.bind(args); err != nil {
		return err
	}
	q.ctx = ctx
	return q.conn.interruptible(ctx, func() (err error) {
		q.conn.run(func() { err = q.execute() })
		return err
	})
}

func (q *Query) bind(args map[string]any) error {
	for i, name := range q.Parameters() {
		value, ok := args[name]
		if !ok {
			return noValue(name)
		}
		if bindValue(q.stmt, mapping.IdxT(i+1), value) == mapping.StateError {
			return fmt.Errorf("bind $%s: %s", name, mapping.PrepareError(q.stmt))
		}
	}
	return nil
}

func noValue(parameter string) error {
	return fmt.Errorf("query has the parameter $%s, which was given no value", parameter)
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

// bindTime binds a date where the parameter is one: an instant would be converted in the session's zone.
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

func (q *Query) execute() error {
	var pending mapping.PendingResult
	defer mapping.DestroyPending(&pending)
	if bindings.PendingPreparedStreaming(q.stmt, &pending) == mapping.StateError {
		return errorOf(mapping.PendingError(pending), mapping.ErrorTypeInvalid)
	}
	if mapping.ExecutePending(pending, &q.res) == mapping.StateError {
		return errorOf(mapping.ResultError(&q.res), mapping.ResultErrorType(&q.res))
	}
	return nil
}

// Names returns the names of the result's columns.
func (q *Query) Names() []string {
	names := make([]string, mapping.ColumnCount(&q.res))
	for i := range names {
		names[i] = mapping.ColumnName(&q.res, mapping.IdxT(i))
	}
	return names
}

// Types implements result.Typed.
func (q *Query) Types() []result.Type {
	types := make([]result.Type, mapping.ColumnCount(&q.res))
	for i := range types {
		types[i] = consumeType(mapping.ColumnLogicalType(&q.res, mapping.IdxT(i)))
	}
	return types
}

// Next implements result.Rows.
func (q *Query) Next() (*result.Chunk, error) {
	mapping.DestroyDataChunk(&q.raw)
	err := q.conn.interruptible(q.ctx, func() error {
		q.conn.run(func() { q.raw = mapping.FetchChunk(q.res) })
		if text := mapping.ResultError(&q.res); q.raw.Ptr == nil && text != "" {
			return errorOf(text, mapping.ResultErrorType(&q.res))
		}
		return nil
	})
	if err != nil || q.raw.Ptr == nil {
		return nil, err
	}
	q.chunk.Rows = int(mapping.DataChunkGetSize(q.raw))
	q.chunk.Vectors = q.chunk.Vectors[:0]
	for i := range mapping.DataChunkGetColumnCount(q.raw) {
		q.chunk.Vectors = append(q.chunk.Vectors, vectorOf(mapping.DataChunkGetVector(q.raw, i)))
	}
	return &q.chunk, nil
}

// Close frees the statement and its result.
func (q *Query) Close() {
	mapping.DestroyDataChunk(&q.raw)
	mapping.DestroyResult(&q.res)
	mapping.DestroyPrepare(&q.stmt)
}
