package contract

import (
	"bytes"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/decimal"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// scalars are the types that a value can have whose text stands alone.
var scalars = map[string]column.Kind{
	"string": column.Varchar, "integer": column.BigInt, "number": column.Double, "boolean": column.Boolean,
	"date": column.Date, "date-time": column.TimestampTZ, "uuid": column.UUID,
}

// ScalarNames lists the types that ScalarType knows.
const ScalarNames = "string, integer, number, boolean, date, date-time and uuid"

// ScalarType is the column of values of a type that is named as contracts do, by the
// type or by the format of a string: string, integer, number, boolean, date, date-time
// or uuid.
func ScalarType(name string) (column.Kind, bool) {
	t, ok := scalars[name]
	return t, ok
}

// ParseScalar reads the text of a value that is no part of an event: a parameter, a
// field of a reference table. It takes what an event's property of that type takes and
// says in the same words what it expected. The value is a string, of a Double a
// float64, of integers an int64, a bool, or a time.Time in UTC; a UUID is in lower case.
func ParseScalar(t column.Kind, text string) (any, error) {
	value, want := parseScalar(t, []byte(text))
	if want != "" {
		return nil, fmt.Errorf("must %s, found %q", want, shorten(text))
	}
	return value, nil
}

// parseScalar gives the value, or what it must be.
func parseScalar(t column.Kind, text []byte) (value any, want string) {
	switch t {
	case column.Varchar:
		return string(text), ""
	case column.Boolean:
		if s := string(text); s == "true" || s == "false" {
			return s == "true", ""
		}
		return nil, "be true or false"
	case column.Double:
		return parseNumber(text)
	case column.Date:
		days, _ := parseDate(text)
		return time.Unix(int64(days)*secondsOfDay, 0).UTC(), formatDate.wants(text)
	case column.TimestampTZ:
		micros, _ := parseInstant(text)
		return time.UnixMicro(micros).UTC(), formatDateTime.wants(text)
	case column.UUID:
		id, _ := parseUUID(text)
		return column.FormatUUID(id[:]), formatUUID.wants(text)
	default:
		return parseInteger(text)
	}
}

func parseNumber(text []byte) (value any, want string) {
	if end, ok := jsontext.Number(text, 0); !ok || end < len(text) {
		if unsigned := bytes.TrimPrefix(text, []byte("-")); len(unsigned) > 1 && unsigned[0] == '0' && unsigned[1]-'0' <= 9 {
			return nil, "have no leading zeros"
		}
		return nil, "be a number such as 1, -2.5 or 1e3"
	}
	x, ok := decimal.ParseFloat(text)
	if !ok {
		return nil, "be within the range of a 64-bit float"
	}
	return x, ""
}

func parseInteger(text []byte) (value any, want string) {
	if end, ok := jsontext.Number(text, 0); ok && end == len(text) {
		d := decimal.Parse(nil, text)
		if n, ok := d.Int64(); ok {
			return n, ""
		}
		if d.IsInteger() {
			return nil, "be an integer of 64 bits"
		}
	}
	if _, want = parseNumber(text); want != "have no leading zeros" {
		want = "be an integer"
	}
	return nil, want
}

// wants says what a text of the format must be, empty if it is.
func (f format) wants(text []byte) string {
	ok := true
	switch f {
	case formatDateTime:
		if _, ok = parseInstant(text); !ok {
			return instantWants(text)
		}
	case formatDate:
		_, ok = parseDate(text)
	case formatUUID:
		_, ok = parseUUID(text)
	default:
	}
	if ok {
		return ""
	}
	return "be " + formatHints[f]
}

func instantWants(text []byte) string {
	if _, ok := parseAnyInstant(text); ok {
		return "be within the years 0000 to 9999 in UTC"
	}
	if _, ok := parseAnyInstant(append(bytes.Clone(text), 'Z')); ok {
		return "have a time zone, Z or an offset such as +02:00"
	}
	return "be " + formatHints[formatDateTime]
}

var formatHints = map[format]string{
	formatDateTime: "a date-time of RFC 3339 such as 2001-01-01T14:55:00Z",
	formatDate:     "a date such as 2001-01-31",
	formatUUID:     "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
}

// IsScalar reports whether ParseScalar takes the text for a Date, a TimestampTZ or a UUID.
func IsScalar(t column.Kind, text []byte) (ok bool) {
	switch t {
	case column.Date:
		_, ok = parseDate(text)
	case column.TimestampTZ:
		_, ok = parseInstant(text)
	case column.UUID:
		_, ok = parseUUID(text)
	default:
	}
	return ok
}
