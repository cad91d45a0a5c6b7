package contract_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// literals are values at the edges of what the schemas ask for.
var literals = []string{
	`null`, `true`, `false`, `0`, `-0`, `0.0`, `1`, `1.0`, `-1`, `-5`, `2`, `2.5`, `3`, `5`, `7.5`, `9`, `10`, `20`, `2e1`, `299`, `300`, `1e2`, `1E+2`, `100.00`,
	`0.1`, `1e-1`, `0.10000000000000001`, `0.1000000000000000055511151231257827`, `0.05`, `0.15`, `0.5`, `-0.3`, `-0.30000000000000001`, `12.5`, `12.499999999999999999`,
	`1e-300`, `1e300`, `9007199254740993`, `9223372036854775807`, `-9223372036854775808`, `0e5`, `0.0000001`, `123456789012345678`, `1234567890.12345678901`,
	`01`, `-01`, `-`, `1.`, `.1`, `00`, `1e`, `-1.5`, `tru`, `falsey`, `nul`, `nullx`, `"\`, `"\é"`, "\"\t\"", "\"\xff\"",
	`""`, `"a"`, `"ab"`, `"abc"`, `"abcde"`, `"é"`, `"éé"`, `"\u00e9"`, `"a\n"`, `"\ud83d\ude00"`, `"ab-12"`, `"é-00"`, `"\u0061b"`, `"LAX"`, `"AA"`, `"departed"`,
	`"2001-01-01"`, `"2000-02-29"`, `"1900-02-29"`, `"0000-01-01"`, `"2001-01-01T00:00:00Z"`, `"2001-01-01t23:59:60z"`, `"2001-01-01T00:59:60.1+01:00"`, `"2001-01-01T23:59:60-00:01"`,
	`"2001-01-01T00:00:00"`, `"2001-01-01T00:00:00.123456789-23:59"`, `"9999-12-31T23:59:59Z"`, `"123e4567-e89b-12d3-a456-426614174000"`, `"123E4567-E89B-12D3-A456-42661417400"`,
	`[]`, `{}`, `[1]`, `["ab",null]`, `["abc"]`, `{"x":1}`, `{"x":1,"y":["a"],"z":1}`, `{"x":1.5}`, `{"x":2,"q":0}`, `{"x":1,"z":"2001-01-01"}`, `{"x":1,"z":0.5}`,
	`[{"x":0.3},{"x":1e-1}]`, `[{"x":0.35}]`, `[{}]`, `["a",1.0,null,true,[1e0,{"x":1}],{"y":[]}]`, `[[1,{"x":2}]]`, `{"y":null,"x":[1.0,"\u00e9"]}`, `{"x":[1,"é"]}`, `[[[[]]]]`,
}

// document draws an object of names that the schema knows, and a few others, with
// values from the edges, spaced as it comes.
func document(c *contract.Contract) *rapid.Generator[string] {
	names := []string{"extra", "é", `\u0078`, ""}
	for _, column := range c.Columns {
		names = append(names, column.Name)
	}
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		space := rapid.SampledFrom([]string{"", "", " ", "\n\t"})
		b.WriteString(space.Draw(t, "space") + "{")
		for i, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, len(names), rapid.ID).Draw(t, "names") {
			b.WriteString(strings.Repeat(",", min(i, 1)) + space.Draw(t, "space") + `"` + name + `"` + space.Draw(t, "space") + ":" + space.Draw(t, "space"))
			b.WriteString(rapid.SampledFrom(literals).Draw(t, "value") + space.Draw(t, "space"))
		}
		return b.String() + "}"
	})
}

// complete makes a document valid more often: it puts the given values for the
// names that it lacks.
func complete(document, valid string) string {
	var have, want map[string]json.RawMessage
	if json.Unmarshal([]byte(document), &have) != nil || json.Unmarshal([]byte(valid), &want) != nil {
		return document
	}
	body := strings.TrimSuffix(strings.TrimSpace(document), "}")
	for _, name := range []string{"id", "at", "k", "p", "event_id", "event_type", "occurred_at", "flight_id", "origin", "destination", "cancelled"} {
		if value, ok := want[name]; ok && have[name] == nil {
			body += strings.Repeat(",", min(1, len(have))) + fmt.Sprintf("%q:%s", name, value)
			have[name] = value
		}
	}
	return body + "}"
}

// TestVerdictsOfEdges is FuzzVerdict and FuzzPaths on documents made of edges.
func TestVerdictsOfEdges(t *testing.T) {
	t.Parallel()
	for i, schema := range schemas {
		c, other := parse(t, schema), reference(t, schema)
		valid := eventOf("")
		if i < 2 {
			valid = seeds[i]
		}
		rapid.Check(t, func(rt *rapid.T) {
			one := document(c).Draw(rt, "document")
			two := complete(document(c).Draw(rt, "other"), valid)
			agree(rt, c, other, []byte(one))
			agree(rt, c, other, []byte(two))
			alike(rt, c, []byte(one), []byte(two), []byte(one))
		})
	}
}

// TestEveryEdge puts each edge value alone into each property of each schema.
func TestEveryEdge(t *testing.T) {
	t.Parallel()
	for _, schema := range schemas[2:] {
		c, other := parse(t, schema), reference(t, schema)
		for _, column := range c.Columns[2:] {
			for _, literal := range literals {
				document := []byte(eventOf(fmt.Sprintf("%q:%s", column.Name, literal)))
				agree(t, c, other, document)
				alike(t, c, document)
			}
		}
	}
}

// TestRowsAreWhatWasSent marshals Go values with encoding/json and wants them
// back from the columns.
func TestRowsAreWhatWasSent(t *testing.T) {
	t.Parallel()
	c := parse(t, wideSchema)
	d := c.NewDecoder()
	noNUL := func(s string) bool { return !strings.ContainsRune(s, 0) }
	rapid.Check(t, func(rt *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(-62135596800e6, 253402300799e6).Draw(rt, "at")).UTC()
		sent := map[string]any{
			"k": rapid.String().Filter(noNUL).Draw(rt, "k"), "at": at.Format(time.RFC3339Nano), "p": "123e4567-e89b-12d3-a456-426614174000",
		}
		want := map[string]any{"k": sent["k"], "at": at.UnixMicro(), "p": uuid{0xa456426614174000, 0x123e4567e89b12d3 ^ 1<<63}}
		put := func(name string, value, column any) {
			if rapid.Bool().Draw(rt, "has "+name) {
				sent[name], want[name] = value, column
			}
		}
		s, f := rapid.String().Filter(noNUL).Draw(rt, "s"), rapid.Float64().Draw(rt, "f")
		put("s", s, s)
		put("f", f, math.Float64bits(f))
		yes := rapid.Bool().Draw(rt, "b")
		put("b", yes, yes)
		for name, limit := range map[string]int64{"i1": 9, "i2": 999, "i4": 99999, "i8": math.MaxInt64} {
			n := rapid.Int64Range(0, limit).Draw(rt, name)
			put(name, n, n)
		}
		day := rapid.Int64Range(-719162, 2932896).Draw(rt, "d")
		put("d", time.Unix(day*86400, 0).UTC().Format(time.DateOnly), day)
		nested, err := json.Marshal(map[string]any{"n": s})
		if err != nil {
			rt.Fatal(err)
		}
		put("j", json.RawMessage(nested), string(nested))
		payload, err := json.Marshal(sent)
		if err != nil {
			rt.Fatal(err)
		}
		b := c.NewBatch(0, 1)
		if !d.Decode(b, payload, event.ID{}, 0) {
			rt.Fatalf("%s: %v", payload, b.Rejects[0].Violations)
		}
		for i, got := range row(b, 0) {
			if name := c.Columns[i].Name; got != want[name] {
				rt.Errorf("%s of %s is %v, want %v", name, payload, got, want[name])
			}
		}
	})
}
