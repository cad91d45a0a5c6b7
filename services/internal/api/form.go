package api

import (
	"bytes"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/result"
)

// form is how a column's values become JSON.
type form uint8

const (
	asNative   form = iota // as it is: booleans, integers, floats, strings, blobs, dates, times
	asText                 // cast to text, a JSON string
	asRaw                  // cast to text that is JSON already
	asTree                 // lists, structs and maps: made JSON by DuckDB
	asLocal                // a timestamp without a zone
	plainTypes = "BOOLEAN TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT DOUBLE VARCHAR BLOB DATE TIMESTAMP TIMESTAMPTZ TIMESTAMP_NS"
)

// formOf is the form of a DuckDB type.
func formOf(sqlType string) form {
	switch {
	case strings.HasSuffix(sqlType, "]"), strings.HasPrefix(sqlType, "STRUCT("), strings.HasPrefix(sqlType, "MAP("), strings.HasPrefix(sqlType, "UNION("):
		return asTree
	case slices.Contains(strings.Fields(plainTypes), sqlType):
		return asNative
	case sqlType == "TIMESTAMP_S", sqlType == "TIMESTAMP_MS":
		return asLocal
	case sqlType == "JSON", sqlType == "HUGEINT", sqlType == "UHUGEINT", sqlType == "BIGNUM", strings.HasPrefix(sqlType, "DECIMAL"):
		return asRaw
	default:
		return asText
	}
}

// project is the SQL that brings a column into the form.
func (f form) project(column string) string {
	switch f {
	case asText, asRaw:
		return "CAST(" + column + " AS VARCHAR)"
	case asTree:
		return "CAST(to_json(" + column + ") AS VARCHAR)"
	case asLocal:
		return "CAST(" + column + " AS TIMESTAMP)"
	default:
		return column
	}
}

// append writes row i of a column as JSON. What JSON can't hold becomes null.
func (f form) append(b []byte, v result.Vector, i int) []byte {
	if v.Null(i) {
		return append(b, "null"...)
	}
	switch v.Kind {
	case result.Varchar:
		if f == asRaw || f == asTree {
			return appendJSON(b, v.Bytes(i))
		}
		return appendString(b, v.Text(i))
	case result.Blob:
		b = append(b, '"')
		return append(base64.StdEncoding.AppendEncode(b, v.Bytes(i)), '"')
	case result.Date, result.Timestamp, result.TimestampTZ, result.TimestampNS:
		at, ok := timeOf(v, i)
		if !ok {
			return append(b, "null"...)
		}
		return append(appendTime(append(b, '"'), v.Kind, at), '"')
	case result.Float:
		return appendFloat(b, float64(result.At[float32](v, i)), 32)
	case result.Double:
		return appendFloat(b, result.At[float64](v, i), 64)
	default:
		return appendPlain(b, v, i)
	}
}

// appendCSV writes row i of a column as a field of CSV.
func (f form) appendCSV(b []byte, v result.Vector, i int) []byte {
	if v.Null(i) {
		return b
	}
	switch v.Kind {
	case result.Varchar:
		if f == asRaw || f == asTree {
			return appendField(b, appendJSON(nil, v.Bytes(i)))
		}
		return appendField(b, v.Bytes(i))
	case result.Blob:
		return base64.StdEncoding.AppendEncode(b, v.Bytes(i))
	case result.Date, result.Timestamp, result.TimestampTZ, result.TimestampNS:
		at, ok := timeOf(v, i)
		if !ok {
			return b
		}
		return appendTime(b, v.Kind, at)
	case result.Float:
		return strconv.AppendFloat(b, float64(result.At[float32](v, i)), 'g', -1, 32)
	case result.Double:
		return strconv.AppendFloat(b, result.At[float64](v, i), 'g', -1, 64)
	default:
		return appendPlain(b, v, i)
	}
}

// appendPlain writes a boolean or an integer.
func appendPlain(b []byte, v result.Vector, i int) []byte {
	switch v.Kind {
	case result.Boolean:
		return strconv.AppendBool(b, result.At[bool](v, i))
	case result.UTinyInt:
		return strconv.AppendUint(b, uint64(result.At[uint8](v, i)), 10)
	case result.USmallInt:
		return strconv.AppendUint(b, uint64(result.At[uint16](v, i)), 10)
	case result.UInteger:
		return strconv.AppendUint(b, uint64(result.At[uint32](v, i)), 10)
	case result.UBigInt:
		return strconv.AppendUint(b, result.At[uint64](v, i), 10)
	default:
		return strconv.AppendInt(b, integer(v, i), 10)
	}
}

// integer is a value of a signed integer kind.
func integer(v result.Vector, i int) int64 {
	switch v.Kind {
	case result.TinyInt:
		return int64(result.At[int8](v, i))
	case result.SmallInt:
		return int64(result.At[int16](v, i))
	case result.Integer:
		return int64(result.At[int32](v, i))
	default:
		return result.At[int64](v, i)
	}
}

// timeOf is a date or time; false for one that RFC 3339 can't write: the
// infinite ones and years outside 0 to 9999.
func timeOf(v result.Vector, i int) (time.Time, bool) {
	const day = 24 * 60 * 60
	var at time.Time
	switch v.Kind {
	case result.Date:
		at = time.Unix(int64(result.At[int32](v, i))*day, 0).UTC()
	case result.TimestampNS:
		at = time.Unix(0, result.At[int64](v, i)).UTC()
		if n := result.At[int64](v, i); n == math.MaxInt64 || n == -math.MaxInt64 {
			return at, false
		}
	default:
		at = time.UnixMicro(result.At[int64](v, i)).UTC()
	}
	year := at.Year()
	return at, year >= 0 && year <= 9999
}

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
