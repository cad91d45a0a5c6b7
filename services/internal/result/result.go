// Package result is what a query answers with, in chunks of columns as DuckDB lays
// them out in memory: what the warehouse hands to the API without copying. It
// knows neither of them and nothing of the driver.
package result

import (
	"time"
	"unsafe"
)

// Column is a column of an answer, its type by DuckDB's name.
type Column struct{ Name, Type string }

// Snapshot is the state of the data that an answer shows.
type Snapshot struct {
	// AsOf is the time of the last commit in it, the zero time if there was none.
	AsOf time.Time
	// Revision grows with every commit. It tells states apart that were committed
	// within a microsecond.
	Revision int64
}

// Kind is how the values of a vector lie in memory; Other is what nobody here reads.
type Kind uint8

// The kinds, each with the Go type of its values.
const (
	Other       Kind = iota
	Boolean          // bool
	TinyInt          // int8
	SmallInt         // int16
	Integer          // int32
	BigInt           // int64
	UTinyInt         // uint8
	USmallInt        // uint16
	UInteger         // uint32
	UBigInt          // uint64
	Float            // float32
	Double           // float64
	Varchar          // read with Bytes
	Blob             // read with Bytes
	Date             // int32, days since 1970
	Timestamp        // int64, microseconds since 1970, in no zone
	TimestampTZ      // int64, microseconds since 1970 in UTC
	TimestampNS      // int64, nanoseconds since 1970, in no zone
	TimestampMS      // int64, milliseconds since 1970, in no zone
	TimestampS       // int64, seconds since 1970, in no zone
	Time             // int64, microseconds of the day
	TimeNS           // int64, nanoseconds of the day
	TimeTZ           // uint64, see Clock
	Interval         // Duration
	HugeInt          // Huge
	UHugeInt         // Huge, its High without a sign
	UUID             // Huge, its top bit flipped
	Decimal          // integers of the kind Type.Physical, without their point
	Enum             // places in Type.Words, of the kind Type.Physical
	List             // Span of Inside[0]
	Array            // nothing: row i has the Type.Size values of Inside[0] from i*Size on
	Map              // Span of Inside[0], the keys, and Inside[1], their values
	Struct           // nothing: its members' values are in row i of Inside
	Union            // as Struct; Inside[0] has the tag, a uint8: which of the others counts
)

// Vector is one column of a chunk.
type Vector struct {
	Kind Kind
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

// text is DuckDB's string_t: up to 12 bytes lie in it, more where the last field
// points to.
type text struct {
	length uint32
	prefix [4]byte
	at     *byte
}

// Bytes is the string or blob of row i, which lives as long as its chunk.
func (v Vector) Bytes(i int) []byte {
	const inPlace = 12
	t := (*text)(unsafe.Add(v.Data, uintptr(i)*unsafe.Sizeof(text{})))
	if t.length <= inPlace {
		return unsafe.Slice(&t.prefix[0], t.length)
	}
	return unsafe.Slice(t.at, t.length)
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
