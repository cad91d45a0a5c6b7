package contract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// keyed is a contract with that annotation.
func keyed(tb failer, annotation string) *contract.Contract {
	tb.Helper()
	return parse(tb, `{"type": "object", "x-estela": `+annotation+`, "required": ["shop", "day", "n", "at", "open"], "properties": {
		"shop": {"type": "string", "x-estela": {"aliases": ["Shop Name", "tienda"]}}, "day": {"type": "string", "format": "date"},
		"n": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}, "open": {"type": "boolean"}}}`)
}

// TestKeyTexts holds the text of keys of one property, of several and of none, in a row and in a
// document, and that it can be taken apart again.
func TestKeyTexts(t *testing.T) {
	t.Parallel()
	const doc = `{"shop":"a \"b\"","day":"2026-02-01","n":-7,"at":"2026-02-01T07:00:00.5+01:00","open":true}`
	for _, c := range []struct{ key, want, ofDocument string }{
		{`"shop"`, `a "b"`, ""},
		{`"day"`, "2026-02-01", ""},
		{`"at"`, "2026-02-01T06:00:00.5Z", "2026-02-01T07:00:00.5+01:00"},
		{`["open"]`, "true", ""},
		{`["shop", "day"]`, `["a \"b\"","2026-02-01"]`, ""},
		{`["n", "open", "shop"]`, `["-7","true","a \"b\""]`, ""},
	} {
		of := keyed(t, `{"key": `+c.key+`}`)
		b, violations := verdict(t, of, doc)
		if violations != nil {
			t.Fatal(violations)
		}
		if b.KeyString(0) != c.want {
			t.Errorf("the key %s is %s, want %s", c.key, b.KeyString(0), c.want)
		}
		if c.ofDocument == "" {
			c.ofDocument = c.want
		}
		if got := of.KeyOf([]byte(doc)); got != c.ofDocument {
			t.Errorf("the key %s of the document is %s, want %s", c.key, got, c.ofDocument)
		}
		if parts, ok := of.KeyParts(c.want); !ok || contract.KeyText(parts) != c.want {
			t.Errorf("the key %s has the parts %q, %t", c.want, parts, ok)
		}
	}
	if got := keyed(t, `{"key": ["shop", "n"]}`).KeyOf([]byte(`{"tienda":"x","n":"?"}`)); got != `["x","?"]` {
		t.Errorf("the key of an invalid document is %s", got)
	}
	if _, ok := keyed(t, `{"key": ["shop", "n"]}`).KeyParts("x"); ok {
		t.Error("one text is the key of two properties")
	}
}

// TestKeyHashes: what is the same in each property of the key has the same hash, and what differs
// in one has another.
func TestKeyHashes(t *testing.T) {
	t.Parallel()
	c := keyed(t, `{"key": ["shop", "day"]}`)
	hash := func(shop, day string) uint64 {
		b, violations := verdict(t, c, fmt.Sprintf(`{"shop":%q,"day":%q,"n":1,"at":"2026-02-01T06:00:00Z","open":true}`, shop, day))
		if violations != nil {
			t.Fatal(violations)
		}
		return b.Hashes[0]
	}
	met := map[uint64]string{}
	for _, shop := range []string{"", "a", "b"} {
		for _, day := range []string{"2026-02-01", "2026-02-02"} {
			h := hash(shop, day)
			if met[h] != "" || h != hash(shop, day) {
				t.Errorf("%s, %s has the hash of %s", shop, day, met[h])
			}
			met[h] = shop + ", " + day
		}
	}
}

// TestNoKeyNoTime: a contract need not have x-estela; then an event's place is its key, and none is
// a duplicate.
func TestNoKeyNoTime(t *testing.T) {
	t.Parallel()
	for _, annotation := range []string{``, `"x-estela": {}, `, `"x-estela": {"dedupe": "0"}, `} {
		c := parse(t, `{"type": "object", `+annotation+`"properties": {"n": {"type": "integer"}}}`)
		b, violations := verdict(t, c, `{"n":1}`)
		if violations != nil || len(c.Key) > 0 || c.Time != -1 || c.Partition != -1 || c.Dedupe != 0 || c.Shards != 1 {
			t.Errorf("%v: key %v, time %d, partition %d, dedupe %s, shards %d", violations, c.Key, c.Time, c.Partition, c.Dedupe, c.Shards)
		}
		if b.KeyString(0) != "" || b.PartitionString(0) != "" || b.Hashes[0] != 0 || c.KeyOf([]byte(`{"n":1}`)) != "" {
			t.Errorf("the key is %q, the partition %q, the hash %x", b.KeyString(0), b.PartitionString(0), b.Hashes[0])
		}
		if warnings := strings.Join(c.Warnings(), "\n"); !strings.Contains(warnings, "no key") {
			t.Errorf("warnings are %s", warnings)
		}
	}
	if c := keyed(t, `{"time": "day", "partition": "n", "shards": 3}`); c.Time != 1 || c.Partition != 2 {
		t.Errorf("time is %d, partition %d", c.Time, c.Partition)
	}
}

// TestAliases: an event may carry a property under each of its names, once.
func TestAliases(t *testing.T) {
	t.Parallel()
	c := keyed(t, `{"key": "shop"}`)
	rest := `,"day":"2026-02-01","n":1,"at":"2026-02-01T06:00:00Z","open":true}`
	for _, name := range []string{"shop", "Shop Name", "tienda"} {
		b, violations := verdict(t, c, `{"`+name+`":"a"`+rest)
		if violations != nil || b.KeyString(0) != "a" {
			t.Errorf("%s: %v", name, violations)
		}
		if _, named := c.Shape().Member(name); !named {
			t.Errorf("%s is not a property", name)
		}
	}
	d, b := c.NewDecoder(), c.NewBatch(0, 4)
	for i, name := range []string{"Shop Name", "tienda", "shop", "Shop Name"} { // by one decoder, which expects the last
		if !d.Decode(b, []byte(`{"`+name+`":"`+fmt.Sprint(i)+`"`+rest), event.ID{MS: uint64(i)}, 0) || b.KeyString(i) != fmt.Sprint(i) {
			t.Errorf("%s: %v", name, b.Rejects)
		}
	}
	_, violations := verdict(t, c, `{"shop":"a","tienda":"b"`+rest)
	if len(violations) != 1 || violations[0].Pointer != "/tienda" || !strings.Contains(violations[0].Message, `property "shop"`) {
		t.Errorf("two names of one property give %v", violations)
	}
	_, violations = verdict(t, c, `{"day":"2026-02-01","n":1,"at":"2026-02-01T06:00:00Z","open":true}`)
	if len(violations) != 1 || !strings.Contains(violations[0].Message, `"shop"`) {
		t.Errorf("no name gives %v", violations)
	}
}

// TestEvolutionOfAnnotations holds which changes of key, time and aliases break something.
func TestEvolutionOfAnnotations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, now, breaks string }{
		{`{"key": "shop"}`, `{"key": ["shop"]}`, ""},
		{`{"key": "shop", "partition": "shop"}`, `{"key": ["shop", "day"], "partition": "shop"}`, `key was "shop" and is "shop", "day"`},
		{`{}`, `{"key": "shop", "partition": "shop"}`, "key was none"},
		{`{"time": "at"}`, `{"time": "day"}`, `time was "at" and is "day"`},
		{`{"time": "at"}`, `{}`, `time was "at" and is none`},
	} {
		var got []string
		for _, change := range keyed(t, c.now).Breaks(keyed(t, c.old)) {
			got = append(got, change.String())
		}
		if text := strings.Join(got, "\n"); (text == "") != (c.breaks == "") || !strings.Contains(text, c.breaks) {
			t.Errorf("%s after %s gives %q, want %q", c.now, c.old, text, c.breaks)
		}
	}
	with := func(property string) *contract.Contract {
		return parse(t, `{"type": "object", "properties": {`+property+`}}`)
	}
	old := with(`"x": {"type": "string", "x-estela": {"aliases": ["X", "y"]}}`)
	for property, breaks := range map[string]string{
		`"x": {"type": "string", "x-estela": {"aliases": ["y", "X", "z"]}}`:                 "",
		`"x": {"type": "string", "x-estela": {"aliases": ["X"]}}`:                           "/properties/x/x-estela/aliases",
		`"y": {"type": "string", "x-estela": {"aliases": ["x"]}}`:                           "/properties/x",
		`"x": {"type": "string", "x-estela": {"aliases": ["X"]}}, "y": {"type": "integer"}`: "/properties/x/x-estela/aliases",
	} {
		changes := with(property).Breaks(old)
		if (breaks == "") != (len(changes) == 0) || breaks != "" && changes[0].Pointer != breaks {
			t.Errorf("%s gives %v, want %q", property, changes, breaks)
		}
	}
}
