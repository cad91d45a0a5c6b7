package warehouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/result"
)

// writer appends the value of row i, which is not NULL, as JSON; or says why it has no
// JSON. What it leaves as it was is no value.
type writer func(b []byte, v result.Vector, i int) ([]byte, error)

// writerBuilder makes the writers of the values of one answer.
type writerBuilder struct {
	texts bool // VARCHAR may be what the contract says, as in files without types
}

// of is the writer of a type for a place that the contract speaks of. Where is that
// place, for messages.
func (b writerBuilder) of(t *result.Type, shape contract.Shape, where string) (writer, error) {
	write, err := b.bare(t, shape, where)
	if err != nil {
		return nil, err
	}
	return func(buf []byte, v result.Vector, i int) ([]byte, error) {
		buf, err := write(buf, v, i)
		if err != nil {
			var inner placed
			if !errors.As(err, &inner) {
				err = placed{fmt.Errorf("%s: %w", where, err)}
			}
		}
		return buf, err
	}, nil
}

// placed is an error that says where.
type placed struct{ error }

func (p placed) Unwrap() error { return p.error }

func (b writerBuilder) bare(t *result.Type, shape contract.Shape, where string) (writer, error) {
	switch t.Kind {
	case result.Varchar, result.Blob, result.Enum:
		return b.text(t, shape), nil
	case result.Float, result.Double:
		return writeFloat, nil
	case result.Decimal:
		physical, scale := t.Physical, int(t.Scale)
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return v.Integer(physical, i).AppendDecimal(buf, scale), nil
		}, nil
	case result.Timestamp, result.TimestampS, result.TimestampMS, result.TimestampNS:
		if shape.HasZone() {
			return nil, fmt.Errorf("%s is a time without a zone, for a date-time, which has one: "+
				"say in a mapping which, such as timezone('Europe/Madrid', it) or it AT TIME ZONE 'UTC'", where)
		}
		return writeTime, nil
	case result.TimestampTZ, result.Date:
		return writeTime, nil
	case result.Time, result.TimeNS, result.TimeTZ, result.Interval, result.UUID, result.Boolean, result.UHugeInt:
		return writeOther, nil
	case result.List, result.Array, result.Map, result.Struct, result.Union:
		return b.nested(t, shape, where)
	default:
		if isInteger(t.Kind) {
			return writeInteger, nil
		}
		return nil, fmt.Errorf("%s has a type that can't become JSON: cast it to one that can, in a mapping", where)
	}
}

func writeInteger(b []byte, v result.Vector, i int) ([]byte, error) {
	return v.Integer(v.Kind, i).Append(b), nil
}

func writeFloat(b []byte, v result.Vector, i int) ([]byte, error) {
	x, bits := 0.0, 64
	if v.Kind == result.Float {
		x, bits = float64(result.At[float32](v, i)), 32
	} else {
		x = result.At[float64](v, i)
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return b, fmt.Errorf("%v is no number that JSON has", x)
	}
	form := byte('f')
	// As encoding/json does: no exponent for what people read as a number.
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(b, x, form, -1, bits), nil
}

var errYears = errors.New("a time outside of the years 0000 to 9999")

func writeTime(b []byte, v result.Vector, i int) ([]byte, error) {
	const day = 24 * 60 * 60
	var at time.Time
	layout := "2006-01-02T15:04:05.999999999"
	switch v.Kind {
	case result.Date:
		at, layout = time.Unix(int64(result.At[int32](v, i))*day, 0), time.DateOnly
	case result.TimestampS:
		at = time.Unix(result.At[int64](v, i), 0)
	case result.TimestampMS:
		at = time.UnixMilli(result.At[int64](v, i))
	case result.TimestampNS:
		n := result.At[int64](v, i)
		if n == math.MaxInt64 || n == -math.MaxInt64 { // infinity, within the years
			return b, errYears
		}
		at = time.Unix(0, n)
	case result.TimestampTZ:
		at, layout = time.UnixMicro(result.At[int64](v, i)), time.RFC3339Nano
	default:
		at = time.UnixMicro(result.At[int64](v, i))
	}
	at = at.UTC()
	if year := at.Year(); year < 0 || year > 9999 {
		return b, errYears
	}
	return append(at.AppendFormat(append(b, '"'), layout), '"'), nil
}

// writeOther writes what has a form of its own.
func writeOther(b []byte, v result.Vector, i int) ([]byte, error) {
	switch v.Kind {
	case result.Boolean:
		return strconv.AppendBool(b, result.At[bool](v, i)), nil
	case result.UHugeInt:
		return result.At[result.Huge](v, i).AppendUnsigned(b), nil
	case result.UUID:
		b = result.At[result.Huge](v, i).AppendUUID(append(b, '"'))
	case result.Time:
		b = appendClock(append(b, '"'), time.Duration(result.At[int64](v, i))*time.Microsecond)
	case result.TimeNS:
		b = appendClock(append(b, '"'), time.Duration(result.At[int64](v, i)))
	case result.TimeTZ:
		day, zone := result.Clock(result.At[uint64](v, i))
		b = appendZone(appendClock(append(b, '"'), day), zone)
	default:
		b = appendInterval(append(b, '"'), result.At[result.Duration](v, i))
	}
	return append(b, '"'), nil
}

// appendClock writes a time of day, whose last may be 24:00:00.
func appendClock(b []byte, day time.Duration) []byte {
	b = fmt.Appendf(b, "%02d:%02d:%02d", day/time.Hour, day/time.Minute%60, day/time.Second%60)
	return appendFraction(b, day%time.Second)
}

// appendFraction writes what is less than a second, if there is any.
func appendFraction(b []byte, rest time.Duration) []byte {
	if rest == 0 {
		return b
	}
	b = fmt.Appendf(b, ".%09d", rest)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

func appendZone(b []byte, zone time.Duration) []byte {
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	b = fmt.Appendf(append(b, sign), "%02d:%02d", zone/time.Hour, zone/time.Minute%60)
	if seconds := zone / time.Second % 60; seconds != 0 {
		b = fmt.Appendf(b, ":%02d", seconds)
	}
	return b
}

// appendInterval writes a duration of ISO 8601, whose parts may be negative.
func appendInterval(b []byte, d result.Duration) []byte {
	b = fmt.Appendf(b, "P%dM%dDT", d.Months, d.Days)
	if d.Micros < 0 {
		b = append(b, '-')
	}
	abs := time.Duration(max(d.Micros, -d.Micros))
	b = fmt.Appendf(b, "%d", abs/1e6)
	return append(appendFraction(b, abs%1e6*time.Microsecond), 'S')
}

// text writes VARCHAR, BLOB and ENUM.
func (b writerBuilder) text(t *result.Type, shape contract.Shape) writer {
	switch {
	case t.Kind == result.Enum:
		words, physical := make([][]byte, len(t.Words)), t.Physical
		for i, word := range t.Words {
			words[i] = appendJSONString(nil, []byte(word))
		}
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return append(buf, words[v.Integer(physical, i).Low]...), nil
		}
	case t.Kind == result.Blob:
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			text := v.Bytes(i)
			if !utf8.Valid(text) {
				return buf, errors.New("holds bytes that are no UTF-8 text: hex() or base64() in a mapping makes text of any bytes")
			}
			return appendJSONString(buf, text), nil
		}
	case t.Alias == "JSON":
		return func(buf []byte, v result.Vector, i int) ([]byte, error) { return appendJSON(buf, v.Bytes(i)) }
	case b.texts && shape.Known() && !shape.IsText():
		return func(buf []byte, v result.Vector, i int) ([]byte, error) { return appendTyped(buf, v.Bytes(i), shape) }
	default:
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return appendJSONString(buf, v.Bytes(i)), nil
		}
	}
}

// appendJSON adds a value that is JSON already, on one line.
func appendJSON(buf, text []byte) ([]byte, error) {
	if !json.Valid(text) {
		return buf, errors.New("is a column of JSON and holds what is none")
	}
	from := len(buf)
	buf = append(buf, text...)
	for i, c := range buf[from:] { // between the parts of the value: in strings JSON has no line breaks
		if c == '\n' || c == '\r' {
			buf[from+i] = ' '
		}
	}
	return buf, nil
}

// nested writes what has values inside.
func (b writerBuilder) nested(t *result.Type, shape contract.Shape, where string) (writer, error) {
	inner := make([]writer, len(t.Fields))
	for i, f := range t.Fields {
		at, place := shape, where
		switch t.Kind {
		case result.Struct:
			at, _ = shape.Member(f.Name)
			place += "." + f.Name
		case result.List, result.Array:
			at = shape.Items()
			place += "[]"
		case result.Map:
			at = contract.Shape{}
		default:
		}
		var err error
		if inner[i], err = b.of(&t.Fields[i].Type, at, place); err != nil {
			return nil, err
		}
	}
	switch t.Kind {
	case result.Struct:
		return structWriter(t, shape, inner), nil
	case result.Map:
		return mapWriter(inner[0], inner[1]), nil
	case result.Union:
		return unionWriter(inner), nil
	case result.Array:
		size := t.Size
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return appendItems(buf, v.Inside[0], i*size, size, inner[0])
		}, nil
	default:
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			at := result.At[result.Span](v, i)
			return appendItems(buf, v.Inside[0], int(at.Offset), int(at.Length), inner[0])
		}, nil
	}
}

func structWriter(t *result.Type, shape contract.Shape, inner []writer) writer {
	labels, nulls := make([][]byte, len(inner)), make([]bool, len(inner))
	for m, f := range t.Fields {
		labels[m] = append(appendJSONString(nil, []byte(f.Name)), ':')
		nulls[m] = shape.NeedsNull(f.Name)
	}
	return func(buf []byte, v result.Vector, i int) (_ []byte, err error) {
		buf = append(buf, '{')
		first := true
		for m, write := range inner {
			member := v.Inside[m]
			null := member.Null(i)
			if null && !nulls[m] {
				continue
			}
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = append(buf, labels[m]...)
			if null {
				buf = append(buf, "null"...)
			} else if buf, err = write(buf, member, i); err != nil {
				return buf, err
			}
		}
		return append(buf, '}'), nil
	}
}

func appendItems(buf []byte, v result.Vector, from, n int, write writer) (_ []byte, err error) {
	buf = append(buf, '[')
	for i := from; i < from+n; i++ {
		if i > from {
			buf = append(buf, ',')
		}
		if v.Null(i) {
			buf = append(buf, "null"...)
		} else if buf, err = write(buf, v, i); err != nil {
			return buf, err
		}
	}
	return append(buf, ']'), nil
}

// mapWriter writes an object whose names are the keys.
func mapWriter(key, value writer) writer {
	return func(buf []byte, v result.Vector, i int) (_ []byte, err error) {
		at := result.At[result.Span](v, i)
		buf = append(buf, '{')
		for j := int(at.Offset); j < int(at.Offset+at.Length); j++ {
			if j > int(at.Offset) {
				buf = append(buf, ',')
			}
			from := len(buf)
			if buf, err = key(buf, v.Inside[0], j); err != nil {
				return buf, err
			}
			if buf[from] != '"' {
				name := string(buf[from:])
				buf = appendJSONString(buf[:from], []byte(name))
			}
			buf = append(buf, ':')
			if v.Inside[1].Null(j) {
				buf = append(buf, "null"...)
			} else if buf, err = value(buf, v.Inside[1], j); err != nil {
				return buf, err
			}
		}
		return append(buf, '}'), nil
	}
}

// unionWriter writes the member that counts.
func unionWriter(inner []writer) writer {
	return func(buf []byte, v result.Vector, i int) ([]byte, error) {
		tag := result.At[uint8](v.Inside[0], i)
		if v.Inside[1+tag].Null(i) {
			return append(buf, "null"...), nil
		}
		return inner[tag](buf, v.Inside[1+tag], i)
	}
}
