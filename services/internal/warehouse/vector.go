package warehouse

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/column"
)

// vectorSize is the number of rows in a DuckDB chunk.
const vectorSize = 2048

// source is what one column of a table is filled from. Its layout is that of
// column.Vector.
type source struct {
	data  []byte
	width int
	heap  []byte
	nulls []uint8
	text  bool // data are string records that may point into heap
	same  bool // data is one value, every row's
	null  bool // every row is NULL
}

// record is DuckDB's string_t. Beyond 12 bytes the last field is where the
// string is: an offset in a source's heap, a pointer in DuckDB's vector.
type record struct {
	length uint32
	prefix [4]byte
	at     uint64
}

// inPlace is the length up to which a record holds the string itself.
const inPlace = 12

func vectorSource(v *column.Vector) source {
	return source{
		data: v.Data, width: v.Type.Width(), heap: v.Heap, nulls: v.Nulls,
		text: v.Type == column.Varchar || v.Type == column.JSON,
	}
}

// numbers is a source of the given values.
func numbers[T any](values []T) source {
	var zero T
	width := int(unsafe.Sizeof(zero))
	if len(values) == 0 {
		return source{width: width}
	}
	return source{data: unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*width), width: width}
}

// constant is a source of one value for every row.
func constant[T any](value T) source {
	s := numbers([]T{value})
	s.same = true
	return s
}

// stringColumn is a source under construction of VARCHAR, JSON or BLOB values.
type stringColumn struct {
	records []record
	heap    []byte
}

func (c *stringColumn) add(value []byte) {
	r := record{length: uint32(len(value))}
	if len(value) <= inPlace {
		copy(r.inline(), value)
	} else {
		copy(r.prefix[:], value)
		r.at = uint64(len(c.heap))
		c.heap = append(c.heap, value...)
	}
	c.records = append(c.records, r)
}

// reset empties the column and keeps its memory.
func (c *stringColumn) reset() { c.records, c.heap = c.records[:0], c.heap[:0] }

// inline is the record's space for a short string.
func (r *record) inline() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&r.prefix)), inPlace)
}

func (c *stringColumn) source() source {
	s := numbers(c.records)
	s.heap, s.text = c.heap, true
	return s
}

// appender loads whole columns into a table. It copies them in chunks; DuckDB
// copies each again, so nothing is kept after append returns.
type appender struct {
	appender mapping.Appender
	chunk    mapping.DataChunk
	columns  int
}

func newAppender(raw mapping.Connection, t table) (*appender, error) {
	a := &appender{}
	if mapping.AppenderCreateExt(raw, t.catalog, t.schema, t.name, &a.appender) == mapping.StateError {
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

// append adds rows rows, a source for each of the table's columns.
func (a *appender) append(rows int, columns []source) error {
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
	for from := 0; from < rows; from += vectorSize {
		if err := a.appendChunk(columns, from, min(vectorSize, rows-from)); err != nil {
			return err
		}
	}
	return a.flush()
}

func (a *appender) flush() error {
	if mapping.AppenderFlush(a.appender) == mapping.StateError {
		return appenderError(a.appender)
	}
	return nil
}

// appendWhole adds the rows of a chunk of the table's types.
func (a *appender) appendWhole(chunk mapping.DataChunk) error {
	if mapping.AppendDataChunk(a.appender, chunk) == mapping.StateError {
		return appenderError(a.appender)
	}
	return nil
}

func (a *appender) appendChunk(columns []source, from, n int) error {
	mapping.DataChunkReset(a.chunk)
	for i := range columns {
		vector := mapping.DataChunkGetVector(a.chunk, mapping.IdxT(i))
		if err := columns[i].fill(vector, from, n); err != nil {
			return fmt.Errorf("append column %d: %w", i, err)
		}
	}
	mapping.DataChunkSetSize(a.chunk, mapping.IdxT(n))
	return a.appendWhole(a.chunk)
}

// close frees the appender. What was not flushed is lost.
func (a *appender) close() {
	mapping.DestroyDataChunk(&a.chunk)
	mapping.AppenderClear(a.appender)
	mapping.AppenderDestroy(&a.appender)
}

// fill writes n values, the first at index from, into vector.
func (s *source) fill(vector mapping.Vector, from, n int) error {
	if s.null {
		mask := validity(vector)
		clear(mask[:(n+63)/64])
		return nil
	}
	data := mapping.VectorGetData(vector)
	if err := s.copyTo(unsafe.Slice((*byte)(data), n*s.width), from, n); err != nil {
		return err
	}
	nulls := s.nullsOf(from, n)
	if nulls != nil {
		mask := validity(vector)
		for i, null := range nulls {
			mask[i/64] &^= uint64(null) << (i % 64)
		}
	}
	if s.text {
		return s.point(unsafe.Slice((*record)(data), n), nulls)
	}
	return nil
}

func (s *source) copyTo(dst []byte, from, n int) error {
	if s.same {
		for i := range n {
			copy(dst[i*s.width:], s.data)
		}
		return nil
	}
	if len(s.data) < (from+n)*s.width {
		return fmt.Errorf("has %d bytes for %d rows", len(s.data), from+n)
	}
	copy(dst, s.data[from*s.width:])
	return nil
}

// nullsOf gives the NULL marks of the rows, nil if none of them is NULL.
func (s *source) nullsOf(from, n int) []uint8 {
	if s.nulls == nil || bytes.IndexByte(s.nulls[from:from+n], 1) < 0 {
		return nil
	}
	return s.nulls[from : from+n]
}

// point turns the offsets of long strings into pointers into the pinned heap.
func (s *source) point(records []record, nulls []uint8) error {
	base := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s.heap))))
	for i := range records {
		r := &records[i]
		switch {
		case nulls != nil && nulls[i] == 1:
			*r = record{}
		case r.length <= inPlace:
		case r.at+uint64(r.length) > uint64(len(s.heap)):
			return errors.New("a string lies outside the heap")
		default:
			r.at += base
		}
	}
	return nil
}

// validity is the vector's mask: a bit a row, 0 for NULL. All are 1 at first.
func validity(vector mapping.Vector) []uint64 {
	mapping.VectorEnsureValidityWritable(vector)
	return maskAt(mapping.VectorGetValidity(vector))
}

func maskAt(mask unsafe.Pointer) []uint64 { return unsafe.Slice((*uint64)(mask), vectorSize/64) }

func appenderError(a mapping.Appender) error {
	data := mapping.AppenderErrorData(a)
	defer mapping.DestroyErrorData(&data)
	return duckError(mapping.ErrorDataMessage(data), mapping.ErrorDataErrorType(data))
}
