package contract_test

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

func ExampleDecoder_Validate() {
	c, err := contract.Parse("sightings", "contract.json", []byte(`{
		"type": "object", "additionalProperties": false,
		"x-estela": {"key": "id", "time": "seen_at"},
		"required": ["id", "seen_at"],
		"properties": {
			"id":       {"type": "string", "pattern": "^[A-Z]{3}$"},
			"seen_at":  {"type": "string", "format": "date-time"},
			"altitude": {"type": "integer", "minimum": 0}
		}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range c.NewDecoder().Validate([]byte(`{"id": "lax", "altitude": -3, "speed": 1}`)) {
		fmt.Println(v.Keyword, v)
	}
	// Output:
	// pattern /id: must match ^[A-Z]{3}$, found "lax"
	// minimum /altitude: must be at least 0, found -3
	// additionalProperties /speed: is not a property that the contract names
	// required (document): lacks the required property "seen_at"
}

// verdict decodes one document and checks that every way of doing so agrees.
func verdict(t *testing.T, c *contract.Contract, document string) (*contract.Batch, []event.Violation) {
	t.Helper()
	b, slow, d := c.NewBatch(3, 1), c.NewBatch(3, 0), c.NewDecoder()
	id := event.ID{MS: 7, Seq: 8}
	ok := d.Decode(b, []byte(document), id, 9)
	again := d.DecodeSlow(slow, []byte(document), id, 9)
	violations := d.Validate([]byte(document))
	if ok != again || ok != (len(violations) == 0) || ok != (b.Rows == 1) || ok == (len(b.Rejects) == 1) {
		t.Fatalf("%.200s: decoded %t, slowly %t, violations %v, rows %d, rejects %d", document, ok, again, violations, b.Rows, len(b.Rejects))
	}
	if ok {
		if fast, other := row(b, 0), row(slow, 0); !reflect.DeepEqual(fast, other) || b.Hashes[0] != slow.Hashes[0] {
			t.Fatalf("%.200s: rows differ\n%v\n%v", document, fast, other)
		}
		if b.MS[0] != 7 || b.Seq[0] != 8 || b.Line[0] != 9 {
			t.Fatalf("row comes from %d-%d line %d", b.MS[0], b.Seq[0], b.Line[0])
		}
		return b, nil
	}
	r := b.Rejects[0]
	if r.ID != id || r.Line != 9 || string(r.Payload) != document || !reflect.DeepEqual(r.Violations, violations) {
		t.Fatalf("%.200s: reject is %v line %d with %v, want %v", document, r.ID, r.Line, r.Violations, violations)
	}
	return b, violations
}

func instant(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}

func days(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.Unix() / 86400
}

// TestValues checks what a valid value becomes in its column.
func TestValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ñandú ", 40)
	cases := []struct {
		schema, value string
		want          any
	}{
		{`{"type": "string"}`, `"abc"`, "abc"},
		{`{"type": "string"}`, `""`, ""},
		{`{"type": "string"}`, `"twelve bytes"`, "twelve bytes"},
		{`{"type": "string"}`, `"thirteen byte"`, "thirteen byte"},
		{`{"type": "string"}`, `"` + long + `"`, long},
		{`{"type": "string"}`, `"a\"b\\c\/d\b\f\n\r\t\u00e9\u20AC\ud83d\ude00"`, "a\"b\\c/d\b\f\n\r\té€😀"},
		{`{"type": "string"}`, `"\u0001` + "\x7f" + `"`, "\x01\x7f"},
		{`{"type": "string", "maxLength": 3}`, `"ñññ"`, "ñññ"},
		{`{"type": "string", "maxLength": 1}`, `"\ud83d\ude00"`, "😀"},
		{`{"type": "string", "minLength": 1}`, `"\u0041"`, "A"},
		{`{"type": "string", "pattern": "b"}`, `"abc"`, "abc"},
		{`{"type": "string", "pattern": "^ñ.$"}`, `"ñé"`, "ñé"},
		{`{"type": "string", "enum": ["a", "b"]}`, `"b"`, "b"},
		{`{"type": "string", "enum": ["é"]}`, `"\u00e9"`, "é"},
		{`{"type": "string", "const": "a"}`, `"a"`, "a"},
		{`{"type": "string", "enum": ["a", "b"], "const": "b"}`, `"b"`, "b"},
		{`{"type": ["string", "null"]}`, `null`, nil},
		{`{"type": ["string", "null"], "enum": ["a", null]}`, `null`, nil},
		{`{"type": ["string", "null"], "enum": ["a", null]}`, `"a"`, "a"},
		{`{"type": ["string", "null"], "enum": [null]}`, `null`, nil},
		{`{"type": ["integer", "null"], "minimum": 5}`, `null`, nil},
		{`{"type": ["object", "null"]}`, `null`, nil},
		{`{"type": "integer"}`, `0`, int64(0)},
		{`{"type": "integer"}`, `-0`, int64(0)},
		{`{"type": "integer"}`, `-12`, int64(-12)},
		{`{"type": "integer"}`, `1.0`, int64(1)},
		{`{"type": "integer"}`, `1e3`, int64(1000)},
		{`{"type": "integer"}`, `-1.2E+1`, int64(-12)},
		{`{"type": "integer"}`, `1200e-2`, int64(12)},
		{`{"type": "integer"}`, `0e999999999999999999999999`, int64(0)},
		{`{"type": "integer"}`, `999999999999999999`, int64(999999999999999999)},
		{`{"type": "integer"}`, `9223372036854775807`, int64(math.MaxInt64)},
		{`{"type": "integer"}`, `-9223372036854775808`, int64(math.MinInt64)},
		{`{"type": "integer", "minimum": -128, "maximum": 127}`, `-128`, int64(-128)},
		{`{"type": "integer", "minimum": -300, "maximum": 300}`, `300`, int64(300)},
		{`{"type": "integer", "minimum": -70000, "maximum": 70000}`, `-70000`, int64(-70000)},
		{`{"type": "integer", "multipleOf": 5}`, `-15`, int64(-15)},
		{`{"type": "integer", "multipleOf": 0.5}`, `7`, int64(7)},
		{`{"type": "integer", "multipleOf": 2.5}`, `5`, int64(5)},
		{`{"type": "integer", "enum": [1, 2e1]}`, `20.0`, int64(20)},
		{`{"type": "number"}`, `0`, math.Float64bits(0)},
		{`{"type": "number"}`, `-0`, math.Float64bits(math.Copysign(0, -1))},
		{`{"type": "number"}`, `0.1`, math.Float64bits(0.1)},
		{`{"type": "number"}`, `-1.25e-3`, math.Float64bits(-1.25e-3)},
		{`{"type": "number"}`, `123456789.123456789`, math.Float64bits(123456789.123456789)},
		{`{"type": "number"}`, `1.7976931348623157e308`, math.Float64bits(math.MaxFloat64)},
		{`{"type": "number"}`, `5e-324`, math.Float64bits(5e-324)},
		{`{"type": "number"}`, `1e-999`, math.Float64bits(0)},
		{`{"type": "number", "minimum": 0}`, `0.0`, math.Float64bits(0)},
		{`{"type": "number", "minimum": 0.1, "maximum": 0.1}`, `0.1`, math.Float64bits(0.1)},
		{`{"type": "number", "multipleOf": 0.01}`, `19.99`, math.Float64bits(19.99)},
		{`{"type": "number", "multipleOf": 0.01}`, `0`, math.Float64bits(0)},
		{`{"type": "number", "multipleOf": 3}`, `3e300`, math.Float64bits(3e300)},
		{`{"type": "boolean"}`, `true`, true},
		{`{"type": "boolean"}`, `false`, false},
		{`{"type": "boolean", "const": true}`, `true`, true},
		{`{"type": "string", "format": "date"}`, `"1970-01-01"`, int64(0)},
		{`{"type": "string", "format": "date"}`, `"2000-02-29"`, days(t, "2000-02-29")},
		{`{"type": "string", "format": "date"}`, `"0000-01-01"`, days(t, "0000-01-01")},
		{`{"type": "string", "format": "date"}`, `"9999-12-31"`, days(t, "9999-12-31")},
		{`{"type": "string", "format": "date"}`, `"2001\u002d02-03"`, days(t, "2001-02-03")},
		{`{"type": "string", "format": "date", "maxLength": 10}`, `"1969-12-31"`, int64(-1)},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00Z"`, instant(t, "2001-01-01T14:55:00Z")},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01t14:55:00z"`, instant(t, "2001-01-01T14:55:00Z")},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00.5+02:30"`, instant(t, "2001-01-01T14:55:00.5+02:30")},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00-23:59"`, instant(t, "2001-01-01T14:55:00-23:59")},
		{`{"type": "string", "format": "date-time"}`, `"1969-12-31T23:59:59.9999999Z"`, int64(-1)},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T00:00:00.123456789Z"`, instant(t, "2001-01-01T00:00:00.123456Z")},
		{`{"type": "string", "format": "date-time"}`, `"0000-01-01T00:00:00-00:01"`, instant(t, "0000-01-01T00:01:00Z")},
		{`{"type": "string", "format": "date-time"}`, `"2016-12-31T23:59:60Z"`, instant(t, "2017-01-01T00:00:00Z")},
		{`{"type": "string", "format": "date-time"}`, `"2017-01-01T01:59:60.25+02:00"`, instant(t, "2017-01-01T00:00:00.25Z")},
		{`{"type": "string", "format": "date-time"}`, `"9999-12-31T23:59:59.999999z"`, instant(t, "9999-12-31T23:59:59.999999Z")},
		{`{"type": "string", "format": "uuid"}`, `"123E4567-e89b-12d3-a456-426614174000"`, uuid{0xa456426614174000, 0x123e4567e89b12d3 ^ 1<<63}},
		{`{"type": "string", "format": "uuid"}`, `"ffffffff-ffff-ffff-ffff-ffffffffffff"`, uuid{math.MaxUint64, math.MaxInt64}},
		{`{"type": "object"}`, `{"b" : [1, "\u00e9"]}`, `{"b" : [1, "\u00e9"]}`},
		{`{"type": "array", "items": {"type": "integer"}}`, `[ 1,2.0 ]`, `[ 1,2.0 ]`},
		{`{"type": "object", "const": {"a": [1, "x"], "b": null}}`, `{"b":null,"a":[1.0,"\u0078"]}`, `{"b":null,"a":[1.0,"\u0078"]}`},
		{`{"type": "array", "enum": [[], [1]]}`, `[10e-1]`, `[10e-1]`},
		{`{"type": "array", "items": {"enum": ["a", 1, true, null, [2]]}}`, `["a",1,true,null,[2]]`, `["a",1,true,null,[2]]`},
	}
	for _, c := range cases {
		b, violations := verdict(t, parse(t, withProperties(`"x": `+c.schema)), eventOf(`"x": `+c.value))
		if violations != nil {
			t.Errorf("%s of %s: %v", c.value, c.schema, violations)
		} else if got := row(b, 0)[2]; got != c.want {
			t.Errorf("%s of %s is %v, want %v", c.value, c.schema, got, c.want)
		}
	}
}

// TestViolations checks each way in which a value breaks its schema.
func TestViolations(t *testing.T) {
	t.Parallel()
	const x = "/x"
	cases := []struct{ schema, value, pointer, keyword, message string }{
		{`{"type": "string"}`, `1`, x, "type", "must be string, found integer 1"},
		{`{"type": "string"}`, `null`, x, "type", "must be string, found null"},
		{`{"type": ["string", "null"]}`, `[]`, x, "type", "must be string or null, found array"},
		{`{"type": "integer"}`, `1.5`, x, "type", "must be integer, found number 1.5"},
		{`{"type": "integer"}`, `"1"`, x, "type", `must be integer, found string "1"`},
		{`{"type": "integer"}`, `9223372036854775808`, x, "type", "64 bits"},
		{`{"type": "integer"}`, `-9223372036854775809`, x, "type", "64 bits"},
		{`{"type": "integer"}`, `1e300`, x, "type", "64 bits"},
		{`{"type": "integer"}`, `1e-300`, x, "type", "must be integer, found number"},
		{`{"type": "number"}`, `1e999`, x, "json", "64-bit float"},
		{`{"type": "number"}`, `-1e309`, x, "json", "64-bit float"},
		{`{"type": "number"}`, strings.Repeat("9", 310), x, "json", "64-bit float"},
		{`{"type": "object"}`, `{"a": 1e999}`, "/x/a", "json", "64-bit float"},
		{`{"type": "boolean"}`, `"true"`, x, "type", "must be boolean"},
		{`{"type": "boolean", "const": true}`, `false`, x, "const", "must be true, found false"},
		{`{"type": "object"}`, `[1]`, x, "type", "must be object, found array"},
		{`{"type": "string", "minLength": 2}`, `"é"`, x, "minLength", "at least 2 characters, has 1"},
		{`{"type": "string", "maxLength": 2}`, `"abc"`, x, "maxLength", "at most 2 characters, has 3"},
		{`{"type": "string", "pattern": "^a$"}`, `"b"`, x, "pattern", `must match ^a$, found "b"`},
		{`{"type": "string", "enum": ["a", "b"]}`, `"c"`, x, "enum", `must be one of "a", "b", found "c"`},
		{`{"type": "string", "const": "a"}`, `"c"`, x, "const", `must be "a", found "c"`},
		{`{"type": ["string", "null"], "enum": ["a"]}`, `null`, x, "enum", "found null"},
		{`{"type": ["string", "null"], "enum": [null]}`, `"a"`, x, "enum", `found "a"`},
		{`{"type": "integer", "minimum": 5}`, `4`, x, "minimum", "at least 5, found 4"},
		{`{"type": "integer", "maximum": 5}`, `6`, x, "maximum", "at most 5, found 6"},
		{`{"type": "integer", "exclusiveMinimum": 5}`, `5`, x, "exclusiveMinimum", "above 5"},
		{`{"type": "integer", "exclusiveMaximum": 5}`, `5`, x, "exclusiveMaximum", "below 5"},
		{`{"type": "integer", "minimum": 1e2}`, `99`, x, "minimum", "at least 100"},
		{`{"type": "integer", "multipleOf": 5}`, `7`, x, "multipleOf", "multiple of 5"},
		{`{"type": "integer", "multipleOf": 2.5}`, `6`, x, "multipleOf", "multiple of 2.5"},
		{`{"type": "integer", "enum": [1]}`, `2`, x, "enum", "must be one of 1"},
		{`{"type": "number", "minimum": 0.1}`, `0.09999999999999999999999999`, x, "minimum", "at least 0.1"},
		{`{"type": "number", "maximum": 0.1}`, `0.10000000000000000000000001`, x, "maximum", "at most 0.1"},
		{`{"type": "number", "exclusiveMinimum": -1.5}`, `-15e-1`, x, "exclusiveMinimum", "above -1.5"},
		{`{"type": "number", "exclusiveMinimum": -1.5}`, `-1.5`, x, "exclusiveMinimum", "above -1.5"},
		{`{"type": "number", "multipleOf": 0.01}`, `19.991`, x, "multipleOf", "multiple of 0.01"},
		{`{"type": "number", "multipleOf": 7}`, `1e300`, x, "multipleOf", "multiple of 7"},
		{`{"type": "string", "format": "date"}`, `"2001-02-29"`, x, "format", "a date such as"},
		{`{"type": "string", "format": "date"}`, `"2001-2-9"`, x, "format", "a date such as"},
		{`{"type": "string", "format": "date"}`, `"2001-13-01"`, x, "format", "a date such as"},
		{`{"type": "string", "format": "date"}`, `"2001-00-01"`, x, "format", "a date such as"},
		{`{"type": "string", "format": "date"}`, `"2001-01-00"`, x, "format", "a date such as"},
		{`{"type": "string", "format": "date"}`, `"1900-02-29"`, x, "format", "a date such as"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00"`, x, "format", "must have a time zone"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01 14:55:00Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T24:00:00Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:60:00Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:61Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:59:60Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2016-12-31T23:59:60+01:00"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00.Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00+0200"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00+24:00"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T14:55:00+02:60"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"2001-01-01T+4:55:00Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "date-time"}`, `"20010-01-01T14:55:00Z"`, x, "format", "RFC 3339"},
		{`{"type": "string", "format": "uuid"}`, `"123e4567e89b12d3a456426614174000"`, x, "format", "a UUID"},
		{`{"type": "string", "format": "uuid"}`, `"123e4567-e89b-12d3-a456-42661417400g"`, x, "format", "a UUID"},
		{`{"type": "string", "format": "uuid"}`, `"{23e4567-e89b-12d3-a456-42661417400}"`, x, "format", "a UUID"},
		{`{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}`, `{}`, x, "required", `lacks the required property "a"`},
		{`{"type": "object", "additionalProperties": false}`, `{"a/b~": 1}`, "/x/a~1b~0", "additionalProperties", "not a property"},
		{`{"type": "array", "items": {"type": "integer"}}`, `[1, 2, "x"]`, "/x/2", "type", "must be integer"},
		{`{"type": "array", "items": {"properties": {"y": {"maxLength": 1}}}}`, `[{"y": "ab"}]`, "/x/0/y", "maxLength", "at most 1"},
		{`{"type": "object", "const": {"a": 1}}`, `{"a": 2}`, x, "const", `must be {"a": 1}, found {"a": 2}`},
		{`{"type": "array", "enum": [[1]]}`, `["1"]`, x, "enum", `must be one of [1], found ["1"]`},
		{`{"type": "array", "items": {"const": "1"}}`, `[1]`, "/x/0", "const", `must be "1", found 1`},
	}
	for _, c := range cases {
		_, got := verdict(t, parse(t, withProperties(`"x": `+c.schema)), eventOf(`"x": `+c.value))
		if len(got) != 1 || got[0].Pointer != c.pointer || got[0].Keyword != c.keyword || !strings.Contains(got[0].Message, c.message) {
			t.Errorf("%s of %s: got %+v, want %s at %s: %s", c.value, c.schema, got, c.keyword, c.pointer, c.message)
		}
	}
}

// TestBrokenDocuments checks the outcome of what is no document, or not one that
// the pipeline takes.
func TestBrokenDocuments(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	cases := []struct{ document, pointer, keyword, message string }{
		{``, "", "json", "is empty (byte 0)"},
		{" \n\t", "", "json", "is empty"},
		{"\xef\xbb\xbf" + eventOf(""), "", "json", "byte order mark"},
		{eventOf("") + eventOf(""), "", "json", "has more after its end (byte 38)"},
		{eventOf("") + ",", "", "json", "has more after its end"},
		{eventOf("") + "\x00", "", "json", "has more after its end"},
		{`{"id":"a"`, "", "json", "lacks a comma or }"},
		{`{"id":"a",}`, "", "json", "lacks a property's name"},
		{`{"id" "a"}`, "", "json", "lacks a colon"},
		{`{id:"a"}`, "", "json", "lacks a property's name"},
		{`{"id":}`, "/id", "json", "has no value"},
		{`{"id":`, "/id", "json", "ends where a value should be"},
		{`{"id":"a`, "/id", "json", "ends inside a string"},
		{`{"id":"a\`, "/id", "json", "ends inside a string"},
		{`{"i`, "", "json", "ends inside a string"},
		{"{\"id\":\"a\nb\"}", "/id", "json", "control character"},
		{`{"id":"\x"}`, "/id", "json", "escape that JSON does not have"},
		{`{"id":"\u12g4"}`, "/id", "json", "escape that JSON does not have"},
		{`{"\q":1}`, "", "json", "escape that JSON does not have"},
		{eventOf(`"x":tru`), "/x", "json", "has no value"},
		{eventOf(`"x":nul`), "/x", "json", "has no value"},
		{eventOf(`"x":NaN`), "/x", "json", "has no value"},
		{eventOf(`"x":'a'`), "/x", "json", "has no value"},
		{eventOf(`"x":01`), "/x", "json", "not JSON's"},
		{eventOf(`"x":-`), "/x", "json", "not JSON's"},
		{eventOf(`"x":1.`), "/x", "json", "not JSON's"},
		{eventOf(`"x":.5`), "/x", "json", "has no value"},
		{eventOf(`"x":+1`), "/x", "json", "has no value"},
		{eventOf(`"x":1e`), "/x", "json", "not JSON's"},
		{eventOf(`"x":1e+`), "/x", "json", "not JSON's"},
		{eventOf(`"x":0x10`), "", "json", "lacks a comma"},
		{eventOf(`"x":[1 2]`), "/x/1", "json", "lacks a comma or ]"},
		{eventOf(`"x":[1,]`), "/x/1", "json", "has no value"},
		{eventOf(`"x":/**/1`), "/x", "json", "has no value"},
		{eventOf(`"id":"b"`), "/id", "json", "more than once"},
		{eventOf(`"\u0069d":"b"`), "/id", "json", "more than once"},
		{eventOf(`"y":1,"y":1`), "/y", "json", "more than once"},
		{eventOf(`"x":{"a":[{"b":1,"b":1}]}`), "/x/a/0/b", "json", "more than once"},
		{eventOf(`"y":{"a":1,"a":1}`), "/y/a", "json", "more than once"},
		{`{"id":"` + "\xff" + `","at":"2001-01-01T00:00:00Z"}`, "/id", "json", "not UTF-8"},
		{eventOf(`"y":"` + "\xc0\x80" + `"`), "/y", "json", "not UTF-8"},
		{eventOf(`"y":"` + "\xed\xa0\x80" + `"`), "/y", "json", "not UTF-8"},
		{eventOf("\"y\xff\":1"), "", "json", "not UTF-8"},
		{eventOf(`"x":{"` + "\xff" + `":[1]}`), "/x", "json", "not UTF-8"},
		{eventOf(`"x":"\ud800"`), "/x", "json", "surrogate"},
		{eventOf(`"x":"\udc00"`), "/x", "json", "surrogate"},
		{eventOf(`"x":"\ud800\u0041"`), "/x", "json", "surrogate"},
		{eventOf(`"x":"\ud800\ud800"`), "/x", "json", "surrogate"},
		{eventOf(`"y":["\ud800x"]`), "/y/0", "json", "surrogate"},
		{eventOf(`"x":"a\u0000b"`), "/x", "json", "U+0000"},
		{eventOf(`"x":{"\u0000":1}`), "/x", "json", "U+0000"},
		{eventOf(`"x":` + deep(64)), "/x" + strings.Repeat("/0", 63), "json", "64 levels"},
		{eventOf(`"y":` + deep(100_000)), "/y" + strings.Repeat("/0", 63), "json", "64 levels"},
		{eventOf(`"y":1e400`), "/y", "json", "64-bit float"},
		{`[]`, "", "type", "must be object, found array"},
		{`null`, "", "type", "must be object, found null"},
		{`"a"`, "", "type", "must be object, found string"},
		{strings.Repeat(" ", contract.MaxEvent+1), "", "size", "is 1048577 bytes, must be at most 1048576"},
	}
	c := parse(t, withProperties(`"x": {"type": ["object", "null"]}`))
	for _, test := range cases {
		_, got := verdict(t, c, test.document)
		var found bool
		for _, v := range got {
			found = found || v.Pointer == test.pointer && v.Keyword == test.keyword && strings.Contains(v.Message, test.message)
		}
		if !found {
			t.Errorf("%.100q: got %+v, want %s at %s: %s", test.document, got, test.keyword, test.pointer, test.message)
		}
	}
}

// TestTakenDocuments are unusual and yet right.
func TestTakenDocuments(t *testing.T) {
	t.Parallel()
	c := parse(t, withProperties(`"x": {"type": "array"}, "s": {"type": "string"}`))
	documents := []string{
		eventOf(""),
		" \r\n\t" + eventOf("") + "\r\n",
		"{ \"at\" :\t\"2001-01-01T00:00:00Z\" ,\n\"id\" : \"a\" }",
		`{"i\u0064":"a","at":"2001-01-01T00:00:00Z"}`,
		eventOf(`"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63)),
		eventOf(`"extra":{"a":[1,{"b":null}]},"":0,"more":"\u00e9"`),
		eventOf(`"s":"` + strings.Repeat("x", contract.MaxEvent-100) + `"`),
		eventOf(`"\u00e9":1,"` + "é́" + `":2`),
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, `%s"y%d":%d`, strings.Repeat(",", min(1, i)), i, i)
	}
	for _, document := range append(documents, eventOf(many.String())) {
		if _, got := verdict(t, c, document); got != nil {
			t.Errorf("%.100q: %v", document, got)
		}
	}
	if _, got := verdict(t, c, eventOf(many.String()+`,"y17":1`)); len(got) != 1 || got[0].Pointer != "/y17" {
		t.Errorf("a repeated name among many: %v", got)
	}
}

func TestEveryViolationAtOnce(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"type": "object", "additionalProperties": false, "x-estela": {"key": "id", "time": "at"}, "required": ["id", "at", "z"],
		"properties": {"id": {"type": "string", "maxLength": 1, "pattern": "^x", "enum": ["x"]}, "at": {"type": "string", "format": "date-time"},
		"z": {"type": "integer"}, "o": {"type": "object", "required": ["p"], "properties": {"p": {"type": "string"}, "q": {"type": "integer", "maximum": 1, "multipleOf": 2}}}}}`)
	_, got := verdict(t, c, `{"id":"abc","at":"today","o":{"q":3,"q":5,"r":1},"e":1,"e":"\ud800"}`)
	want := []string{
		"/id maxLength", "/id pattern", "/id enum", "/at format", "/o/q maximum", "/o/q multipleOf", "/o/q json", "/o/q maximum", "/o/q multipleOf",
		"/o required", "/e additionalProperties", "/e json", "/e additionalProperties", "/e json", " required",
	}
	var list []string
	for _, v := range got {
		list = append(list, v.Pointer+" "+v.Keyword)
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("got %q\nwant %q", list, want)
	}
}

func TestViolationsAreCapped(t *testing.T) {
	t.Parallel()
	c := parse(t, withProperties(`"x": {"type": "array", "items": {"type": "string"}}`))
	_, got := verdict(t, c, eventOf(`"x":[`+strings.Repeat("1,", 5000)+`1]`))
	if len(got) != contract.MaxViolations+1 || got[contract.MaxViolations].Keyword != "limit" {
		t.Errorf("got %d violations, the last %v", len(got), got[len(got)-1])
	}
	_, got = verdict(t, c, eventOf(`"x":[`+strings.Repeat("1,", contract.MaxViolations-1)+`1]`))
	if len(got) != contract.MaxViolations {
		t.Errorf("got %d violations, want just %d", len(got), contract.MaxViolations)
	}
}

func TestMessagesStayShort(t *testing.T) {
	t.Parallel()
	c := parse(t, withProperties(`"x": {"type": "string", "maxLength": 9, "enum": ["a"]}`))
	_, got := verdict(t, c, eventOf(`"x":"`+strings.Repeat("é", 1000)+`","`+strings.Repeat("n", 1000)+`":1e999`))
	for _, v := range got {
		if len(v.Message) > 300 || len(v.Pointer) > 300 {
			t.Errorf("violation is long: %+v", v)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestHugePayload wants 10 MB to cost no more than the copy that is kept.
func TestHugePayload(t *testing.T) { //nolint:paralleltest // it measures what it allocates
	c := parse(t, withProperties(""))
	d, b := c.NewDecoder(), c.NewBatch(0, 1)
	payload := []byte(eventOf(`"x":"` + strings.Repeat("x", 10_000_000) + `"`))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if d.Decode(b, payload, event.ID{}, 0) {
		t.Fatal("10 MB became a row")
	}
	runtime.ReadMemStats(&after)
	if v := b.Rejects[0].Violations; len(v) != 1 || v[0].Keyword != "size" || len(b.Rejects[0].Payload) != len(payload) {
		t.Errorf("violations are %v", v)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(payload))*11/10 {
		t.Errorf("%d bytes were allocated for a payload of %d", grown, len(payload))
	}
}

// TestUsualEventsAreFast guards the speed: what producers send all day must not
// need the slow path, and allocates nothing.
func TestUsualEventsAreFast(t *testing.T) { //nolint:paralleltest // it measures what it allocates
	c := parse(t, movementSchema)
	d, b := c.NewDecoder(), c.NewBatch(0, 1)
	documents := []string{
		string(movement(1)),
		strings.Replace(string(movement(1)), `"B1"`, `null`, 1),
		strings.Replace(string(movement(1)), `,"gate":"B1"`, ``, 1),
		strings.Replace(string(movement(1)), `"B1"`, `"\u00e91"`, 1),
		strings.Replace(string(movement(1)), `"B1"`, `"é1"`, 1),
		strings.Replace(string(movement(1)), `2892.5`, `0`, 1),
		strings.Replace(string(movement(1)), `2892.5`, `2.8925e3`, 1),
		strings.Replace(string(movement(1)), `"delay_minutes":-19`, `"delay_minutes":-19.0`, 1),
		strings.ReplaceAll(strings.ReplaceAll(string(movement(1)), `,"`, `, "`), `":`, `": `),
		`{"cancelled":false,` + strings.Replace(string(movement(1)), `,"cancelled":false`, ``, 1)[1:],
	}
	for _, document := range documents {
		payload := []byte(document)
		if !d.IsFast(b, payload) {
			t.Errorf("takes the slow path: %s", document)
		}
		if n := testing.AllocsPerRun(100, func() { b.Reset(); d.Decode(b, payload, event.ID{}, 0) }); n > 0 {
			t.Errorf("allocates %v times: %s", n, document)
		}
	}
	open := parse(t, strings.Replace(movementSchema, `"additionalProperties": false,`, ``, 1))
	payload := []byte(strings.Replace(string(movement(1)), `,"gate"`, `,"extra":{"a":[1,"x"]},"gate"`, 1))
	if !open.NewDecoder().IsFast(open.NewBatch(0, 1), payload) {
		t.Error("an extra property takes the slow path")
	}
}

// TestUnnamedProperties: both ways of decoding name what no column holds.
func TestUnnamedProperties(t *testing.T) {
	t.Parallel()
	c := parse(t, withProperties(""))
	for _, document := range []string{eventOf(`"Count":5,"o":{"inside":1}`), eventOf(`"\u0043ount":5,"o":[{"inside":1}]`)} {
		d, met := c.NewDecoder(), map[string]bool{}
		d.OnUnnamed(func(name []byte) { met[string(name)] = true })
		if !d.Decode(c.NewBatch(0, 1), []byte(document), event.ID{}, 0) || len(met) != 2 || !met["Count"] || !met["o"] {
			t.Errorf("%s: %v", document, met)
		}
	}
}
