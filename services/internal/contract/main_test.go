package contract_test

import (
	"math"
	"testing"
	"unsafe"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// failer is a test, of package testing or of rapid.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// parse compiles a schema that must be right.
func parse(tb failer, schema string) *contract.Contract {
	tb.Helper()
	c, err := contract.Parse("events", "events/contract.json", []byte(schema))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// withProperties makes a contract of a key, a time and the given properties.
func withProperties(properties string) string {
	if properties != "" {
		properties = ", " + properties
	}
	return `{"type": "object", "x-estela": {"key": "id", "time": "at"}, "required": ["id", "at"],
		"properties": {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}` + properties + `}}`
}

// eventOf makes an event of such a contract.
func eventOf(properties string) string {
	if properties != "" {
		properties = "," + properties
	}
	return `{"id":"a","at":"2001-01-01T00:00:00Z"` + properties + `}`
}

// uuid is a UUID vector's value.
type uuid struct{ low, high uint64 }

// value reads a batch's value as its layout has it: nil, string,
// bool, int64, float64 or uuid.
func value(b *contract.Batch, at, row int) any {
	v := &b.Columns[at]
	if v.Nulls != nil && v.Nulls[row] == 1 {
		return nil
	}
	switch v.Type {
	case column.Varchar, column.JSON:
		return text(v, row)
	case column.Boolean:
		return v.Data[row] == 1
	case column.TinyInt:
		return int64(values[int8](v)[row])
	case column.SmallInt:
		return int64(values[int16](v)[row])
	case column.Integer, column.Date:
		return int64(values[int32](v)[row])
	case column.BigInt, column.TimestampTZ:
		return values[int64](v)[row]
	case column.Double:
		return values[float64](v)[row]
	default:
		return values[uuid](v)[row]
	}
}

// values are the vector's data, as a slice of the type that its layout names.
func values[T any](v *column.Vector) []T {
	if len(v.Data) == 0 {
		return nil
	}
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(v.Data))), len(v.Data)/int(unsafe.Sizeof(zero)))
}

// record is column.Record, read here by hand.
type record struct {
	length uint32
	prefix [4]byte
	rest   [8]byte
}

func text(v *column.Vector, row int) string {
	r := values[record](v)[row]
	if r.length <= 12 {
		return (string(r.prefix[:]) + string(r.rest[:]))[:r.length]
	}
	at := values[uint64](v)[2*row+1]
	s := string(v.Heap[at : at+uint64(r.length)])
	if s[:4] != string(r.prefix[:]) {
		return "the prefix differs from the heap"
	}
	return s
}

// row is all values of a row, NaN-safe for comparison.
func row(b *contract.Batch, i int) []any {
	all := make([]any, len(b.Columns))
	for c := range b.Columns {
		all[c] = value(b, c, i)
		if f, ok := all[c].(float64); ok {
			all[c] = math.Float64bits(f)
		}
	}
	return all
}
