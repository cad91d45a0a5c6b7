package api

import (
	"bytes"
	"math"
	"strconv"
	"time"

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

// timeOf is a date or time; false for one that RFC 3339 can't write: the
// infinite ones and years outside 0 to 9999.
func timeOf(v *result.Vector, i int) (time.Time, bool) {
	const day = 24 * 60 * 60
	if v.Kind == result.Date {
		n := result.At[int32](*v, i)
		at := time.Unix(int64(n)*day, 0).UTC()
		return at, n != math.MaxInt32 && n != -math.MaxInt32 && writable(at)
	}
	n := result.At[int64](*v, i)
	at := time.UnixMicro(n)
	switch v.Kind {
	case result.TimestampNS:
		at = time.Unix(0, n)
	case result.TimestampMS:
		at = time.UnixMilli(n)
	case result.TimestampS:
		at = time.Unix(n, 0)
	default:
	}
	at = at.UTC()
	return at, n != math.MaxInt64 && n != -math.MaxInt64 && writable(at)
}

func writable(at time.Time) bool { return at.Year() >= 0 && at.Year() <= 9999 }

func appendTime(b []byte, kind result.Kind, at time.Time) []byte {
	switch kind {
	case result.Date:
		return at.AppendFormat(b, time.DateOnly)
	case result.TimestampTZ:
		return at.AppendFormat(b, time.RFC3339Nano) // which Go writes faster than others
	default:
		b = at.AppendFormat(b, time.RFC3339Nano)
		return b[:len(b)-1] // the zone
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

// appendString writes a JSON string: UTF-8 as it is, with the escapes that JSON
// demands and no more.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c == '"' || c == '\\' {
			b = appendEscape(append(b, text[from:i]...), c)
			from = i + 1
		}
	}
	return append(append(b, text[from:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}

// appendJSON writes what DuckDB takes for JSON as JSON: it knows NaN and Infinity, in
// any case, which become null, and a comma behind the last element, which goes.
func appendJSON(b, text []byte) []byte {
	for i := 0; i < len(text); {
		n := jsonToken(text[i:])
		token := text[i : i+n]
		i += n
		switch c := token[0]; {
		case c == ',' && closes(text[i:]):
		case c == '-' && n == 1: // of an infinity
		case c == '\n' || c == '\r': // between values: a row is a line
		case letter(c) && string(token) != "true" && string(token) != "false":
			b = append(b, "null"...)
		default:
			b = append(b, token...)
		}
	}
	return b
}

// jsonToken is the length of the string, the number or the word that the text begins
// with, else 1.
func jsonToken(text []byte) int {
	n, c := 1, text[0]
	switch {
	case c == '"':
		for n < len(text) && text[n] != '"' {
			if text[n] == '\\' {
				n++
			}
			n++
		}
		return min(n+1, len(text))
	case digit(c), c == '-' && len(text) > 1 && digit(text[1]):
		for n < len(text) && (digit(text[n]) || bytes.IndexByte([]byte("+-.eE"), text[n]) >= 0) {
			n++
		}
	case letter(c):
		for n < len(text) && letter(text[n]) {
			n++
		}
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// closes says whether an array or object ends here.
func closes(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && (text[0] == ']' || text[0] == '}')
}
