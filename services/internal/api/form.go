package api

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// form is how a column's values become JSON.
type form uint8

const (
	asNative   form = iota // by the Go type: bool, integers, floats, string, bytes
	asText                 // cast to text, a JSON string
	asRaw                  // cast to text that is JSON already
	asTree                 // lists, structs and maps: made JSON by DuckDB
	asDate                 // YYYY-MM-DD
	asLocal                // a timestamp without a zone
	asInstant              // a timestamp in UTC
	localTime  = "2006-01-02T15:04:05.999999999"
	instant    = localTime + "Z"
	plainTypes = "BOOLEAN TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT DOUBLE VARCHAR ENUM BLOB"
)

// formOf is the form of a DuckDB type.
func formOf(sqlType string) form {
	switch {
	case strings.HasSuffix(sqlType, "]"), strings.HasPrefix(sqlType, "STRUCT("), strings.HasPrefix(sqlType, "MAP("), strings.HasPrefix(sqlType, "UNION("):
		return asTree
	case slices.Contains(strings.Fields(plainTypes), sqlType):
		return asNative
	case sqlType == "DATE":
		return asDate
	case sqlType == "TIMESTAMPTZ":
		return asInstant
	case strings.HasPrefix(sqlType, "TIMESTAMP"):
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
	default:
		return column
	}
}

// append writes a value as JSON. What JSON can't hold becomes null.
func (f form) append(b []byte, value any) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case int8:
		return strconv.AppendInt(b, int64(v), 10)
	case int16:
		return strconv.AppendInt(b, int64(v), 10)
	case int32:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint8:
		return strconv.AppendUint(b, uint64(v), 10)
	case uint16:
		return strconv.AppendUint(b, uint64(v), 10)
	case uint32:
		return strconv.AppendUint(b, uint64(v), 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float32:
		return appendFloat(b, float64(v), 32)
	case float64:
		return appendFloat(b, v, 64)
	case string:
		return f.appendText(b, v)
	case []byte:
		return f.appendText(b, base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return f.appendTime(b, v.UTC())
	default:
		return append(b, "null"...)
	}
}

func (f form) appendText(b []byte, text string) []byte {
	if f == asRaw || f == asTree {
		return append(b, text...)
	}
	return appendString(b, text)
}

func (f form) appendTime(b []byte, t time.Time) []byte {
	if t.Year() < 0 || t.Year() > 9999 {
		return append(b, "null"...)
	}
	layout := map[form]string{asDate: time.DateOnly, asLocal: localTime, asInstant: instant}[f]
	return append(t.AppendFormat(append(b, '"'), layout), '"')
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
