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
	event(`"x":"ab-12"`),
	event(`"x":"é\u00e9"`),
	event(`"x":"","y":"a"`),
	event(`"x":10,"y":-9.0`),
	event(`"x":0.15,"y":-0.3`),
	event(`"x":1e2,"y":125e-1`),
	event(`"x":20.0,"y":0.1,"z":true`),
	event(`"x":"2000-02-29","y":"2016-12-31T23:59:60.123456789Z","z":"123E4567-e89b-12d3-a456-426614174000"`),
	event(`"x":"2001-01-01T00:00:00.5Z","y":"2001-01-01"`),
	event(`"x":{"x":1,"y":["ab",null],"z":[]}`),
	event(`"x":["a",1.0,null,true,[1,{"x":1}],{"y":[]}],"y":{"y":null,"x":[1e0,"\u00e9"]}`),
	event(`"x":[{"x":0.3},{"x":-1}]`),
	event(`"x":null`),
	event(`"x":"\ud83d\ude00","y":"\ud800"`),
	event(`"x":"\u0000"`),
	event(`"x":1,"x":2`),
	event(`"x":1e999`),
	event(`"x":9223372036854775808`),
	event(`"x":"2001-01-01T00:00:+1Z"`),
	event(`"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)),
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
	f.Add([]byte(withProperties(`"x": {"type": "number", "multipleOf": 1e-300, "minimum": 1e-999999999999999999999}`)), []byte(event(`"x":1e300`)))
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

// FuzzPattern holds the automaton against package regexp.
func FuzzPattern(f *testing.F) {
	for _, p := range patterns {
		for _, text := range []string{"", "a", "abc", "LAX", "20010101T0655-LAX-BNA-1:completed", "é", "a\nb", "aab", "ABC", "x y"} {
			f.Add(p, text)
		}
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		if len(source) > 200 {
			return
		}
		ours, theirs, _, err := contract.MatchPattern(source, text)
		if err == nil && ours != theirs {
			t.Errorf("%q on %q: %t, regexp says %t", source, text, ours, theirs)
		}
	})
}

var patterns = []string{
	"", "^$", "$^", "a", "^a", "a$", "^a$", "^[A-Z]{3}$", "b|^a", "(?i)abc", "^(a|ab)(c|bcd)*$", ".", "^.*$", "(?s)^.*$", `\bx\b`, "(?m)^b$",
	"^[0-9]{8}T[0-9]{4}-[A-Z]{3}-[A-Z]{3}-[0-9]{1,4}:[a-z]{1,16}$", "^[A-Za-z]+(/[A-Za-z0-9_+-]+){1,2}$", "(^|x)y*($|z)", "[^a]", "é", "a*?", `\Aa\z`, "(a$)b", "^^a", "a$$",
	"(?:a|b)*a(?:a|b){6}$", "x{0,900}",
}

// TestPatternsAreFast wants an automaton for the usual patterns and none where
// it could not be one.
func TestPatternsAreFast(t *testing.T) {
	t.Parallel()
	without := map[string]bool{`\bx\b`: true, "(?m)^b$": true, "x{0,900}": true, "a$$": false}
	for _, p := range patterns {
		if _, _, automaton, err := contract.MatchPattern(p, ""); err != nil || automaton == without[p] {
			t.Errorf("%q has an automaton: %t (%v)", p, automaton, err)
		}
	}
}
