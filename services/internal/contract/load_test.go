package contract_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
)

func ExampleLoad() {
	fsys := fstest.MapFS{"sightings/contract.json": {Data: []byte(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"type": "object",
		"x-estela": {"key": "id", "time": "seen_at", "dedupe": "7d"},
		"required": ["id", "seen_at"],
		"properties": {
			"id":       {"type": "string", "format": "uuid"},
			"seen_at":  {"type": "string", "format": "date-time"},
			"altitude": {"type": "integer", "minimum": -1000, "maximum": 30000},
			"position": {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}}
		}
	}`)}}
	c, err := contract.Load(fsys, "sightings")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Name, c.Version, c.Dedupe)
	for _, column := range c.Columns {
		fmt.Println(column.Name, column.Type, column.Required)
	}
	// Output:
	// sightings 513875e62458 168h0m0s
	// id UUID true
	// seen_at TIMESTAMPTZ true
	// altitude SMALLINT false
	// position JSON false
}

func ExampleSchemaError() {
	fsys := fstest.MapFS{"sightings/contract.json": {Data: []byte(`{
		"type": "object",
		"x-estela": {"key": "id", "time": "seen_on"},
		"required": ["id"],
		"properties": {
			"id":      {"type": "string", "minLenght": 1},
			"seen_on": {"type": "string"}
		}
	}`)}}
	_, err := contract.Load(fsys, "sightings")
	if schema, ok := errors.AsType[*contract.SchemaError](err); ok {
		for _, p := range schema.Problems {
			fmt.Println(schema.File+"#"+p.Pointer, strings.SplitN(p.Reason, ":", 2)[0])
		}
	}
	// Output:
	// sightings/contract.json#/properties/id/minLenght keyword "minLenght" is not supported
	// sightings/contract.json#/x-estela/time property "seen_on" is the event's time
	// sightings/contract.json#/x-estela/time property "seen_on" is the event's time
}

func TestColumns(t *testing.T) {
	t.Parallel()
	cases := []struct {
		schema string
		want   column.Kind
	}{
		{`{"type": "string"}`, column.Varchar},
		{`{"type": ["null", "string"]}`, column.Varchar},
		{`{"type": "string", "format": "date-time"}`, column.TimestampTZ},
		{`{"type": "string", "format": "date"}`, column.Date},
		{`{"type": "string", "format": "uuid"}`, column.UUID},
		{`{"type": "boolean"}`, column.Boolean},
		{`{"type": "number"}`, column.Double},
		{`{"type": "object"}`, column.JSON},
		{`{"type": "array", "items": {"type": "integer"}}`, column.JSON},
		{`{"type": "integer"}`, column.BigInt},
		{`{"type": "integer", "minimum": 0}`, column.BigInt},
		{`{"type": "integer", "minimum": -128, "maximum": 127}`, column.TinyInt},
		{`{"type": "integer", "minimum": -129, "maximum": 127}`, column.SmallInt},
		{`{"type": "integer", "minimum": -128.9, "exclusiveMaximum": 128}`, column.TinyInt},
		{`{"type": "integer", "exclusiveMinimum": -32769, "maximum": 32767.5}`, column.SmallInt},
		{`{"type": "integer", "minimum": 0, "maximum": 32768}`, column.Integer},
		{`{"type": "integer", "minimum": -2147483648, "maximum": 2147483647}`, column.Integer},
		{`{"type": "integer", "minimum": -1e30, "maximum": 2147483648}`, column.BigInt},
		{`{"type": "integer", "minimum": 0, "maximum": 1e2}`, column.TinyInt},
	}
	for _, c := range cases {
		columns := parse(t, withProperties(`"x": `+c.schema)).Columns
		if got := columns[2].Type; got != c.want {
			t.Errorf("%s is a %s, want %s", c.schema, got, c.want)
		}
	}
}

func TestRequired(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"type": "object", "x-estela": {"key": "id", "time": "at"}, "required": ["id", "at", "n", "m"],
		"properties": {"n": {"type": ["string", "null"]}, "id": {"type": "integer"}, "o": {"type": "string"},
		"m": {"type": ["string", "null"], "enum": ["a"]}, "at": {"type": "string", "format": "date-time"}}}`)
	want := map[string]bool{"n": false, "id": true, "o": false, "m": true, "at": true}
	for _, column := range c.Columns {
		if column.Required != want[column.Name] {
			t.Errorf("%s: required is %t", column.Name, column.Required)
		}
	}
	if !slices.Equal(c.Key, []int{1}) || c.Time != 4 || c.Partition != 1 {
		t.Errorf("key, time, partition are %v, %d, %d", c.Key, c.Time, c.Partition)
	}
}

func TestAnnotation(t *testing.T) {
	t.Parallel()
	c := parse(t, `{"type": "object", "description": "Things.", "x-estela": {"key": "id", "time": "at", "partition": "p",
		"shards": 4, "dedupe": "1d12h", "retention": "90d"}, "required": ["id", "at", "p"], "properties": {
		"id": {"type": "string", "title": "ID", "description": "Names it.", "x-estela": {"unit": "UN/LOCODE"}, "examples": ["a", "ä\n"]}, "at": {"type": "string", "format": "date-time"},
		"p": {"type": "string", "format": "uuid"}}}`)
	if c.Partition != 2 || c.Shards != 4 || c.Dedupe != 36*time.Hour || c.Retention != 90*24*time.Hour {
		t.Errorf("got partition %d, shards %d, dedupe %s, retention %s", c.Partition, c.Shards, c.Dedupe, c.Retention)
	}
	if c.Description != "Things." || c.Columns[0].Description != "Names it." {
		t.Errorf("got descriptions %q and %q", c.Description, c.Columns[0].Description)
	}
	if got, want := c.Columns[0].Comment(), "ID\nNames it.\nUnit: UN/LOCODE\nExamples: \"a\", \"ä\\n\""; got != want || c.Columns[1].Comment() != "" {
		t.Errorf("the comment is\n%s\nwant\n%s", got, want)
	}
	c = parse(t, withProperties(""))
	if c.Partition != c.Key[0] || c.Shards != 1 || c.Dedupe != 24*time.Hour || c.Retention != 0 {
		t.Errorf("defaults: partition %d, shards %d, dedupe %s, retention %s", c.Partition, c.Shards, c.Dedupe, c.Retention)
	}
	off := strings.Replace(withProperties(""), `"time": "at"`, `"time": "at", "dedupe": "0"`, 1)
	if c = parse(t, off); c.Dedupe != 0 {
		t.Errorf("dedupe is %s, want it off", c.Dedupe)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	one := parse(t, withProperties(`"x": {"type": "string"}`))
	spaced := parse(t, strings.ReplaceAll(withProperties(`"x": {"type": "string"}`), " ", "\n  "))
	other := parse(t, withProperties(`"y": {"type": "string"}`))
	if len(one.Version) != 12 || one.Version != spaced.Version || one.Version == other.Version {
		t.Errorf("versions are %s, with other white space %s, of another schema %s", one.Version, spaced.Version, other.Version)
	}
	again, err := contract.Parse(one.Name, "warehouse", one.Schema)
	if err != nil || again.Version != one.Version {
		t.Errorf("parsed again: %v, %v", again, err)
	}
}

func TestBundledContracts(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(os.DirFS("../../../data"), "flights")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "flights" || len(c.Warnings()) > 0 {
		t.Errorf("%s warns: %q", c.Name, c.Warnings())
	}
}

func TestLoadNoFile(t *testing.T) {
	t.Parallel()
	if _, err := contract.Load(fstest.MapFS{}, "flights"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "flights/contract.json") {
		t.Errorf("got %v, want the missing file named", err)
	}
}

func TestRefusedNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Flights", "1st", "_flights", "flight-plan", "a b", strings.Repeat("a", 64), "."} {
		if _, err := contract.Parse(name, "f", []byte(withProperties(""))); err == nil || !strings.Contains(err.Error(), "dataset's name") {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestRefusedDocuments(t *testing.T) {
	t.Parallel()
	cases := []struct{ schema, pointer, reason string }{
		{``, "", "is empty"},
		{`{`, "", "lacks a property's name"},
		{`[]`, "", "must be object, found array"},
		{`true`, "", "must be object"},
		{"\xef\xbb\xbf{}", "", "byte order mark"},
		{`{"type": "object"} x`, "", "has more after its end"},
		{`{"title": "` + "\xff" + `"}`, "/title", "not UTF-8"},
		{`{"title": "\ud800"}`, "/title", "surrogate"},
		{`{"type": "object", "type": "object"}`, "/type", "more than once"},
		{`{"properties": {"a": {"type": "string"}, "a": {"type": "string"}}}`, "/properties/a", "more than once"},
		{strings.Repeat(`{"a":`, 65) + strings.Repeat(`}`, 65), strings.Repeat("/a", 64), "deeper than 64"},
		{`{"title": "` + strings.Repeat("x", contract.MaxEvent) + `"}`, "", "must be at most"},
		{`{}`, "/type", `must be "object" at the top`},
		{`{"type": "array"}`, "/type", `must be "object" at the top`},
		{`{"type": ["object", "null"]}`, "/type", `must be "object" at the top`},
		{`{"type": "object", "properties": {}}`, "/properties", "at least one"},
		{`{"type": "object"}`, "/properties", "at least one"},
		{`{"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}`, "/$schema", "2020-12"},
		{`{"type": "object", "$schema": 1}`, "/$schema", "2020-12"},
		{`{"type": "object", "enum": [{}]}`, "/enum", "belongs to a property"},
		{`{"type": "object", "const": {}}`, "/const", "belongs to a property"},
		{`{"type": "object", "minimum": 1}`, "/minimum", "says nothing about type object"},
		{`{"type": "object", "allOf": []}`, "/allOf", "not supported"},
		{`{"type": "object", "$defs": {}}`, "/$defs", "not supported"},
		{`{"type": "object", "additionalProperties": {"type": "string"}}`, "/additionalProperties", "true or false"},
		{`{"type": "object", "properties": []}`, "/properties", "must be an object"},
		{`{"type": "object", "required": "id"}`, "/required", "must be an array"},
		{`{"type": "object", "required": [1]}`, "/required/0", "must be the name"},
		{`{"type": "object", "required": ["nobody"]}`, "/required/0", "not among the properties"},
		{`{"type": "object", "description": 1}`, "/description", "must be a string"},
		{`{"type": "object", "$id": 1}`, "/$id", "must be a string"},
		{`{"type": "object", "examples": 1}`, "/examples", "must be an array"},
		{`{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "a"]}`, "/required/1", "twice"},
	}
	for _, c := range cases {
		refused(t, c.schema, c.pointer, c.reason)
	}
}

func TestRefusedProperties(t *testing.T) {
	t.Parallel()
	cases := []struct{ properties, pointer, reason string }{
		{`"x": true`, "/x", "must be an object"},
		{`"x": {}`, "/x", "type is missing"},
		{`"X": {"type": "string"}`, "/X", "must match"},
		{`"_x": {"type": "string"}`, "/_x", "pipeline's own"},
		{`"a/b~c": {"type": "string"}`, "/a~1b~0c", "must match"},
		{`"` + strings.Repeat("x", 64) + `": {"type": "string"}`, "/" + strings.Repeat("x", 64), "must match"},
		{`"x": {"type": "text"}`, "/x/type", `unknown type "text"`},
		{`"x": {"type": 1}`, "/x/type", "unknown type 1"},
		{`"x": {"type": []}`, "/x/type", "one type"},
		{`"x": {"type": "null"}`, "/x/type", "one type"},
		{`"x": {"type": ["string", "integer"]}`, "/x/type", "one type"},
		{`"x": {"type": ["string", "integer", "null"]}`, "/x/type", "one type"},
		{`"x": {"type": ["string", "string"]}`, "/x/type/1", "named twice"},
		{`"x": {"type": "string", "format": "email"}`, "/x/format", "unknown format"},
		{`"x": {"type": "string", "format": 1}`, "/x/format", "unknown format"},
		{`"x": {"type": "string", "pattern": "("}`, "/x/pattern", "not an RE2 expression"},
		{`"x": {"type": "string", "pattern": "a(?=b)"}`, "/x/pattern", "not an RE2 expression"},
		{`"x": {"type": "string", "pattern": 1}`, "/x/pattern", "must be a string"},
		{`"x": {"type": "string", "minLength": -1}`, "/x/minLength", "at least 0"},
		{`"x": {"type": "string", "maxLength": 1.5}`, "/x/maxLength", "at least 0"},
		{`"x": {"type": "string", "maxLength": "1"}`, "/x/maxLength", "at least 0"},
		{`"x": {"type": "string", "minLength": 3, "maxLength": 2}`, "/x/minLength", "above maxLength"},
		{`"x": {"type": "string", "minimum": 3}`, "/x/minimum", "says nothing about type string"},
		{`"x": {"type": "integer", "minLength": 3}`, "/x/minLength", "says nothing about type integer"},
		{`"x": {"type": "string", "items": {}}`, "/x/items", "says nothing"},
		{`"x": {"type": "object", "properties": {"y": {"type": "string", "x-estela": {}}}}`, "/x/properties/y/x-estela", "top of the file"},
		{`"x": {"type": "string", "x-estela": []}`, "/x/x-estela", "must be an object"},
		{`"x": {"type": "string", "x-estela": {"alias": "X"}}`, "/x/x-estela/alias", "there are aliases and unit"},
		{`"x": {"type": "string", "x-estela": {"aliases": "X"}}`, "/x/x-estela/aliases", "array of names"},
		{`"x": {"type": "string", "x-estela": {"aliases": ["X", 1]}}`, "/x/x-estela/aliases/1", "must be a string"},
		{`"x": {"type": "string", "x-estela": {"aliases": ["X", "id"]}}`, "/x/x-estela/aliases/1", "names property \"id\""},
		{`"x": {"type": "string", "x-estela": {"aliases": ["X", "X"]}}`, "/x/x-estela/aliases/1", "names property \"x\""},
		{`"x": {"type": "string", "x-estela": {"unit": 1}}`, "/x/x-estela/unit", "must be a text such as"},
		{`"x": {"type": "string", "x-estela": {"unit": " "}}`, "/x/x-estela/unit", "must be a text such as"},
		{`"x": {"type": "string", "$schema": "x"}`, "/x/$schema", "top of the file"},
		{`"x": {"type": "string", "title": 1}`, "/x/title", "must be a string"},
		{`"x": {"type": "array", "uniqueItems": true}`, "/x/uniqueItems", "not supported"},
		{`"x": {"type": "array", "minItems": 1}`, "/x/minItems", "not supported"},
		{`"x": {"type": "array", "items": {"type": "what"}}`, "/x/items/type", "unknown type"},
		{`"x": {"type": "array", "items": {"properties": {"y": {"oneOf": []}}}}`, "/x/items/properties/y/oneOf", "not supported"},
		{`"x": {"$ref": "#"}`, "/x/$ref", "not supported"},
		{`"x": {"type": "number", "minimum": "1"}`, "/x/minimum", "must be a number"},
		{`"x": {"type": "number", "minimum": 2, "maximum": 1}`, "/x/minimum", "no number"},
		{`"x": {"type": "number", "minimum": 1, "exclusiveMaximum": 1}`, "/x/minimum", "no number"},
		{`"x": {"type": "number", "exclusiveMinimum": 1, "maximum": 1}`, "/x/exclusiveMinimum", "no number"},
		{`"x": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}`, "/x", "no integer"},
		{`"x": {"type": "integer", "minimum": 9223372036854775808}`, "/x", "no integer"},
		{`"x": {"type": "integer", "exclusiveMinimum": 9223372036854775807}`, "/x", "no integer"},
		{`"x": {"type": "integer", "exclusiveMaximum": -9223372036854775808}`, "/x", "no integer"},
		{`"x": {"type": "number", "multipleOf": 0}`, "/x/multipleOf", "above 0"},
		{`"x": {"type": "number", "multipleOf": -1}`, "/x/multipleOf", "above 0"},
		{`"x": {"type": "number", "multipleOf": "1"}`, "/x/multipleOf", "must be a number"},
		{`"x": {"type": "number", "multipleOf": 0.1234567890123456789}`, "/x/multipleOf", "18 significant"},
		{`"x": {"type": "number", "maximum": 1e999}`, "/x/maximum", "64-bit float"},
		{`"x": {"type": "string", "enum": []}`, "/x/enum", "at least one"},
		{`"x": {"type": "string", "enum": "a"}`, "/x/enum", "at least one"},
		{`"x": {"type": "string", "enum": ["a", "\u0061"]}`, "/x/enum/1", "listed twice"},
		{`"x": {"type": "number", "enum": [1, 1.0]}`, "/x/enum/1", "listed twice"},
		{`"x": {"type": "string", "enum": ["a", 1]}`, "/x/enum/1", "can never be sent"},
		{`"x": {"type": "string", "enum": ["a", null]}`, "/x/enum/1", "can never be sent"},
		{`"x": {"type": "string", "maxLength": 1, "enum": ["a", "bc"]}`, "/x/enum/1", "can never be sent"},
		{`"x": {"type": "string", "const": 1}`, "/x/const", "can never be sent"},
		{`"x": {"type": "string", "enum": ["a"], "const": "b"}`, "/x/const", "can never be sent"},
		{`"x": {"type": "string", "format": "date", "const": "2001-02-29"}`, "/x/const", "can never be sent"},
	}
	for _, c := range cases {
		refused(t, withProperties(c.properties), "/properties"+c.pointer, c.reason)
	}
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, `%s"x%d": {"type": "string"}`, strings.Repeat(",", min(i, 1)), i)
	}
	refused(t, withProperties(many.String()), "/properties", "at most 1000")
}

func TestRefusedAnnotations(t *testing.T) {
	t.Parallel()
	cases := []struct{ annotation, pointer, reason string }{
		{`[]`, "", "must be an object"},
		{`{"dedupe": "1h"}`, "/dedupe", "needs a key"},
		{`{"shards": 2}`, "", "partition is missing"},
		{`{"key": ["id", "at"], "shards": 2}`, "", "partition is missing"},
		{`{"key": "at", "shards": 2}`, "", "partition is missing"},
		{`{"key": []}`, "/key", "leave key out"},
		{`{"key": ["id", "id"]}`, "/key/1", "named twice"},
		{`{"key": ["id", "opt"]}`, "/key/1", "required and never null"},
		{`{"key": ["id", 7]}`, "/key/1", "names no property"},
		{`{"key": ["id", ["at"]]}`, "/key/1", "names no property"},
		{`{"key": "nobody", "time": "at"}`, "/key", "names no property"},
		{`{"key": 1, "time": "at"}`, "/key", "names no property"},
		{`{"key": "opt", "time": "at"}`, "/key", "required and never null"},
		{`{"key": "nul", "time": "at"}`, "/key", "required and never null"},
		{`{"key": "num", "time": "at"}`, "/key", "is a DOUBLE"},
		{`{"key": "id", "time": "id"}`, "/time", "format date-time"},
		{`{"key": "id", "time": "at", "partition": "opt"}`, "/partition", "required and never null"},
		{`{"key": "id", "time": "at", "partition": "num"}`, "/partition", "is a DOUBLE"},
		{`{"key": "id", "time": "at", "partition": "at"}`, "/partition", "is a TIMESTAMPTZ"},
		{`{"key": "id", "time": "at", "shards": 0}`, "/shards", "1 to 1024"},
		{`{"key": "id", "time": "at", "shards": 1025}`, "/shards", "1 to 1024"},
		{`{"key": "id", "time": "at", "shards": 1.5}`, "/shards", "1 to 1024"},
		{`{"key": "id", "time": "at", "shards": "2"}`, "/shards", "1 to 1024"},
		{`{"key": "id", "time": "at", "dedupe": "-1h"}`, "/dedupe", "duration"},
		{`{"key": "id", "time": "at", "dedupe": "1µs"}`, "/dedupe", "whole milliseconds"},
		{`{"key": "id", "time": "at", "dedupe": 24}`, "/dedupe", "duration"},
		{`{"key": "id", "time": "at", "dedupe": "day"}`, "/dedupe", "duration"},
		{`{"key": "id", "time": "at", "dedupe": ""}`, "/dedupe", "duration"},
		{`{"key": "id", "time": "at", "retention": "200000d"}`, "/retention", "duration"},
		{`{"key": "id", "time": "at", "retention": "1d-1h"}`, "/retention", "duration"},
		{`{"key": "id", "time": "at", "keep": 1}`, "/keep", "unknown"},
	}
	const schema = `{"type": "object", "x-estela": %s, "required": ["id", "at", "nul", "num"], "properties": {
		"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}, "opt": {"type": "string"},
		"nul": {"type": ["string", "null"]}, "num": {"type": "number"}}}`
	for _, c := range cases {
		refused(t, fmt.Sprintf(schema, c.annotation), "/x-estela"+c.pointer, c.reason)
	}
}

// refused checks that the schema has a problem at the pointer for the reason.
func refused(t *testing.T, schema, pointer, reason string) {
	t.Helper()
	_, err := contract.Parse("events", "events/contract.json", []byte(schema))
	var e *contract.SchemaError
	if !errors.As(err, &e) {
		t.Errorf("%.200s\nis accepted (%v), want at %s: %s", schema, err, pointer, reason)
		return
	}
	if !strings.Contains(err.Error(), "events/contract.json#"+pointer+": ") {
		t.Errorf("%.200s\nmessage lacks the file or the place: %v", schema, err)
	}
	for _, p := range e.Problems {
		if p.Pointer == pointer && strings.Contains(p.Reason, reason) {
			return
		}
	}
	t.Errorf("%.200s\nis refused for %+v, want at %s: %s", schema, e.Problems, pointer, reason)
}

func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	_, err := contract.Parse("Events", "f", []byte(`{"type": "object", "if": {}, "x-estela": {"key": "x", "time": "y", "z": 1},
		"properties": {"A": {"type": "text"}, "b": {"type": "string", "format": "email", "pattern": "("}}}`))
	var e *contract.SchemaError
	if !errors.As(err, &e) || len(e.Problems) != 9 {
		t.Errorf("want nine problems, got %v", err)
	}
}
