package warehousetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// register registers another dataset, visits, with that annotation.
func (f *fixture) register(t *testing.T, annotation string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("visits", "contract.json", []byte(`{"type": "object", "x-estela": `+annotation+`,
		"required": ["shop", "day", "at", "open", "n"], "properties": {"shop": {"type": "string"}, "day": {"type": "string", "format": "date"},
		"at": {"type": "string", "format": "date-time"}, "open": {"type": "boolean"}, "n": {"type": "integer", "minimum": 0, "maximum": 9}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Register(t.Context(), c, "", nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// visits is a batch of the documents, from IDs a millisecond apart, as the decoder makes it.
func visits(t *testing.T, c *contract.Contract, fromMS uint64, docs ...string) *contract.Batch {
	t.Helper()
	b, d := c.NewBatch(0, len(docs)), c.NewDecoder()
	for i, doc := range docs {
		b.Last = id(fromMS+uint64(i), 0)
		if b.Entries++; !d.Decode(b, []byte(doc), b.Last, 0) {
			t.Fatal(b.Rejects)
		}
	}
	return b
}

func visit(shop, day string, hour, n int) string {
	return fmt.Sprintf(`{"shop":%q,"day":%q,"at":"%sT%02d:30:00.25+01:00","open":%t,"n":%d}`, shop, day, day, hour, n%2 == 0, n)
}

func compositeKeys(t *testing.T, f *fixture) {
	c := f.register(t, `{"key": ["shop", "day", "at", "open", "n"]}`)
	b := visits(t, c, 100, visit("a", "2026-02-01", 7, 1), visit("a", "2026-02-02", 7, 1), visit(`b", "`, "2026-02-01", 8, 2))
	pos, err := f.TakeOver(t.Context(), c, 0)
	if err == nil {
		_, err = f.Commit(t.Context(), pos, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[uint64]uint64{}, map[uint64]uint64{}
	for i, hash := range b.Hashes {
		want[hash] = b.MS[i]
	}
	if err := f.Keys(t.Context(), c, 0, 0, func(hash, ms, _ uint64) { got[hash] = ms }); err != nil || !maps.Equal(got, want) {
		t.Errorf("keys are %x, want %x, %v", got, want, err)
	}
	for i := range b.Rows {
		rows, err := f.RowsByKey(t.Context(), c, b.KeyString(i), 9)
		if err != nil || len(rows) != 1 || rows[0].Key != b.KeyString(i) || rows[0].ID.MS != b.MS[i] {
			t.Errorf("the rows with the key %s are %+v, %v", b.KeyString(i), rows, err)
		}
	}
	if rows, err := f.RowsByKey(t.Context(), c, "a", 9); err != nil || rows != nil {
		t.Errorf("the rows with half a key are %+v, %v", rows, err)
	}
	again := visits(t, c, 200, visit("a", "2026-02-01", 7, 1), visit("a", "2026-02-01", 7, 3), visit(`b", "`, "2026-02-01", 8, 2))
	found, err := f.Lookup(t.Context(), again, []event.Candidate{{Row: 0, ToMS: 200}, {Row: 1, ToMS: 200}, {Row: 2, ToMS: 200}})
	if err != nil || !slices.Equal(found.Duplicates, []int{0, 2}) || found.Stored != nil {
		t.Errorf("found %+v, %v", found, err)
	}
}

// noKey: an entry that is read again is found by its place, whatever it holds.
func noKey(t *testing.T, f *fixture) {
	c := f.register(t, `{}`)
	same := visit("a", "2026-02-01", 7, 1)
	b := visits(t, c, 100, same, same)
	pos, err := f.TakeOver(t.Context(), c, 0)
	if err == nil {
		_, err = f.Commit(t.Context(), pos, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM visits", "2")
	found, err := f.Lookup(t.Context(), visits(t, c, 101, same, same), []event.Candidate{{Row: 0, FromMS: 1}, {Row: 1, FromMS: 1}})
	if err != nil || !slices.Equal(found.Stored, []int{0}) || found.Duplicates != nil {
		t.Errorf("found %+v, %v", found, err)
	}
	rows, err := f.RowsByID(t.Context(), c, 0, id(100, 0))
	if err != nil || len(rows) != 1 || rows[0].Key != "" {
		t.Errorf("the rows of an entry are %+v, %v", rows, err)
	}
	if rows, err := f.RowsByKey(t.Context(), c, "", 9); err != nil || rows != nil {
		t.Errorf("the rows without a key are %+v, %v", rows, err)
	}
}
