package contract_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// wideSchema has a column of every type, each of which may be NULL but the key,
// the time and the partition.
const wideSchema = `{
	"type": "object", "x-estela": {"key": "k", "time": "at", "partition": "p", "shards": 8}, "required": ["k", "at", "p"],
	"properties": {
		"k": {"type": "string"}, "at": {"type": "string", "format": "date-time"}, "p": {"type": "string", "format": "uuid"},
		"s": {"type": "string"}, "j": {"type": "object"}, "b": {"type": "boolean"},
		"i1": {"type": "integer", "minimum": -9, "maximum": 9}, "i2": {"type": "integer", "minimum": 0, "maximum": 999},
		"i4": {"type": "integer", "minimum": 0, "maximum": 99999}, "i8": {"type": "integer"},
		"f": {"type": "number"}, "d": {"type": "string", "format": "date"}, "u": {"type": "string", "format": "uuid"}
	}
}`

// wide makes an event of wideSchema; a negative seed leaves everything optional out.
func wide(i int) string {
	s := fmt.Sprintf(`{"k":"key-%d-%s","at":"2001-01-01T00:00:%02dZ","p":"00000000-0000-0000-0000-%012d"`,
		i, strings.Repeat("x", i*i%40), i*i%60, i*i)
	if i >= 0 {
		s += fmt.Sprintf(`,"s":"%s","j":{"n":%d},"b":%t,"i1":%d,"i2":%d,"i4":%d,"i8":%d,"f":%d.5,"d":"2001-01-%02d","u":"ffffffff-0000-0000-0000-%012d"`,
			strings.Repeat("ab", i%20), i, i%2 == 0, i%9, i, i*7, i*1e9, i, i%28+1, i)
	}
	return s + "}"
}

// fill decodes the events of the given seeds, each from its own place.
func fill(t failer, c *contract.Contract, seeds ...int) *contract.Batch {
	t.Helper()
	b, d := c.NewBatch(2, 4), c.NewDecoder()
	for n, i := range seeds {
		if !d.Decode(b, []byte(wide(i)), event.ID{MS: uint64(100 + n), Seq: uint64(n)}, uint32(n+1)) {
			t.Fatal(b.Rejects[0].Violations)
		}
	}
	return b
}

// same checks that the rows of b are those of the given seeds and places.
func same(t failer, b *contract.Batch, seeds, places []int) {
	t.Helper()
	if b.Rows != len(seeds) || len(b.MS) != b.Rows || len(b.Seq) != b.Rows || len(b.Line) != b.Rows || len(b.Hashes) != b.Rows {
		t.Fatalf("%d rows, %d hashes, want %d", b.Rows, len(b.Hashes), len(seeds))
	}
	for i := range b.Columns {
		v := &b.Columns[i]
		if len(v.Data) != b.Rows*v.Type.Width() || v.Nulls != nil && len(v.Nulls) != b.Rows {
			t.Fatalf("column %d has %d bytes and %d nulls", i, len(v.Data), len(v.Nulls))
		}
	}
	for i, seed := range seeds {
		one := fill(t, b.Contract, seed)
		if got, want := row(b, i), row(one, 0); !reflect.DeepEqual(got, want) {
			t.Errorf("row %d is\n%v, want\n%v", i, got, want)
		}
		if b.Hashes[i] != one.Hashes[0] || b.KeyString(i) != one.KeyString(0) || b.PartitionString(i) != one.PartitionString(0) {
			t.Errorf("row %d: hash, key or partition differ", i)
		}
		if p := places[i]; b.MS[i] != uint64(100+p) || b.Seq[i] != uint64(p) || b.Line[i] != uint32(p+1) {
			t.Errorf("row %d is from %d-%d line %d, want place %d", i, b.MS[i], b.Seq[i], b.Line[i], p)
		}
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	c := parse(t, wideSchema)
	cases := []struct{ remove, stay []int }{
		{nil, []int{0, 1, 2, 3, 4, 5}},
		{[]int{0}, []int{1, 2, 3, 4, 5}},
		{[]int{5}, []int{0, 1, 2, 3, 4}},
		{[]int{1, 2}, []int{0, 3, 4, 5}},
		{[]int{0, 2, 5}, []int{1, 3, 4}},
		{[]int{0, 1, 2, 3, 4, 5}, []int{}},
	}
	seeds := []int{3, -1, 17, 8, -5, 30}
	for _, test := range cases {
		b := fill(t, c, seeds...)
		b.Remove(test.remove)
		stay := make([]int, len(test.stay))
		for i, place := range test.stay {
			stay[i] = seeds[place]
		}
		same(t, b, stay, test.stay)
		if !c.NewDecoder().Decode(b, []byte(wide(12)), event.ID{MS: 106, Seq: 6}, 7) {
			t.Fatal("a batch after Remove takes no row")
		}
		same(t, b, slices.Concat(stay, []int{12}), slices.Concat(test.stay, []int{6}))
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	c := parse(t, wideSchema)
	from, to := fill(t, c, 19, -2, 7, 38), c.NewBatch(0, 0)
	for _, i := range []int{2, 0, 1, 3, 0} {
		to.Append(from, i)
	}
	from.Reset()
	for range 4 { // overwrites what from held: nothing of it may be shared
		c.NewDecoder().Decode(from, []byte(wide(39)), event.ID{}, 0)
	}
	same(t, to, []int{7, 19, -2, 38, 19}, []int{2, 0, 1, 3, 0})
}

func TestReset(t *testing.T) {
	t.Parallel()
	c := parse(t, wideSchema)
	b, d := fill(t, c, 4, -1, 25), c.NewDecoder()
	d.DecodeEntry(b, event.Entry{Kind: event.UnknownEntry, Payload: []byte(`{}`)})
	b.Duplicates, b.Unstreamed, b.RunID, b.Last = 1, true, "x", event.ID{MS: 1}
	b.Replayed = append(b.Replayed, event.Reject{})
	b.Reset()
	if b.Contract != c || b.Shard != 2 || b.Rows+b.Entries+b.Duplicates+len(b.Rejects)+len(b.Replayed) != 0 ||
		b.Unstreamed || b.RunID != "" || !b.Last.IsZero() {
		t.Errorf("after Reset: %+v", b)
	}
	same(t, b, nil, nil)
	for n, seed := range []int{5, 6, -1} {
		d.Decode(b, []byte(wide(seed)), event.ID{MS: uint64(100 + n), Seq: uint64(n)}, uint32(n+1))
		if n == 1 && b.Columns[3].Nulls != nil {
			t.Error("NULLs of before Reset are still there")
		}
	}
	same(t, b, []int{5, 6, -1}, []int{0, 1, 2})
}

// TestRejectedRowLeavesNothing wants a document that fails half-way to leave the
// columns as they were.
func TestRejectedRowLeavesNothing(t *testing.T) {
	t.Parallel()
	c := parse(t, wideSchema)
	b, d := fill(t, c, 21, -1), c.NewDecoder()
	heap := len(b.Columns[0].Heap)
	good := wide(33)
	for cut := range len(good) {
		if d.Decode(b, []byte(good[:cut]), event.ID{}, 0) {
			t.Fatalf("a cut document became a row: %s", good[:cut])
		}
	}
	if len(b.Columns[0].Heap) != heap {
		t.Errorf("the heap grew from %d to %d", heap, len(b.Columns[0].Heap))
	}
	same(t, b, []int{21, -1}, []int{0, 1})
	if len(b.Rejects) != len(good) {
		t.Errorf("%d rejects", len(b.Rejects))
	}
}

// TestBatchModel holds a batch against a plain list through any sequence of
// operations.
func TestBatchModel(t *testing.T) {
	t.Parallel()
	c := parse(t, wideSchema)
	rapid.Check(t, func(rt *rapid.T) {
		b, other, d := c.NewBatch(0, 0), fill(t, c, 3, -1, 22), c.NewDecoder()
		var seeds, places []int
		rt.Repeat(map[string]func(*rapid.T){
			"decode": func(rt *rapid.T) {
				seed, place := rapid.IntRange(-3, 40).Draw(rt, "seed"), rapid.IntRange(0, 99).Draw(rt, "place")
				d.Decode(b, []byte(wide(seed)), event.ID{MS: uint64(100 + place), Seq: uint64(place)}, uint32(place+1))
				seeds, places = append(seeds, seed), append(places, place)
			},
			"reject": func(rt *rapid.T) {
				document := wide(rapid.IntRange(0, 40).Draw(rt, "seed"))
				d.Decode(b, []byte(document[:rapid.IntRange(0, len(document)-1).Draw(rt, "cut")]), event.ID{}, 0)
			},
			"append": func(rt *rapid.T) {
				i := rapid.IntRange(0, 2).Draw(rt, "row")
				b.Append(other, i)
				seeds, places = append(seeds, []int{3, -1, 22}[i]), append(places, i)
			},
			"remove": func(rt *rapid.T) {
				var drop, staySeeds, stayPlaces []int
				for i := range seeds {
					if rapid.Bool().Draw(rt, "drop") {
						drop = append(drop, i)
					} else {
						staySeeds, stayPlaces = append(staySeeds, seeds[i]), append(stayPlaces, places[i])
					}
				}
				b.Remove(drop)
				seeds, places = staySeeds, stayPlaces
			},
			"reset": func(*rapid.T) {
				b.Reset()
				seeds, places = nil, nil
			},
			"": func(rt *rapid.T) { same(rt, b, seeds, places) },
		})
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	cases := []struct{ schema, value, key string }{
		{`{"type": "string"}`, `"a\u0062"`, "ab"},
		{`{"type": "string"}`, `"a key that is long enough for the heap"`, "a key that is long enough for the heap"},
		{`{"type": "string", "format": "uuid"}`, `"123E4567-E89B-12D3-A456-426614174000"`, "123e4567-e89b-12d3-a456-426614174000"},
		{`{"type": "integer"}`, `-9223372036854775808`, "-9223372036854775808"},
		{`{"type": "integer", "minimum": -9, "maximum": 9}`, `-9.0`, "-9"},
		{`{"type": "integer", "minimum": -999, "maximum": 999}`, `-1e2`, "-100"},
		{`{"type": "integer", "minimum": 0, "maximum": 99999}`, `99999`, "99999"},
	}
	for _, test := range cases {
		c := parse(t, `{"type": "object", "x-estela": {"key": "id", "time": "at"}, "required": ["id", "at"],
			"properties": {"id": `+test.schema+`, "at": {"type": "string", "format": "date-time"}}}`)
		b, violations := verdict(t, c, `{"id":`+test.value+`,"at":"2001-01-01T00:00:00Z"}`)
		if violations != nil {
			t.Fatal(violations)
		}
		if b.KeyString(0) != test.key || b.PartitionString(0) != test.key {
			t.Errorf("key of %s is %q, partition %q, want %q", test.value, b.KeyString(0), b.PartitionString(0), test.key)
		}
	}
}

func TestDecodeEntry(t *testing.T) {
	t.Parallel()
	c := parse(t, withProperties(""))
	good := func(id string) string { return `{"id":"` + id + `","at":"2001-01-01T00:00:00Z"}` }
	lines := good("a") + "\n\n  \t\n" + good("b") + "\r\nbad\r\n\r\n" + `{"id":1}` + "\n" + good("c")
	long := strings.Repeat(" ", contract.MaxEvent) + good("z")
	cases := []struct {
		kind    event.Kind
		payload string
		rows    string // line:key
		rejects string // line:payload:keyword
	}{
		{event.Single, good("x"), "0:x ", ""},
		{event.Single, "", "", "0::entry "},
		{event.Single, " \r\n\t", "", "0: \r\n\t:entry "},
		{event.Single, good("x") + "\n" + good("y"), "", "0:" + good("x") + "\n" + good("y") + ":json "},
		{event.Lines, lines, "1:a 4:b 8:c ", "5:bad\r:json 7:{\"id\":1}:type 7:{\"id\":1}:required "},
		{event.Lines, good("a") + "\n", "1:a ", ""},
		{event.Lines, "", "", "0::entry "},
		{event.Lines, "\n \r\n", "", "0:\n \r\n:entry "},
		{event.Lines, long + "\n" + good("a"), "2:a ", "1:" + long + ":size "},
		{event.UnknownEntry, `{"field":"x"}`, "", `0:{"field":"x"}:entry `},
	}
	for _, test := range cases {
		b, d := c.NewBatch(0, 0), c.NewDecoder()
		d.DecodeEntry(b, event.Entry{ID: event.ID{MS: 5, Seq: 6}, Kind: test.kind, Payload: []byte(test.payload)})
		var rows, rejects string
		for i := range b.Rows {
			rows += fmt.Sprintf("%d:%s ", b.Line[i], b.KeyString(i))
		}
		for _, r := range b.Rejects {
			for _, v := range r.Violations {
				rejects += fmt.Sprintf("%d:%s:%s ", r.Line, r.Payload, v.Keyword)
			}
			if r.ID != (event.ID{MS: 5, Seq: 6}) {
				t.Errorf("reject is from %v", r.ID)
			}
		}
		if rows != test.rows || rejects != test.rejects || b.Entries != 1 || !b.Last.IsZero() {
			t.Errorf("%.100q: rows %q, rejects %.200q, entries %d, last %v; want %q and %.200q",
				test.payload, rows, rejects, b.Entries, b.Last, test.rows, test.rejects)
		}
	}
}

// TestRejectKeepsItsBytes wants a reject to survive the reader's buffer.
func TestRejectKeepsItsBytes(t *testing.T) {
	t.Parallel()
	c := parse(t, withProperties(""))
	b, payload := c.NewBatch(0, 0), []byte(`{"id":"a long text that goes to the heap","at":1}`)
	kept := string(payload)
	c.NewDecoder().Decode(b, payload, event.ID{}, 0)
	clear(payload)
	if string(b.Rejects[0].Payload) != kept {
		t.Errorf("payload is %q", b.Rejects[0].Payload)
	}
}
