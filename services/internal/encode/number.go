package encode

import (
	"math"
	"strconv"

	"github.com/estela-dev/estela/services/internal/result"
)

// appendPlain writes a boolean or an integer.
func appendPlain(b []byte, v *result.Vector, i int) []byte {
	switch v.Kind {
	case result.Boolean:
		return strconv.AppendBool(b, result.At[bool](*v, i))
	case result.UTinyInt:
		return strconv.AppendUint(b, uint64(result.At[uint8](*v, i)), 10)
	case result.USmallInt:
		return strconv.AppendUint(b, uint64(result.At[uint16](*v, i)), 10)
	case result.UInteger:
		return strconv.AppendUint(b, uint64(result.At[uint32](*v, i)), 10)
	case result.UBigInt:
		return strconv.AppendUint(b, result.At[uint64](*v, i), 10)
	default:
		return strconv.AppendInt(b, integer(v, i), 10)
	}
}

// integer is a value of a signed integer kind.
func integer(v *result.Vector, i int) int64 {
	switch v.Kind {
	case result.TinyInt:
		return int64(result.At[int8](*v, i))
	case result.SmallInt:
		return int64(result.At[int16](*v, i))
	case result.Integer:
		return int64(result.At[int32](*v, i))
	default:
		return result.At[int64](*v, i)
	}
}

func appendFloat(b []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	// As encoding/json does: no exponent for what people read as a number.
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, v, 'f', -1, bits)
}

// appendExact writes a boolean, an integer or a decimal, every digit of it.
func appendExact(b []byte, t *result.Type, v *result.Vector, i int) []byte {
	switch v.Kind {
	case result.Decimal:
		return v.Integer(t.Physical, i).AppendDecimal(b, int(t.Scale))
	case result.HugeInt:
		return result.At[result.Huge](*v, i).Append(b)
	case result.UHugeInt:
		return result.At[result.Huge](*v, i).AppendUnsigned(b)
	default:
		return appendPlain(b, v, i)
	}
}
