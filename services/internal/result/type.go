package result

import (
	"math/bits"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
)

// Type is the type of a vector's values, nested types included.
type Type struct {
	Kind column.Kind
	// Alias is the name of a type that is stored as another: "JSON" is a Varchar.
	Alias string
	// Name is DuckDB's name of a type that has no kind.
	Name string
	// Physical is the kind of a Decimal's or an Enum's values in memory.
	Physical column.Kind
	// Width is a Decimal's number of digits, Scale how many of them are after the point.
	Width, Scale uint8
	// Dictionary has the values of an Enum, by their index in memory.
	Dictionary []string
	// Size is the number of values in an Array.
	Size int
	// Fields are the members of a Struct or a Union, the key and the value of a Map, or the
	// element of a List or an Array.
	Fields []Field
}

// Field is a type inside another. Those of List, Array and Map have no name.
type Field struct {
	Name string
	Type Type
}

// ListEntry is the range of a List's or a Map's values in its child vectors.
type ListEntry struct{ Offset, Length uint64 }

// Interval is a value of the kind Interval.
type Interval struct {
	Months, Days int32
	Micros       int64
}

// Int128 is an integer of 128 bits.
type Int128 struct {
	Low  uint64
	High int64
}

// SplitTimeTZ returns a TimeTZ's time of day and its offset east of UTC.
func SplitTimeTZ(v uint64) (day, zone time.Duration) {
	const offsetBits, westmost = 24, 16*60*60 - 1
	return time.Duration(v>>offsetBits) * time.Microsecond, time.Duration(westmost-int64(v&(1<<offsetBits-1))) * time.Second
}

// Integer returns the value of row i of an integer kind.
func (v Vector) Integer(kind column.Kind, i int) Int128 {
	switch kind {
	case column.TinyInt:
		return signed(int64(At[int8](v, i)))
	case column.SmallInt:
		return signed(int64(At[int16](v, i)))
	case column.Integer:
		return signed(int64(At[int32](v, i)))
	case column.BigInt:
		return signed(At[int64](v, i))
	case column.UTinyInt:
		return Int128{Low: uint64(At[uint8](v, i))}
	case column.USmallInt:
		return Int128{Low: uint64(At[uint16](v, i))}
	case column.UInteger:
		return Int128{Low: uint64(At[uint32](v, i))}
	case column.UBigInt:
		return Int128{Low: At[uint64](v, i)}
	default:
		return At[Int128](v, i)
	}
}

func signed(n int64) Int128 { return Int128{uint64(n), n >> 63} }

// Append appends the integer in decimal.
func (h Int128) Append(b []byte) []byte {
	if h.High == int64(h.Low)>>63 {
		return strconv.AppendInt(b, int64(h.Low), 10)
	}
	if h.High >= 0 {
		return h.AppendUnsigned(b)
	}
	low, borrow := bits.Sub64(0, h.Low, 0)
	high, _ := bits.Sub64(0, uint64(h.High), borrow)
	return Int128{low, int64(high)}.AppendUnsigned(append(b, '-'))
}

// AppendUnsigned appends the integer's bits as an unsigned one.
func (h Int128) AppendUnsigned(b []byte) []byte {
	const chunk, digits = 1e19, 19
	high, low := uint64(h.High), h.Low
	if high == 0 {
		return strconv.AppendUint(b, low, 10)
	}
	q1, r := high/chunk, high%chunk
	q0, rest := bits.Div64(r, low, chunk)
	b = Int128{q0, int64(q1)}.AppendUnsigned(b)
	return appendPadded(b, strconv.FormatUint(rest, 10), digits)
}

// FitsDecimal reports whether the integer has at most the 38 digits of the widest DECIMAL.
func (h Int128) FitsDecimal() bool {
	const high, low = 0x4b3b4ca85a86c47a, 0x098a224000000000 // 10^38
	if h.High < 0 {
		l, borrow := bits.Sub64(0, h.Low, 0)
		u, _ := bits.Sub64(0, uint64(h.High), borrow)
		h = Int128{l, int64(u)} // the least stays negative
	}
	return h.High >= 0 && (h.High < high || h.High == high && h.Low < low)
}

// AppendDecimal appends the integer with its last scale digits after a point.
func (h Int128) AppendDecimal(b []byte, scale int) []byte {
	if scale == 0 {
		return h.Append(b)
	}
	from := len(b)
	b = h.Append(b)
	if b[from] == '-' {
		from++
	}
	if n := len(b) - from; n <= scale {
		digits := string(b[from:])
		b = appendPadded(b[:from], digits, scale+1)
	}
	b = append(b, 0)
	point := len(b) - 1 - scale
	copy(b[point+1:], b[point:])
	b[point] = '.'
	return b
}

func appendPadded(b []byte, digits string, n int) []byte {
	for range n - len(digits) {
		b = append(b, '0')
	}
	return append(b, digits...)
}

// AppendUUID appends the integer as a UUID in lower case.
func (h Int128) AppendUUID(b []byte) []byte { return column.AppendUUID(b, h.Low, uint64(h.High)) }
