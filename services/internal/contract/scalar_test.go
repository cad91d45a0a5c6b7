package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
)

func TestParseScalar(t *testing.T) {
	t.Parallel()
	at := func(year, month, day, hour, minute, second, micro int) time.Time {
		return time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC)
	}
	for _, c := range []struct {
		kind, text string
		want       any // an error's words, if it is an error
	}{
		{"string", "", ""},
		{"string", " 007 ", " 007 "},
		{"integer", "1.0", int64(1)},
		{"integer", "1e3", int64(1000)},
		{"integer", "-0", int64(0)},
		{"integer", "120e-1", int64(12)},
		{"integer", "-9223372036854775808", int64(-1 << 63)},
		{"integer", "9223372036854775807.0", int64(1<<63 - 1)},
		{"integer", "9223372036854775808", errors.New("must be an integer of 64 bits, found \"9223372036854775808\"")},
		{"integer", "1.5", errors.New("must be an integer, found \"1.5\"")},
		{"integer", "", errors.New("must be an integer, found \"\"")},
		{"integer", "007", errors.New("must have no leading zeros, found \"007\"")},
		{"number", "-00.5", errors.New("must have no leading zeros, found \"-00.5\"")},
		{"number", "0.1", 0.1},
		{"number", "1e-999", 0.0},
		{"number", "1e999", errors.New("must be within the range of a 64-bit float, found \"1e999\"")},
		{"number", "NaN", errors.New("must be a number such as 1, -2.5 or 1e3, found \"NaN\"")},
		{"number", " 1", errors.New("must be a number such as 1, -2.5 or 1e3, found \" 1\"")},
		{"boolean", "true", true},
		{"boolean", "TRUE", errors.New("must be true or false, found \"TRUE\"")},
		{"date", "2000-02-29", at(2000, 2, 29, 0, 0, 0, 0)},
		{"date", "0000-01-01", at(0, 1, 1, 0, 0, 0, 0)},
		{"date", "2001-02-29", errors.New("must be a date such as 2001-01-31, found \"2001-02-29\"")},
		{"date-time", "2001-01-01t14:55:00.1234567z", at(2001, 1, 1, 14, 55, 0, 123456)},
		{"date-time", "2017-01-01T01:59:60.25+02:00", at(2017, 1, 1, 0, 0, 0, 250000)},
		{"date-time", "0000-01-01T00:00:00-00:01", at(0, 1, 1, 0, 1, 0, 0)},
		{"date-time", "0000-01-01T00:00:00+00:01", errors.New("must be within the years 0000 to 9999 in UTC, found \"0000-01-01T00:00:00+00:01\"")},
		{"date-time", "9999-12-31T23:59:60Z", errors.New("must be within the years 0000 to 9999 in UTC, found \"9999-12-31T23:59:60Z\"")},
		{"date-time", "2001-01-01T14:55:00", errors.New("must have a time zone, Z or an offset such as +02:00, found \"2001-01-01T14:55:00\"")},
		{"date-time", "2001-01-01 14:55:00Z", errors.New("must be a date-time of RFC 3339 such as 2001-01-01T14:55:00Z, found \"2001-01-01 14:55:00Z\"")},
		{"uuid", "123E4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"},
		{"uuid", "123e4567e89b12d3a456426614174000", errors.New("must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, found \"123e4567e89b12d3a456426614174000\"")},
	} {
		kind, ok := contract.ScalarType(c.kind)
		if !ok {
			t.Fatalf("there is no type %s", c.kind)
		}
		got, err := contract.ParseScalar(kind, c.text)
		if want, fails := c.want.(error); fails && (err == nil || err.Error() != want.Error()) || !fails && (err != nil || got != c.want) {
			t.Errorf("%s %q: got %v, %v; want %v", c.kind, c.text, got, err, c.want)
		}
	}
	if _, ok := contract.ScalarType("timestamp"); ok {
		t.Error("timestamp is a type")
	}
}

// scalarSchemas are the properties whose values stand alone elsewhere.
var scalarSchemas = map[string]string{
	"string": `{"type": "string"}`, "integer": `{"type": "integer"}`, "number": `{"type": "number"}`, "boolean": `{"type": "boolean"}`,
	"date": `{"type": "string", "format": "date"}`, "date-time": `{"type": "string", "format": "date-time"}`, "uuid": `{"type": "string", "format": "uuid"}`,
}

// FuzzParseScalar holds a value that stands alone against the same in an event.
func FuzzParseScalar(f *testing.F) {
	contracts := map[string]*contract.Contract{}
	for name, schema := range scalarSchemas {
		contracts[name] = parse(f, withProperties(`"x": `+schema))
	}
	for _, seed := range []string{
		"", "1", "-0", "1.0", "1e3", "1E+2", "007", "1e400", "9223372036854775808", "true", "null", " 1", "é", "2001-01-01", "2001-02-29",
		"2001-01-01T14:55:00z", "2016-12-31t23:59:60Z", "9999-12-31T23:59:59-01:00", "2001-01-01T00:00:00.1234567+02:00", "123E4567-e89b-12d3-a456-426614174000",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || len(text) > 1000 {
			return
		}
		for name, c := range contracts {
			kind, _ := contract.ScalarType(name)
			got, err := contract.ParseScalar(kind, text)
			written := text
			if strings.HasPrefix(scalarSchemas[name], `{"type": "string"`) {
				quoted, _ := json.Marshal(text)
				written = string(quoted)
			} else if strings.TrimSpace(text) != text || text == "null" || strings.ContainsAny(text, `,:"{}[]`) {
				continue // that is more than a value, or white space around it
			}
			b, violations := verdict(t, c, eventOf(`"x": `+written))
			if (err == nil) != (violations == nil) {
				t.Fatalf("%s %q: %v, in an event %v", name, text, err, violations)
			}
			if err == nil {
				sameValue(t, b, got)
			}
		}
	})
}

func sameValue(t *testing.T, b *contract.Batch, got any) {
	t.Helper()
	want := value(b, 2, 0)
	switch v := got.(type) {
	case time.Time:
		if got = v.UnixMicro(); b.Columns[2].Type == column.Date {
			got = v.Unix() / (24 * 60 * 60)
		}
	case string:
		if _, ok := want.(uuid); ok {
			return // the vector's layout has a test of its own
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, in an event %v", got, want)
	}
}
