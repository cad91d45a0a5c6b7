// Package result is what a query answers with, in chunks of columns as DuckDB lays
// them out in memory: what the warehouse hands to the API without copying. It
// knows neither of them and nothing of the driver.
package result

import (
	"time"
	"unsafe"

	"github.com/estela-dev/estela/services/internal/column"
)

// Column is a column of an answer, its type by DuckDB's name.
type Column struct{ Name, Type string }

// Snapshot is the state of the data that an answer shows.
type Snapshot struct {
	// AsOf is the time of the last commit in it, the zero time if there was none.
	AsOf time.Time
	// Revision grows with every commit. It distinguishes states that were committed
	// within a microsecond.
	Revision int64
}

// Vector is one column of a chunk.
type Vector struct {
	Kind column.Kind
	// Data are the values, Valid a bit a row that is 0 for NULL; nil: none is NULL.
	Data  unsafe.Pointer
	Valid *uint64
	// Inside are the vectors of the values within, of the nested kinds only.
	Inside []Vector
}

// Null says whether row i is NULL.
func (v Vector) Null(i int) bool {
	if v.Valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(unsafe.Pointer(v.Valid), i/64*8))
	return word&(1<<(i%64)) == 0
}

// At is the value of row i, of the Go type that its kind names.
func At[T any](v Vector, i int) T {
	var zero T
	return *(*T)(unsafe.Add(v.Data, uintptr(i)*unsafe.Sizeof(zero)))
}

// Values are the first n values.
func Values[T any](v Vector, n int) []T { return unsafe.Slice((*T)(v.Data), n) }

// Bytes is the string or blob of row i, which lives as long as its chunk.
func (v Vector) Bytes(i int) []byte {
	return (*column.Record)(unsafe.Add(v.Data, uintptr(i)*column.RecordSize)).Bytes()
}

// Text is Bytes as a string, just as long-lived.
func (v Vector) Text(i int) string {
	b := v.Bytes(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Chunk is some rows of an answer. It is valid until the next is asked for.
type Chunk struct {
	Rows    int
	Vectors []Vector
}

// Rows is an answer that is computed while it is read.
type Rows interface {
	// Next gives the next chunk, nil after the last.
	Next() (*Chunk, error)
}

// Typed are rows that know the types of their columns, also when there are none.
type Typed interface {
	Types() []Type
}
