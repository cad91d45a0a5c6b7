package contract

import "unsafe"

// Type is the type of a column. Each has one fixed width in memory.
type Type uint8

// The column types, named as DuckDB names them.
const (
	Varchar     Type = iota // string_t, 16 bytes: see Vector
	JSON                    // as Varchar; canonical bytes as they were sent
	Boolean                 // 1 byte, 0 or 1
	TinyInt                 // int8
	SmallInt                // int16
	Integer                 // int32
	BigInt                  // int64
	Double                  // float64
	Date                    // int32, days since 1970-01-01
	TimestampTZ             // int64, microseconds since 1970-01-01 UTC
	UUID                    // 16 bytes, DuckDB's hugeint: low uint64, then high uint64 with its top bit flipped
)

// Vector is one column of a batch in the memory layout of a DuckDB vector, so
// that a commit copies columns and not values.
//
// A string is a 16-byte record: its length (uint32), then up to 12 bytes in
// place; a longer one has its first 4 bytes and then, as uint64, its offset in
// Heap, which the warehouse turns into a pointer.
type Vector struct {
	Type Type
	// Data holds Width(Type) bytes a row, in the machine's byte order.
	Data []byte
	// Heap holds the strings longer than 12 bytes.
	Heap []byte
	// Nulls has one byte a row, 1 for NULL; it is nil while no row is NULL.
	Nulls []uint8
	spare []uint8 // Nulls of before a Reset
}

// Batch is what one commit stores: rows in columns, rejects, and the step of
// the position.
type Batch struct {
	Contract *Contract
	Shard    int
	// Rows counts the rows in every column.
	Rows    int
	Columns []Vector // in the order of Contract.Columns
	// MS, Seq and Line are where each row came from: stream ID and line. Line is
	// 0 for a single event and counts from 1 in a batch entry.
	MS, Seq []uint64
	Line    []uint32
	// Unstreamed marks a batch that did not come from the stream (backfill):
	// Seq is stored as NULL.
	Unstreamed bool
	// Hashes are the hashes of the rows' keys (xxh3, 64 bits).
	Hashes  []uint64
	Rejects []Reject
	// Replayed are stored rejects that this batch settles: the commit deletes
	// them. Found by ID, line and bytes.
	Replayed []Reject
	// Last is the position after this commit.
	Last ID
	// Added is what the server had counted as added to the stream up to Last: -1 is
	// unknown, 0 keeps what is there.
	Added int64
	// RunID is the Redis server's run_id to note with the position; empty
	// keeps the one that is there.
	RunID string
	// Token identifies the commit of this batch, over all its tries: when the
	// outcome of one is unknown, the position row says whose step it shows. The
	// warehouse draws it at the first try; 0 is none yet.
	Token uint64
	// Entries counts the stream entries in the batch, Duplicates the events
	// dropped from it.
	Entries    int
	Duplicates int
	// Traces are entries that carry a sampled trace, a few at most.
	Traces []Traced
}

// Traced is an entry whose way is followed. Parent is the W3C traceparent it carried.
type Traced struct {
	ID     ID
	Parent string
}

// Trace is the ID of the trace.
func (t Traced) Trace() string { return t.Parent[3:35] }

// Width is the number of bytes that a value of t takes in Vector.Data.
func (t Type) Width() int {
	switch t {
	case Boolean, TinyInt:
		return 1
	case SmallInt:
		return 2
	case Integer, Date:
		return 4
	case BigInt, Double, TimestampTZ:
		return 8
	default:
		return 16
	}
}

// String is DuckDB's name of the type.
func (t Type) String() string {
	return [...]string{
		"VARCHAR", "JSON", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER",
		"BIGINT", "DOUBLE", "DATE", "TIMESTAMPTZ", "UUID",
	}[t]
}

// Values gives the vector's data as a slice of the type that its layout names,
// for example Values[int64] of a BigInt. It aliases Data.
func Values[T any](v *Vector) []T {
	if len(v.Data) == 0 {
		return nil
	}
	var zero T
	// The layout is fixed by Type.Width, and Data is aligned to eight bytes.
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(v.Data))), len(v.Data)/int(unsafe.Sizeof(zero)))
}
