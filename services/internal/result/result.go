// Package result holds the rows of a query's answer, in chunks of column vectors as DuckDB lays
// them out in memory, so that the warehouse passes them to the API without copying. It imports
// neither of them, nor the driver.
package result

import (
	"time"
	"unsafe"

	"github.com/estela-dev/estela/services/internal/column"
)

// Column is a column of an answer. Type is DuckDB's name of its type.
type Column struct{ Name, Type string }

// Snapshot is the state of the data that an answer shows.
type Snapshot struct {
	// AsOf is the time of the last commit in it, the zero time if there was none.
	AsOf time.Time
	// Revision grows with every commit, also within the microsecond of AsOf.
	Revision int64
}

// Vector is one column of a chunk.
type Vector struct {
	Kind column.Kind
	// Data are the values. Valid has a bit a row, 0 for NULL; nil: no row is NULL.
	Data  unsafe.Pointer
	Valid *uint64
	// Children are the vectors of a nested kind's values.
	Children []Vector
}

// Null reports whether row i is NULL.
func (v Vector) Null(i int) bool {
	if v.Valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(unsafe.Pointer(v.Valid), i/64*8))
	return word&(1<<(i%64)) == 0
}

// At returns the value of row i. T is the Go type of the vector's kind.
func At[T any](v Vector, i int) T {
	var zero T
	return *(*T)(unsafe.Add(v.Data, uintptr(i)*unsafe.Sizeof(zero)))
}

// Values returns the first n values.
func Values[T any](v Vector, n int) []T { return unsafe.Slice((*T)(v.Data), n) }

// Bytes returns the string or blob of row i, which is valid as long as its chunk.
func (v Vector) Bytes(i int) []byte {
	return (*column.Record)(unsafe.Add(v.Data, uintptr(i)*column.RecordSize)).Bytes()
}

// Text returns Bytes as a string, valid as long.
func (v Vector) Text(i int) string {
	b := v.Bytes(i)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Inside returns how many values of the vectors inside of a List or a Map there are up to the last of n
// rows'.
func (v Vector) Inside(row, n int) int {
	end := uint64(0)
	for i := row; i < row+n; i++ {
		if e := At[ListEntry](v, i); !v.Null(i) {
			end = max(end, e.Offset+e.Length)
		}
	}
	return int(end)
}

// Size is about how many bytes n values have, those inside included.
func (v Vector) Size(row, n int) (size int) {
	size = n * column.RecordSize
	switch v.Kind {
	case column.Varchar, column.Blob:
		for i := row; i < row+n; i++ {
			if !v.Null(i) {
				size += int(At[column.Record](v, i).Length)
			}
		}
	case column.Struct:
		for _, inside := range v.Children {
			size += inside.Size(row, n)
		}
	case column.List, column.Map:
		for i := row; i < row+n; i++ {
			if e := At[ListEntry](v, i); !v.Null(i) {
				for _, inside := range v.Children {
					size += inside.Size(int(e.Offset), int(e.Length))
				}
			}
		}
	default:
	}
	return size
}

// Chunk is some rows of an answer, valid until the next call of Rows.Next.
type Chunk struct {
	Rows    int
	Vectors []Vector
}

// Rows is an answer that is streamed.
type Rows interface {
	// Next returns the next chunk, nil after the last.
	Next() (*Chunk, error)
}

// Typed is implemented by Rows that know the types of their columns before the first chunk.
type Typed interface {
	Types() []Type
}

// Sink writes rows to a file.
type Sink interface {
	// Write writes the first n rows of the vectors, which the caller may reuse afterwards.
	Write(vectors []Vector, n int) error
	// Finish writes the end of the file.
	Finish() error
	// Close abandons the file, unless it is finished. Nothing is written after it.
	Close() error
}
