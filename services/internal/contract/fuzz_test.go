package contract_test

import (
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/estela-dev/estela/services/internal/contract"
)

// seeds are documents that each schema takes, or nearly.
var seeds = []string{
	string(movement(1)),
	wide(7),
	wide(-1),
	eventOf(`"x":"ab-12"`),
	eventOf(`"x":"é\u00e9"`),
	eventOf(`"x":"","y":"a"`),
	eventOf(`"x":10,"y":-9.0`),
	eventOf(`"x":0.15,"y":-0.3`),
	eventOf(`"x":1e2,"y":125e-1`),
	eventOf(`"x":20.0,"y":0.1,"z":true`),
	eventOf(`"x":"2000-02-29","y":"2016-12-31T23:59:60.123456789Z","z":"123E4567-e89b-12d3-a456-426614174000"`),
	eventOf(`"x":"2001-01-01T00:00:00.5Z","y":"2001-01-01"`),
	eventOf(`"x":{"x":1,"y":["ab",null],"z":[]}`),
	eventOf(`"x":["a",1.0,null,true,[1,{"x":1}],{"y":[]}],"y":{"y":null,"x":[1e0,"\u00e9"]}`),
	eventOf(`"x":[{"x":0.3},{"x":-1}]`),
	eventOf(`"x":null`),
	eventOf(`"x":"\ud83d\ude00","y":"\ud800"`),
	eventOf(`"x":"\u0000"`),
	eventOf(`"x":1,"x":2`),
	eventOf(`"x":1e999`),
	eventOf(`"x":9223372036854775808`),
	eventOf(`"x":"2001-01-01T00:00:+1Z"`),
	eventOf(`"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)),
	"\xef\xbb\xbf{}", "", "{", "[1,2", `"\`, "\xff",
}

// FuzzVerdict holds the verdict against that of another implementation.
func FuzzVerdict(f *testing.F) {
	contracts, references := make([]*contract.Contract, len(schemas)), make([]*jsonschema.Schema, len(schemas))
	for i, schema := range schemas {
		contracts[i], references[i] = parse(f, schema), reference(f, schema)
		for _, seed := range seeds {
			f.Add([]byte(seed), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, document []byte, choice uint8) {
		i := int(choice) % len(schemas)
		agree(t, contracts[i], references[i], document)
	})
}

// FuzzPaths holds the fast path against the slow one. Two documents go through
// one decoder, so that what the first leaves behind meets the second.
func FuzzPaths(f *testing.F) {
	contracts := make([]*contract.Contract, len(schemas))
	for i, schema := range schemas {
		contracts[i] = parse(f, schema)
		for j, seed := range seeds {
			f.Add([]byte(seed), []byte(seeds[(i+j)%len(seeds)]), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, first, second []byte, choice uint8) {
		alike(t, contracts[int(choice)%len(schemas)], first, second, first)
	})
}

// FuzzParse wants an answer to every contract file, and one that holds: what is
// accepted can be decoded with, and is the same when it is parsed again.
func FuzzParse(f *testing.F) {
	for _, schema := range schemas {
		f.Add([]byte(schema), []byte(seeds[0]))
	}
	f.Add([]byte(`{"type":"object","properties":{"a":{"enum":[1e999999999]}}}`), []byte(`{}`))
	f.Add([]byte(withProperties(`"x": {"type": "number", "multipleOf": 1e-300, "minimum": 1e-999999999999999999999}`)), []byte(eventOf(`"x":1e300`)))
	f.Fuzz(func(t *testing.T, schema, document []byte) {
		c, err := contract.Parse("events", "contract.json", schema)
		if err != nil {
			return
		}
		alike(t, c, document)
		again, err := contract.Parse("events", "contract.json", c.Schema)
		if err != nil || again.Version != c.Version || len(again.Breaks(c)) > 0 {
			t.Errorf("parsed again: %v", err)
		}
	})
}
