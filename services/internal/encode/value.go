package encode

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/result"
)

const jsonAlias = "JSON"

// appendValue appends row i of a vector as JSON, alike at any depth. Values without a form in JSON
// become null.
func appendValue(b []byte, t *result.Type, v *result.Vector, i int) []byte {
	if v.Null(i) {
		return append(b, "null"...)
	}
	switch v.Kind {
	case column.Varchar:
		if t.Alias == jsonAlias {
			return appendDuckDBJSON(b, v.Bytes(i))
		}
		return jsontext.AppendString(b, v.Text(i))
	case column.Enum:
		return jsontext.AppendString(b, enumText(t, v, i))
	case column.Blob, column.UUID, column.Time, column.TimeNS, column.TimeTZ, column.Interval:
		return append(appendUnquoted(append(b, '"'), v, i), '"')
	case column.Date, column.Timestamp, column.TimestampTZ, column.TimestampNS, column.TimestampMS, column.TimestampS:
		at, ok := Time(v, i)
		if !ok {
			return append(b, "null"...)
		}
		return append(AppendTime(append(b, '"'), v.Kind, at), '"')
	case column.Float:
		return appendFloat(b, float64(result.At[float32](*v, i)), 32)
	case column.Double:
		return appendFloat(b, result.At[float64](*v, i), 64)
	case column.List, column.Array, column.Map, column.Struct, column.Union:
		return appendNested(b, t, v, i)
	default:
		return appendNumber(b, t, v, i)
	}
}

// AppendText appends row i of a vector as text, as in CSV without quotes; NULL is empty.
func AppendText(b []byte, t *result.Type, v *result.Vector, i int) []byte {
	if v.Null(i) {
		return b
	}
	switch v.Kind {
	case column.Varchar:
		if t.Alias == jsonAlias {
			return appendDuckDBJSON(b, v.Bytes(i))
		}
		return append(b, v.Bytes(i)...)
	case column.Enum:
		return append(b, enumText(t, v, i)...)
	case column.Blob, column.UUID, column.Time, column.TimeNS, column.TimeTZ, column.Interval:
		return appendUnquoted(b, v, i)
	case column.Date, column.Timestamp, column.TimestampTZ, column.TimestampNS, column.TimestampMS, column.TimestampS:
		at, ok := Time(v, i)
		if !ok {
			return b
		}
		return AppendTime(b, v.Kind, at)
	case column.Float:
		return strconv.AppendFloat(b, float64(result.At[float32](*v, i)), 'g', -1, 32)
	case column.Double:
		return strconv.AppendFloat(b, result.At[float64](*v, i), 'g', -1, 64)
	default: // nested types and numbers are written as in JSON
		return appendValue(b, t, v, i)
	}
}

// appendNested appends a list as a JSON array, and a struct, a map (by its keys' text) or a union
// (by its tag) as a JSON object.
func appendNested(b []byte, t *result.Type, v *result.Vector, i int) []byte {
	switch v.Kind {
	case column.List:
		span := result.At[result.ListEntry](*v, i)
		return appendItems(b, t, v, int(span.Offset), int(span.Length))
	case column.Array:
		return appendItems(b, t, v, i*t.Size, t.Size)
	case column.Map:
		span := result.At[result.ListEntry](*v, i)
		b = append(b, '{')
		for n := range int(span.Length) {
			at := int(span.Offset) + n
			b = appendKey(b, n, string(AppendText(nil, &t.Fields[0].Type, &v.Children[0], at)))
			b = appendValue(b, &t.Fields[1].Type, &v.Children[1], at)
		}
	case column.Union:
		tag := result.At[uint8](v.Children[0], i)
		b = appendKey(append(b, '{'), 0, t.Fields[tag].Name)
		b = appendValue(b, &t.Fields[tag].Type, &v.Children[1+tag], i)
	default:
		b = append(b, '{')
		for n := range t.Fields {
			b = appendKey(b, n, t.Fields[n].Name)
			b = appendValue(b, &t.Fields[n].Type, &v.Children[n], i)
		}
	}
	return append(b, '}')
}

func appendItems(b []byte, t *result.Type, v *result.Vector, from, n int) []byte {
	b = append(b, '[')
	for i := range n {
		b = appendValue(appendComma(b, i), &t.Fields[0].Type, &v.Children[0], from+i)
	}
	return append(b, ']')
}

func appendKey(b []byte, n int, name string) []byte {
	return append(jsontext.AppendString(appendComma(b, n), name), ':')
}

// appendComma appends the comma before item i, unless it is the first.
func appendComma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

// enumText returns the value of an enum.
func enumText(t *result.Type, v *result.Vector, i int) string {
	return t.Dictionary[v.Integer(t.Physical, i).Low]
}

// appendUnquoted appends text of a kind that never needs escapes in JSON or CSV.
func appendUnquoted(b []byte, v *result.Vector, i int) []byte {
	switch v.Kind {
	case column.Blob:
		return base64.StdEncoding.AppendEncode(b, v.Bytes(i))
	case column.UUID:
		return result.At[result.Int128](*v, i).AppendUUID(b)
	case column.Time:
		return appendTimeOfDay(b, time.Duration(result.At[int64](*v, i))*time.Microsecond)
	case column.TimeNS:
		return appendTimeOfDay(b, time.Duration(result.At[int64](*v, i)))
	case column.TimeTZ:
		day, zone := result.SplitTimeTZ(result.At[uint64](*v, i))
		return appendZone(appendTimeOfDay(b, day), zone)
	default:
		return appendInterval(b, result.At[result.Interval](*v, i))
	}
}

// appendBoolOrInteger appends a boolean or an integer of up to 64 bits.
func appendBoolOrInteger(b []byte, v *result.Vector, i int) []byte {
	switch v.Kind {
	case column.Boolean:
		return strconv.AppendBool(b, result.At[bool](*v, i))
	case column.UTinyInt:
		return strconv.AppendUint(b, uint64(result.At[uint8](*v, i)), 10)
	case column.USmallInt:
		return strconv.AppendUint(b, uint64(result.At[uint16](*v, i)), 10)
	case column.UInteger:
		return strconv.AppendUint(b, uint64(result.At[uint32](*v, i)), 10)
	case column.UBigInt:
		return strconv.AppendUint(b, result.At[uint64](*v, i), 10)
	default:
		return strconv.AppendInt(b, integer(v, i), 10)
	}
}

// integer returns a value of a signed integer kind.
func integer(v *result.Vector, i int) int64 {
	switch v.Kind {
	case column.TinyInt:
		return int64(result.At[int8](*v, i))
	case column.SmallInt:
		return int64(result.At[int16](*v, i))
	case column.Integer:
		return int64(result.At[int32](*v, i))
	default:
		return result.At[int64](*v, i)
	}
}

func appendFloat(b []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	// As encoding/json does: no exponent for numbers of usual size.
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, v, 'f', -1, bits)
}

// appendNumber appends a boolean, an integer or a decimal with all digits.
func appendNumber(b []byte, t *result.Type, v *result.Vector, i int) []byte {
	switch v.Kind {
	case column.Decimal:
		return v.Integer(t.Physical, i).AppendDecimal(b, int(t.Scale))
	case column.HugeInt:
		return result.At[result.Int128](*v, i).Append(b)
	case column.UHugeInt:
		return result.At[result.Int128](*v, i).AppendUnsigned(b)
	default:
		return appendBoolOrInteger(b, v, i)
	}
}
