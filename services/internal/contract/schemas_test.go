package contract_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// schemas are the contracts that fuzz and property tests run on. Between them
// they use every keyword.
var schemas = []string{
	movementSchema,
	wideSchema,
	withProperties(`"x": {"type": ["string", "null"], "minLength": 2, "maxLength": 4, "pattern": "^[a-zé]+(-[0-9]{2})?$"}`),
	withProperties(`"x": {"type": ["string", "null"], "enum": ["a", "ab", "é", "", null]}, "y": {"type": "string", "const": "a"}`),
	withProperties(`"x": {"type": "integer", "minimum": -5, "exclusiveMaximum": 300, "multipleOf": 2.5}, "y": {"type": "integer", "multipleOf": 3}`),
	withProperties(`"x": {"type": "number", "exclusiveMinimum": 0.1, "maximum": 1e2, "multipleOf": 0.05}, "y": {"type": "number", "minimum": -0.3, "exclusiveMaximum": 12.5}`),
	withProperties(`"x": {"type": "integer", "enum": [1, 2e1, -0.0]}, "y": {"type": ["number", "null"], "enum": [0.5, 1e-1, null]}, "z": {"type": "boolean", "const": true}`),
	withProperties(`"x": {"type": "string", "format": "date"}, "y": {"type": ["string", "null"], "format": "date-time"}, "z": {"type": "string", "format": "uuid"}`),
	withProperties(`"x": {"type": "string", "format": "date-time", "pattern": "Z$"}, "y": {"type": "string", "format": "date", "enum": ["2001-01-01", "2000-02-29"]}`),
	withProperties(`"x": {"type": "object", "additionalProperties": false, "required": ["x"], "properties": {"x": {"type": "integer"}, "y": {"type": "array", "items": {"type": ["string", "null"], "maxLength": 2}}, "z": {"minimum": 1, "maxLength": 1, "format": "date"}}}`),
	withProperties(`"x": {"type": ["array", "null"], "items": {"enum": ["a", 1, null, true, [1, {"x": 1.0}], {"y": []}]}}, "y": {"type": "object", "const": {"x": [1, "é"], "y": null}}`),
	strings.Replace(withProperties(`"x": {"type": "array", "items": {"type": "object", "required": ["x"], "properties": {"x": {"type": "number", "multipleOf": 0.1}}}}`), `"type": "object", "x-estela"`, `"additionalProperties": false, "type": "object", "x-estela"`, 1),
}

// reference compiles a schema with the library that the verdicts are compared to.
func reference(tb failer, schema string) *jsonschema.Schema {
	tb.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		tb.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("contract.json", document); err != nil {
		tb.Fatal(err)
	}
	compiled, err := compiler.Compile("contract.json")
	if err != nil {
		tb.Fatal(err)
	}
	return compiled
}

// differs says in which documented way the package differs from the reference
// on this document. Everything that is deliberate is here:
//
//   - refused: what JSON admits and the pipeline does not take (doc.go): repeated
//     names, text that is not UTF-8, half surrogates, U+0000, depth, size, numbers
//     beyond a double.
//   - unlike: what can't be compared: integers beyond 64 bits, where an integer
//     is asked for; exponents with which the reference would compute for
//     minutes; clock times such as 12:+3:00, which the reference reads through
//     strconv.Atoi; and date-times whose offset may take them out of the years 0000
//     to 9999.
//   - broken: no JSON document at all.
func differs(document []byte) (refused, unlike, broken bool) {
	if len(document) > contract.MaxEvent {
		return true, false, false
	}
	if !json.Valid(document) {
		return false, false, true
	}
	s := scan{decoder: json.NewDecoder(bytes.NewReader(document))}
	s.decoder.UseNumber()
	if err := s.value(0); err != nil && !errors.Is(err, io.EOF) {
		return false, false, true
	}
	refused = s.repeated || s.deep || s.huge || !utf8.Valid(document) || nul.Match(document) || halfSurrogate(document)
	return refused, s.long || s.slow || oddClock.Match(document) || edgeYear.Match(document), false
}

var (
	nul      = regexp.MustCompile(`(^|[^\\])(\\\\)*\\u0000`)
	unicode  = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	oddClock = regexp.MustCompile(`[0-9]:[+-]|[Tt][+-][0-9]|[+-][+-][0-9]`)
	edgeYear = regexp.MustCompile(`0000-01-01[Tt]|9999-12-31[Tt]`)
	exponent = regexp.MustCompile(`[eE][+-]?0*([0-9]+)$`)
)

// halfSurrogate looks for escapes of surrogates that don't come in pairs.
func halfSurrogate(document []byte) bool {
	high := -1 // the end of a high surrogate that waits for its other half
	for _, at := range unicode.FindAllIndex(document, -1) {
		code, err := strconv.ParseUint(string(document[min(at[0]+2, at[1]):at[1]]), 16, 16)
		isLow := err == nil && at[1]-at[0] == 6 && code >= 0xdc00 && code <= 0xdfff
		isHigh := err == nil && at[1]-at[0] == 6 && code >= 0xd800 && code <= 0xdbff
		paired := high == at[0]
		if high >= 0 && (!paired || !isLow) || isLow && !paired {
			return true
		}
		if high = -1; isHigh {
			high = at[1]
		}
	}
	return high >= 0
}

// scan walks over a valid document with the standard library.
type scan struct {
	decoder                          *json.Decoder
	repeated, deep, huge, long, slow bool
}

func (s *scan) value(depth int) error {
	token, err := s.decoder.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Number:
		s.number(v)
	case json.Delim:
		s.deep = s.deep || depth >= contract.MaxDepth
		names := map[string]bool{}
		for s.decoder.More() {
			if v == '{' {
				name, err := s.decoder.Token()
				if err != nil {
					return err
				}
				s.repeated = s.repeated || names[name.(string)]
				names[name.(string)] = true
			}
			if err := s.value(depth + 1); err != nil {
				return err
			}
		}
		_, err = s.decoder.Token()
	}
	return err
}

func (s *scan) number(n json.Number) {
	x, err := n.Float64()
	s.huge = s.huge || err != nil
	s.long = s.long || math.Abs(x) >= math.MaxInt64
	if m := exponent.FindStringSubmatch(string(n)); m != nil && len(m[1]) > 3 {
		s.slow = true
	}
}

// agree compares the verdicts of the package and of the reference.
func agree(tb failer, c *contract.Contract, other *jsonschema.Schema, document []byte) {
	tb.Helper()
	violations := c.NewDecoder().Validate(document)
	refused, unlike, broken := differs(document)
	switch {
	case refused || broken:
		if len(violations) == 0 {
			tb.Errorf("%q is valid (refused %t, broken %t)", document, refused, broken)
		}
	case unlike:
	default:
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
		if err != nil {
			tb.Fatal(err)
		}
		if err := other.Validate(value); (err == nil) != (len(violations) == 0) {
			tb.Errorf("%q: %v\nthe reference says: %v", document, violations, err)
		}
	}
}

// alike compares the rows of the fast and the slow path.
func alike(tb failer, c *contract.Contract, documents ...[]byte) {
	tb.Helper()
	d, fast, slow := c.NewDecoder(), c.NewBatch(0, 0), c.NewBatch(0, 0)
	for i, document := range documents {
		ok, again := d.Decode(fast, document, event.ID{MS: 1}, uint32(i)), d.DecodeSlow(slow, document, event.ID{MS: 1}, uint32(i))
		if ok != again || ok != (len(d.Validate(document)) == 0) {
			tb.Fatalf("%q: fast %t, slow %t, %v", document, ok, again, d.Validate(document))
		}
	}
	if fast.Rows != slow.Rows || len(fast.Rejects) != len(slow.Rejects) {
		tb.Fatalf("%d and %d rows, %d and %d rejects", fast.Rows, slow.Rows, len(fast.Rejects), len(slow.Rejects))
	}
	for i := range fast.Rows {
		if one, other := fmt.Sprint(row(fast, i)), fmt.Sprint(row(slow, i)); one != other || fast.Hashes[i] != slow.Hashes[i] || fast.Line[i] != slow.Line[i] {
			tb.Fatalf("line %d %q:\nfast %s\nslow %s", fast.Line[i], documents[fast.Line[i]], one, other)
		}
	}
}
