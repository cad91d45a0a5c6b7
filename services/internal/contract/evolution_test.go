package contract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
)

func ExampleContract_Breaks() {
	const schema = `{"type": "object", "x-estela": {"key": "id", "time": "at"}, "required": ["id", "at"],
		"properties": {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}, "delay": {"type": "%s"}}}`
	old, err := contract.Parse("flights", "contract.json", fmt.Appendf(nil, schema, "integer"))
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := contract.Parse("flights", "contract.json", fmt.Appendf(nil, schema, "number"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, change := range now.Breaks(old) {
		fmt.Println(change)
	}
	// Output: /properties/delay: column was BIGINT and is DOUBLE: add a new property instead
}

// TestEvolution changes one property and wants the pointers of the changes that
// break something.
func TestEvolution(t *testing.T) {
	t.Parallel()
	const x = "/properties/x"
	cases := []struct{ old, now, breaks string }{
		{`"x": {"type": "string"}`, `"x": {"type": "string", "description": "New.", "examples": ["a"]}`, ""},
		{`"x": {"type": "integer", "x-estela": {"unit": "minutes"}}`, `"x": {"type": "integer", "title": "Wait", "x-estela": {"unit": "min"}}`, ""},
		{`"x": {"type": "integer", "x-estela": {"unit": "minutes"}}`, `"x": {"type": "integer"}`, ""},
		{``, `"x": {"type": "string"}`, ""},
		{``, `"x": {"type": "object", "required": ["y"], "properties": {"y": {"type": "string"}}}`, ""},
		{`"x": {"type": "string"}`, ``, x},
		{`"x": {"type": "string"}, "y": {"type": "string"}`, `"y": {"type": "string"}, "x": {"type": "string"}`, ""},
		{`"x": {"type": "string"}`, `"x": {"type": "integer"}`, x},
		{`"x": {"type": "string"}`, `"x": {"type": "string", "format": "uuid"}`, x},
		{`"x": {"type": "integer", "maximum": 100, "minimum": 0}`, `"x": {"type": "integer", "maximum": 1000, "minimum": 0}`, x},
		{`"x": {"type": "integer", "maximum": 100, "minimum": 0}`, `"x": {"type": "integer", "maximum": 127, "minimum": -128}`, ""},
		{`"x": {"type": "integer", "maximum": 100, "minimum": 0}`, `"x": {"type": "integer", "maximum": 99, "minimum": 1}`, x + "/minimum " + x + "/maximum"},
		{`"x": {"type": "integer"}`, `"x": {"type": "integer", "minimum": 0}`, x + "/minimum"},
		{`"x": {"type": "integer", "minimum": 0}`, `"x": {"type": "integer"}`, ""},
		{`"x": {"type": "number", "minimum": 0}`, `"x": {"type": "number", "exclusiveMinimum": 0}`, x + "/exclusiveMinimum"},
		{`"x": {"type": "number", "exclusiveMinimum": 0}`, `"x": {"type": "number", "minimum": 0}`, ""},
		{`"x": {"type": "number", "exclusiveMinimum": 0}`, `"x": {"type": "number", "minimum": 0.5}`, x + "/minimum"},
		{`"x": {"type": "number", "exclusiveMaximum": 5}`, `"x": {"type": "number", "maximum": 5}`, ""},
		{`"x": {"type": "number", "maximum": 5}`, `"x": {"type": "number", "exclusiveMaximum": 5}`, x + "/exclusiveMaximum"},
		{`"x": {"type": "number", "maximum": 5}`, `"x": {"type": "number", "exclusiveMaximum": 6}`, ""},
		{`"x": {"type": "number", "multipleOf": 10}`, `"x": {"type": "number", "multipleOf": 5}`, ""},
		{`"x": {"type": "number", "multipleOf": 10}`, `"x": {"type": "number", "multipleOf": 4}`, x + "/multipleOf"},
		{`"x": {"type": "number"}`, `"x": {"type": "number", "multipleOf": 4}`, x + "/multipleOf"},
		{`"x": {"type": "string", "enum": ["a"]}`, `"x": {"type": "string", "enum": ["a", "b"]}`, ""},
		{`"x": {"type": "string", "enum": ["a", "b"]}`, `"x": {"type": "string", "enum": ["b"]}`, x},
		{`"x": {"type": "string"}`, `"x": {"type": "string", "enum": ["b"]}`, x},
		{`"x": {"type": "string", "enum": ["a", "b"]}`, `"x": {"type": "string"}`, ""},
		{`"x": {"type": "string", "const": "a"}`, `"x": {"type": "string", "enum": ["b", "a"]}`, ""},
		{`"x": {"type": "string", "const": "a"}`, `"x": {"type": "string", "const": "b"}`, x},
		{`"x": {"type": "string"}`, `"x": {"type": "string", "pattern": "a"}`, x + "/pattern"},
		{`"x": {"type": "string", "pattern": "a"}`, `"x": {"type": "string", "pattern": "b"}`, x + "/pattern"},
		{`"x": {"type": "string", "pattern": "a"}`, `"x": {"type": "string"}`, ""},
		{`"x": {"type": "string", "minLength": 1, "maxLength": 9}`, `"x": {"type": "string", "minLength": 2, "maxLength": 8}`, x + "/minLength " + x + "/maxLength"},
		{`"x": {"type": "string"}`, `"x": {"type": "string", "minLength": 0, "maxLength": 8}`, x + "/maxLength"},
		{`"x": {"type": "string", "minLength": 2, "maxLength": 8}`, `"x": {"type": "string", "minLength": 1, "maxLength": 9}`, ""},
		{`"x": {"type": "string"}`, `"x": {"type": ["string", "null"]}`, x},
		{`"x": {"type": ["string", "null"]}`, `"x": {"type": "string"}`, x + "/type"},
		{`"x": {"type": "object"}`, `"x": {"type": "array"}`, x + "/type"},
		{`"x": {"type": "object"}`, `"x": {"type": "object", "additionalProperties": false}`, x + "/additionalProperties"},
		{`"x": {"type": "object", "additionalProperties": false}`, `"x": {"type": "object"}`, ""},
		{`"x": {"type": "object"}`, `"x": {"type": "object", "properties": {"y": {"type": "string"}}}`, ""},
		{`"x": {"type": "object", "properties": {"y": {}}}`, `"x": {"type": "object"}`, x + "/properties/y"},
		{`"x": {"type": "object", "properties": {"y": {}}}`, `"x": {"type": "object", "properties": {"y": {"type": "string"}}}`, x + "/properties/y/type"},
		{`"x": {"type": "object", "properties": {"y": {}}}`, `"x": {"type": "object", "properties": {"y": {}}, "required": ["y"]}`, x + "/properties/y"},
		{`"x": {"type": "object", "properties": {"y": {"format": "date"}}}`, `"x": {"type": "object", "properties": {"y": {}}}`, x + "/properties/y/format"},
		{`"x": {"type": "array"}`, `"x": {"type": "array", "items": {"type": "string"}}`, x + "/items"},
		{`"x": {"type": "array", "items": {"type": "string"}}`, `"x": {"type": "array"}`, ""},
		{`"x": {"type": "array", "items": {"type": "string"}}`, `"x": {"type": "array", "items": {"type": "string", "maxLength": 1}}`, x + "/items/maxLength"},
	}
	for _, c := range cases {
		breaks(t, withProperties(c.old), withProperties(c.now), c.breaks)
	}
}

func TestEvolutionOfTheWhole(t *testing.T) {
	t.Parallel()
	const old = `{"type": "object", "x-estela": {"key": "a", "time": "t", "partition": "b", "shards": 2, "dedupe": "1h"},
		"required": ["a", "b", "t", "u"], "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "string"},
		"t": {"type": "string", "format": "date-time"}, "u": {"type": "string", "format": "date-time"}}}`
	cases := []struct{ from, to, breaks string }{
		{`"1h"`, `"2h", "retention": "1d"`, ""},
		{`"key": "a"`, `"key": "b"`, "/x-estela/key"},
		{`"time": "t"`, `"time": "u"`, "/x-estela/time"},
		{`"partition": "b"`, `"partition": "a"`, "/x-estela/partition"},
		{`"shards": 2`, `"shards": 3`, "/x-estela/shards"},
		{`"t", "u"]`, `"t", "u", "c"]`, "/properties/c"},
		{`"t", "u"]`, `"t"]`, "/properties/u"},
		{`"type": "object"`, `"additionalProperties": false, "type": "object"`, "/additionalProperties"},
		{`"c": {`, `"d": {"type": "string"}, "c": {`, ""},
		{`"dedupe"`, `"cloudevents": {"id": "a", "type": "c"}, "dedupe"`, ""},
	}
	for _, c := range cases {
		breaks(t, old, strings.Replace(old, c.from, c.to, 1), c.breaks)
	}
	required := strings.Replace(strings.Replace(old, `"c": {`, `"d": {"type": "string"}, "c": {`, 1), `"u"]`, `"u", "d"]`, 1)
	breaks(t, old, required, "/properties/d")
	events := strings.Replace(old, `"dedupe"`, `"cloudevents": {"id": "a", "type": "c"}, "dedupe"`, 1)
	breaks(t, events, strings.Replace(events, `"type": "c"}`, `"type": "b"}`, 1), "/x-estela/cloudevents/type")
	breaks(t, events, old, "/x-estela/cloudevents/id /x-estela/cloudevents/type")
}

// breaks checks the pointers of the changes from one schema to another.
func breaks(t *testing.T, old, now, want string) {
	t.Helper()
	var pointers []string
	for _, change := range parse(t, now).Breaks(parse(t, old)) {
		pointers = append(pointers, change.Pointer)
	}
	if got := strings.Join(pointers, " "); got != want {
		t.Errorf("from %s\nto   %s\nbreaks %q, want %q", old, now, got, want)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"type": "object", "x-estela": {"key": "a", "time": "t", "partition": "b", "shards": 2, "retention": "1h"},
		"required": ["a", "b", "t"], "properties": {"a": {"type": "string", "description": "A."}, "b": {"type": "string"},
		"t": {"type": "string", "format": "date-time", "description": "T."}}}`)
	got := c.Warnings()
	for i, want := range []string{"/x-estela/partition: ", "/x-estela/retention: ", "/properties: 1 of 3 have no description, which is the column's documentation: b"} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Errorf("warnings are %q, want one of %s", got, want)
		}
	}
	if len(got) != 3 {
		t.Errorf("warnings are %q", got)
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `,"p%02d": {"type": "string"}`, i)
	}
	got = parse(t, `{"type": "object", "x-estela": {"key": "p00", "time": "t"}, "required": ["p00", "t"],
		"properties": {"t": {"type": "string", "format": "date-time", "description": "T."}`+many.String()+`}}`).Warnings()
	if len(got) != 1 || !strings.HasSuffix(got[0], "100 of 101 have no description, which is the column's documentation: p00, p01, p02, …") {
		t.Errorf("warnings are %q", got)
	}
}
