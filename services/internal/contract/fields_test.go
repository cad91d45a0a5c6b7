package contract_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// fieldsSchema is a contract whose events are the fields of entries.
const fieldsSchema = `{"type": "object", "x-estela": {"key": "id", "time": "at", "stream": {"key": "orders"}}, "required": ["id", "at", "must"],
	"properties": {
		"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}, "must": {"type": ["integer", "null"]},
		"n": {"type": "integer"}, "x": {"type": "number"}, "ok": {"type": "boolean"}, "day": {"type": "string", "format": "date"},
		"uid": {"type": "string", "format": "uuid"}, "word": {"type": "string", "maxLength": 5}, "tags": {"type": "array", "items": {"type": "string"}}
	}}`

// fieldsOf is the payload of an entry with these fields, names and values in turn.
func fieldsOf(fields ...string) []byte {
	var b strings.Builder
	for i, f := range fields {
		if !utf8.ValidString(f) || strings.HasPrefix(f, "base64:") {
			f = "base64:" + base64.StdEncoding.EncodeToString([]byte(f))
		}
		quoted, _ := json.Marshal(f)
		fmt.Fprintf(&b, "%s%s", []string{",", ":"}[i%2], quoted)
	}
	return []byte("{" + b.String()[1:] + "}")
}

func decodeFields(c *contract.Contract, payload []byte) *contract.Batch {
	b := c.NewBatch(0, 1)
	c.NewDecoder().DecodeEntry(b, event.Entry{ID: event.ID{MS: 7, Seq: 1}, Kind: event.Fields, Payload: payload})
	return b
}

func TestOwnFields(t *testing.T) {
	t.Parallel()
	c := parse(t, fieldsSchema)
	base := []string{"id", "a", "at", "2001-01-01T00:00:00Z", "must", ""}
	for _, test := range []struct {
		more []string
		at   int
		want any
	}{
		{nil, 2, nil},
		{[]string{"n", "12"}, 3, int64(12)},
		{[]string{"n", "1e3"}, 3, int64(1000)},
		{[]string{"n", ""}, 3, nil},
		{[]string{"x", "-0.5"}, 4, -0.5},
		{[]string{"ok", "true"}, 5, true},
		{[]string{"ok", ""}, 5, nil},
		{[]string{"day", "1970-01-03"}, 6, int64(2)},
		{[]string{"uid", ""}, 7, nil},
		{[]string{"word", ""}, 8, ""},
		{[]string{"word", "null"}, 8, "null"},
		{[]string{"word", `"é\`}, 8, `"é\`},
		{[]string{"tags", "[\"a\",\n\"b\"]"}, 9, `["a", "b"]`},
		{[]string{"tags", "null"}, 9, nil},
		{[]string{"traceparent", "\xff", "other", "kept out"}, 2, nil},
	} {
		b := decodeFields(c, fieldsOf(slices.Concat(base, test.more)...))
		if b.Rows != 1 || len(b.Rejects) > 0 || b.Entries != 1 {
			t.Errorf("%q: %d rows, %+v", test.more, b.Rows, b.Rejects)
			continue
		}
		if got := value(b, test.at, 0); got != test.want {
			t.Errorf("%q: %v, want %v", test.more, got, test.want)
		}
	}
	long := "base64:aGk=" // a text that looks as if it were encoded
	b := decodeFields(c, fieldsOf("id", long, "at", "2001-01-01T00:00:00Z", "must", "1"))
	if b.Rows != 1 || value(b, 0, 0) != long {
		t.Errorf("%d rows: %+v", b.Rows, b.Rejects)
	}
}

// What is none is a reject of the entry's fields as they are, and can be decoded again.
func TestOwnFieldsRejected(t *testing.T) {
	t.Parallel()
	c := parse(t, fieldsSchema)
	base := []string{"id", "a", "at", "2001-01-01T00:00:00Z", "must", "1"}
	for _, test := range []struct {
		more                      []string
		pointer, keyword, message string
	}{
		{[]string{"n", "many"}, "/n", "type", `found string "many"`},
		{[]string{"n", "1.000"}, "/n", "type", `found string "1.000"`},
		{[]string{"x", "1,5"}, "/x", "type", `found string "1,5"`},
		{[]string{"ok", "True"}, "/ok", "type", `found string "True"`},
		{[]string{"ok", "1"}, "/ok", "type", `found string "1"`},
		{[]string{"day", "03/01/1970"}, "/day", "format", "date"},
		{[]string{"word", "longer"}, "/word", "maxLength", ""},
		{[]string{"tags", "a,b"}, "/tags", "type", ""},
		{[]string{"word", "\xff"}, "/word", "entry", "not UTF-8"},
		{[]string{"word", "a\x00"}, "/word", "entry", "U+0000"},
		{[]string{"\xff", "1"}, "/\uFFFD", "entry", "not UTF-8"},
		{[]string{"n", "", "n", "5"}, "/n", "entry", "more than once"},
		{[]string{"other", "1", "other", "2"}, "/other", "entry", "more than once"},
	} {
		payload := fieldsOf(slices.Concat(base, test.more)...)
		b := decodeFields(c, payload)
		if b.Rows != 0 || len(b.Rejects) != 1 {
			t.Errorf("%q: %d rows, %d rejects", test.more, b.Rows, len(b.Rejects))
			continue
		}
		r := b.Rejects[0]
		if v := r.Violations[0]; v.Pointer != test.pointer || v.Keyword != test.keyword || !strings.Contains(v.Message, test.message) {
			t.Errorf("%q: %+v", test.more, v)
		}
		if string(r.Payload) != string(payload) || r.ID != (event.ID{MS: 7, Seq: 1}) {
			t.Errorf("%q: kept %s", test.more, r.Payload)
		}
	}
	many := slices.Clone(base)
	for i := range 100 {
		many = append(many, fmt.Sprint("more", i), "x")
	}
	if b := decodeFields(c, fieldsOf(many...)); b.Rows != 1 {
		t.Errorf("%+v", b.Rejects)
	}
	for _, again := range []string{"more1", "more98"} {
		if b := decodeFields(c, fieldsOf(append(many, again, "y")...)); b.Rows != 0 || b.Rejects[0].Violations[0].Pointer != "/"+again {
			t.Errorf("%s: %+v", again, b.Rejects)
		}
	}
	missing := decodeFields(c, fieldsOf("id", "a", "at", ""))
	if v := missing.Rejects[0].Violations; len(v) != 2 || v[0].Keyword != "required" || v[1].Keyword != "required" {
		t.Errorf("%+v", v)
	}
	large := decodeFields(c, fieldsOf(append(base, "word", strings.Repeat("x", contract.MaxEvent))...))
	if v := large.Rejects[0].Violations[0]; v.Keyword != "size" {
		t.Errorf("%+v", v)
	}
}

func TestRejectOfFieldsDecodedAgain(t *testing.T) {
	t.Parallel()
	strict, loose := parse(t, fieldsSchema), parse(t, strings.Replace(fieldsSchema, `"maxLength": 5`, `"maxLength": 50`, 1))
	r := decodeFields(strict, fieldsOf("id", "a", "at", "2001-01-01T00:00:00Z", "must", "1", "n", "5", "word", "longer")).Rejects[0]
	if b := strict.NewBatch(0, 1); strict.NewDecoder().DecodeReject(b, r) || len(b.Rejects) != 1 {
		t.Error("it is valid")
	}
	b := loose.NewBatch(0, 1)
	if !loose.NewDecoder().DecodeReject(b, r) || value(b, 3, 0) != int64(5) || value(b, 8, 0) != "longer" {
		t.Errorf("%d rows, %+v", b.Rows, b.Rejects)
	}
}

// An entry without the contract's field says which one is missing.
func TestEntryWithoutTheField(t *testing.T) {
	t.Parallel()
	c := parse(t, ordersSchema(`, "stream": {"key": "orders", "field": "payload"}`))
	b, d := c.NewBatch(0, 1), c.NewDecoder()
	d.DecodeEntry(b, event.Entry{Kind: event.UnknownEntry, Payload: []byte(`{"body":"{}"}`)})
	d.DecodeEntry(b, event.Entry{Kind: event.Single, Payload: []byte(` `)})
	for i, want := range []string{`must have the field "payload"`, `its field "payload" is empty`} {
		if got := b.Rejects[i].Violations[0]; got.Keyword != "entry" || !strings.Contains(got.Message, want) {
			t.Errorf("%+v", got)
		}
	}
}

// FuzzFields holds the fields of an entry against the document that a person would make of them: one
// row or one reject, which keeps the fields.
func FuzzFields(f *testing.F) {
	c := parse(f, fieldsSchema)
	f.Add(fieldsOf("id", "a", "at", "2001-01-01T00:00:00Z", "must", "1"), "n", "12")
	f.Add(fieldsOf("id", "a", "at", "2001-01-01T00:00:00Z", "must", ""), "word", "base64:")
	f.Add([]byte(`{"id":"\u0000"}`), "tags", "[1,[]]")
	f.Add([]byte(`{"a":"base64:%"}`), "\xff", "\x00")
	f.Add([]byte(`{`), "", "")
	f.Fuzz(func(t *testing.T, payload []byte, name, text string) {
		for i, p := range [][]byte{payload, fieldsOf("id", "a", "at", "2001-01-01T00:00:00Z", "must", "1", name, text)} {
			b := decodeFields(c, p)
			if b.Rows+len(b.Rejects) != 1 || len(b.Rejects) == 1 && string(b.Rejects[0].Payload) != string(p) {
				t.Fatalf("%q: %d rows, %+v", p, b.Rows, b.Rejects)
			}
			if b.Rows == 1 && i == 1 && name == "word" && value(b, 8, 0) != text {
				t.Fatalf("%q was stored as %q", text, value(b, 8, 0))
			}
		}
	})
}
