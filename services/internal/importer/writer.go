package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/result"
)

// writer appends the value of row i, which is not NULL, as JSON, or returns why it has none.
type writer func(b []byte, v result.Vector, i int) ([]byte, error)

// writerBuilder builds the writers of one result's columns.
type writerBuilder struct {
	texts bool // convert VARCHAR to the contract's type: the file has no types
}

// of returns the writer of a type for a property of the contract; where is its name in messages.
func (b writerBuilder) of(t *result.Type, shape contract.Shape, where string) (writer, error) {
	write, err := b.valueWriter(t, shape, where)
	if err != nil {
		return nil, err
	}
	return func(buf []byte, v result.Vector, i int) ([]byte, error) {
		buf, err := write(buf, v, i)
		if err != nil {
			if _, inner := errors.AsType[locatedError](err); !inner {
				err = locatedError{fmt.Errorf("%s: %w", where, err)}
			}
		}
		return buf, err
	}, nil
}

// locatedError is an error that names its column.
type locatedError struct{ error }

func (p locatedError) Unwrap() error { return p.error }

func (b writerBuilder) valueWriter(t *result.Type, shape contract.Shape, where string) (writer, error) {
	switch t.Kind {
	case column.Varchar, column.Blob, column.Enum:
		return b.text(t, shape, where), nil
	case column.Float, column.Double:
		return writeFloat, nil
	case column.Decimal:
		physical, scale := t.Physical, int(t.Scale)
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return v.Integer(physical, i).AppendDecimal(buf, scale), nil
		}, nil
	case column.Timestamp, column.TimestampS, column.TimestampMS, column.TimestampNS:
		if shape.HasZone() {
			return nil, fmt.Errorf("%s is a time without a zone, for a date-time, which has one: "+
				"say in a mapping which, such as timezone('Europe/Madrid', it) or it AT TIME ZONE 'UTC'", where)
		}
		return writeTime, nil
	case column.TimestampTZ, column.Date:
		return writeTime, nil
	case column.Time, column.TimeNS, column.TimeTZ, column.Interval, column.UUID, column.Boolean, column.UHugeInt:
		return writeOther, nil
	case column.List, column.Array, column.Map, column.Struct, column.Union:
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
	var x float64
	bits := 64
	if v.Kind == column.Float {
		// A fraction is what people wrote (0.1); a whole number has all its digits.
		if x = float64(result.At[float32](v, i)); x != math.Trunc(x) {
			bits = 32
		}
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

// text writes VARCHAR, BLOB and ENUM.
func (b writerBuilder) text(t *result.Type, shape contract.Shape, where string) writer {
	switch {
	case t.Kind == column.Enum:
		words, physical := make([][]byte, len(t.Dictionary)), t.Physical
		for i, word := range t.Dictionary {
			words[i] = jsontext.AppendString(nil, []byte(word))
		}
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return append(buf, words[v.Integer(physical, i).Low]...), nil
		}
	case t.Kind == column.Blob:
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			text := v.Bytes(i)
			if !utf8.Valid(text) {
				return buf, errors.New("has bytes that are not UTF-8: convert them in a mapping by hex() or base64()")
			}
			return jsontext.AppendString(buf, text), nil
		}
	case t.Alias == "JSON":
		return func(buf []byte, v result.Vector, i int) ([]byte, error) { return appendJSON(buf, v.Bytes(i)) }
	case b.texts && shape.Known() && !shape.IsFree():
		name := strings.TrimPrefix(where, "column ")
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return appendTyped(buf, v.Bytes(i), shape, name)
		}
	default:
		return func(buf []byte, v result.Vector, i int) ([]byte, error) {
			return jsontext.AppendString(buf, v.Bytes(i)), nil
		}
	}
}

// appendJSON appends a JSON text on one line.
func appendJSON(buf, text []byte) ([]byte, error) {
	if !json.Valid(text) {
		return buf, errors.New("is a column of JSON and holds what is none")
	}
	return jsontext.AppendLine(buf, text), nil
}
