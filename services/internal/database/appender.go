package database

import (
	"fmt"
	"runtime"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// VectorSize is the number of rows in a DuckDB chunk.
const VectorSize = 2048

// Appender appends whole columns to a table, in chunks. DuckDB copies the values, so they need not outlive
// Append.
type Appender struct {
	appender mapping.Appender
	chunk    mapping.DataChunk
	columns  int
}

// NewAppender returns an Appender. The caller closes it.
func (c *Conn) NewAppender(t Table) (*Appender, error) {
	a := &Appender{}
	if mapping.AppenderCreateExt(c.raw, t.Catalog, t.Schema, t.Name, &a.appender) == mapping.StateError {
		err := appenderError(a.appender)
		mapping.AppenderDestroy(&a.appender)
		return nil, fmt.Errorf("append to %s: %w", t, err)
	}
	a.columns = int(mapping.AppenderColumnCount(a.appender))
	types := make([]mapping.LogicalType, a.columns)
	for i := range types {
		types[i] = mapping.AppenderColumnType(a.appender, mapping.IdxT(i))
	}
	a.chunk = mapping.CreateDataChunk(types)
	for i := range types {
		mapping.DestroyLogicalType(&types[i])
	}
	return a, nil
}

// Append appends rows, with values for each of the table's columns.
func (a *Appender) Append(rows int, columns []Values) error {
	if len(columns) != a.columns {
		return fmt.Errorf("append %d columns to a table of %d", len(columns), a.columns)
	}
	var pins runtime.Pinner // the strings that DuckDB reads from Go's memory
	defer pins.Unpin()
	for i := range columns {
		if len(columns[i].heap) > 0 {
			pins.Pin(&columns[i].heap[0])
		}
	}
	for from := 0; from < rows; from += VectorSize {
		if err := a.appendChunk(columns, from, min(VectorSize, rows-from)); err != nil {
			return err
		}
	}
	if mapping.AppenderFlush(a.appender) == mapping.StateError {
		return appenderError(a.appender)
	}
	return nil
}

func (a *Appender) appendChunk(columns []Values, from, n int) error {
	mapping.DataChunkReset(a.chunk)
	for i := range columns {
		vector := mapping.DataChunkGetVector(a.chunk, mapping.IdxT(i))
		if err := columns[i].fill(vector, from, n); err != nil {
			return fmt.Errorf("append column %d: %w", i, err)
		}
	}
	mapping.DataChunkSetSize(a.chunk, mapping.IdxT(n))
	if mapping.AppendDataChunk(a.appender, a.chunk) == mapping.StateError {
		return appenderError(a.appender)
	}
	return nil
}

// Close frees the appender. Unflushed rows are lost.
func (a *Appender) Close() {
	mapping.DestroyDataChunk(&a.chunk)
	mapping.AppenderClear(a.appender)
	mapping.AppenderDestroy(&a.appender)
}

func appenderError(a mapping.Appender) error {
	data := mapping.AppenderErrorData(a)
	defer mapping.DestroyErrorData(&data)
	return errorOf(mapping.ErrorDataMessage(data), mapping.ErrorDataErrorType(data))
}
