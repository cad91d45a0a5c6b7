package api

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// noVectors are the types that come as another, for they can't be read from DuckDB's
// memory; a name in quotes is none of them.
var noVectors = regexp.MustCompile(`"(?:[^"]|"")*"|'(?:[^']|'')*'|\b(?:BIT|BIGNUM|VARIANT|GEOMETRY)\b`)

// project is the SQL that brings a column into a form that can be read. What is cast to
// text says the same as before: BIGNUM becomes JSON, which is how a number of any length
// stays one.
func project(sqlType, column string) string {
	as := func(other func(string) string) string {
		return noVectors.ReplaceAllStringFunc(sqlType, func(word string) string {
			if word[0] == '"' || word[0] == '\'' {
				return word
			}
			return other(word)
		})
	}
	text := as(func(string) string { return "VARCHAR" })
	if text == sqlType {
		return column
	}
	return "CAST(CAST(" + column + " AS " + text + ") AS " + as(func(word string) string {
		if word == "BIGNUM" {
			return "JSON"
		}
		return "VARCHAR"
	}) + ")"
}

// appendPlain writes a boolean or an integer.
func appendPlain(b []byte, v *result.Vector, i int) []byte {
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

// integer is a value of a signed integer kind.
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

// timeOf is a date or time; false for one that RFC 3339 can't write: the
// infinite ones and years outside 0 to 9999.
func timeOf(v *result.Vector, i int) (time.Time, bool) {
	const day = 24 * 60 * 60
	if v.Kind == column.Date {
		n := result.At[int32](*v, i)
		at := time.Unix(int64(n)*day, 0).UTC()
		return at, n != math.MaxInt32 && n != -math.MaxInt32 && writable(at)
	}
	n := result.At[int64](*v, i)
	at := time.UnixMicro(n)
	switch v.Kind {
	case column.TimestampNS:
		at = time.Unix(0, n)
	case column.TimestampMS:
		at = time.UnixMilli(n)
	case column.TimestampS:
		at = time.Unix(n, 0)
	default:
	}
	at = at.UTC()
	return at, n != math.MaxInt64 && n != -math.MaxInt64 && writable(at)
}

func writable(at time.Time) bool { return at.Year() >= 0 && at.Year() <= 9999 }

func appendTime(b []byte, kind column.Kind, at time.Time) []byte {
	switch kind {
	case column.Date:
		return at.AppendFormat(b, time.DateOnly)
	case column.TimestampTZ:
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

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// closes says whether an array or object ends here.
func closes(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && (text[0] == ']' || text[0] == '}')
}
