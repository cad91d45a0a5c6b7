package warehousetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

var payloads = []string{
	"", "{", "not UTF-8: \xff\xfe\x00", strings.Repeat("\x00", 13), "twelve bytes", strings.Repeat(`{"long":`, 5000), "'; DROP TABLE sample; --",
}

// storeRejects commits the payloads as rejects, one a millisecond.
func (f *fixture) storeRejects(t *testing.T) (event.Position, Batch) {
	t.Helper()
	b := NewBatch(f.c, 0)
	for i, p := range payloads {
		b.Reject(id(uint64(i)+1, 5), uint32(i), p,
			event.Violation{Pointer: "/a~1b", Keyword: "type", Message: "expected a string, found \"é\""}, event.Violation{Keyword: "json"})
	}
	return f.commit(t, f.takeOver(t), b), b
}

func rejectBytes(t *testing.T, f *fixture) {
	_, b := f.storeRejects(t)
	all, err := f.ListRejects(t.Context(), "sample", 100, nil)
	if err != nil || len(all) != len(payloads) {
		t.Fatalf("%d rejects, %v", len(all), err)
	}
	for i, r := range all {
		if len(r.Payload) == 0 {
			r.Payload = []byte{}
		}
		if !reflect.DeepEqual(r.Reject, b.Rejects[i]) || r.SchemaVersion != f.c.Version || time.Since(r.RejectedAt) > time.Minute {
			t.Errorf("reject %d: got %+v, want %+v", i, r, b.Rejects[i])
		}
		one, err := f.GetReject(t.Context(), "sample", r.Key())
		if err != nil || string(one.Payload) != payloads[i] {
			t.Errorf("reject %s: %q, %v", r.Key(), one.Payload, err)
		}
	}
	if _, err := f.GetReject(t.Context(), "sample", warehouse.RejectKey{Shard: 7}); !errors.Is(err, warehouse.ErrNoReject) {
		t.Errorf("got %v, want %v", err, warehouse.ErrNoReject)
	}
	f.expect(t, "SELECT DISTINCT violations->>'$[0].pointer' FROM estela.rejects", "/a~1b")
}

func replayedRejects(t *testing.T, f *fixture) {
	pos, b := f.storeRejects(t)
	replay := simple(NewBatch(f.c, 0), id(3, 5), 2, "fixed")
	other := b.Rejects[1]
	other.Payload = []byte("other bytes")
	replay.Last, replay.Replayed = pos.Last, []event.Reject{b.Rejects[2], b.Rejects[5], other}
	f.commit(t, pos, replay)
	f.expect(t, "SELECT line::VARCHAR FROM estela.rejects ORDER BY line", "0", "1", "3", "4", "6")
	f.expect(t, "SELECT id FROM sample", "fixed")
}

func pagedRejects(t *testing.T, f *fixture) {
	f.storeRejects(t)
	var after *warehouse.RejectKey
	var lines []uint32
	for {
		page, err := f.ListRejects(t.Context(), "sample", 3, after)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			lines = append(lines, r.Line)
		}
		key, err := warehouse.ParseRejectKey(page[len(page)-1].Key().String())
		if err != nil {
			t.Fatal(err)
		}
		after = &key
	}
	if !slices.Equal(lines, []uint32{0, 1, 2, 3, 4, 5, 6}) {
		t.Errorf("paged through %v", lines)
	}
	n, err := f.PurgeRejects(t.Context(), "sample", time.Now().Add(-time.Hour))
	if n != 0 || err != nil {
		t.Errorf("purged %d of the last hour, %v", n, err)
	}
	if n, err = f.PurgeRejects(t.Context(), "sample", time.Now().Add(time.Second)); n != 7 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
}

func groupedRejects(t *testing.T, f *fixture) {
	const many = 20_000
	b := NewBatch(f.c, 0)
	for i := range many {
		v := event.Violation{Pointer: fmt.Sprintf("/list/%d/%d/n", i, i), Keyword: "type", Message: fmt.Sprint("want integer, found ", i)}
		switch {
		case i%10 == 0:
			v = event.Violation{Pointer: "/a'b\"\n<b>", Keyword: "enum", Message: "x"}
		case i == 1:
			v = event.Violation{Keyword: "json", Message: "ends early"}
		}
		b.Reject(id(uint64(i)+1, 0), 0, "{", v, event.Violation{Pointer: "/other", Keyword: "type"})
	}
	f.commit(t, f.takeOver(t), b)
	all, err := f.GroupRejects(t.Context(), "sample", 10)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v %v", all, err)
	}
	for i, want := range []warehouse.RejectGroup{
		{Keyword: "type", Place: "/list/*/*/n", Rejects: many*9/10 - 1}, {Keyword: "enum", Place: "/a'b\"\n<b>", Rejects: many / 10}, {Keyword: "json", Rejects: 1},
	} {
		g := all[i]
		if g.Keyword != want.Keyword || g.Place != want.Place || g.Rejects != want.Rejects || g.Message == "" || g.First.After(g.Last) || time.Since(g.Last) > time.Minute || g.Last.Location() != time.UTC {
			t.Errorf("group %d: %+v", i, g)
		}
		newest, err := f.NewestRejects(t.Context(), "sample", g.Keyword, g.Place, 2)
		if err != nil || len(newest) != int(min(2, want.Rejects)) || newest[0].Violations[0].Keyword != g.Keyword || len(newest) > 1 && newest[0].ID.Compare(newest[1].ID) <= 0 {
			t.Errorf("newest of %+v: %v %v", g, newest, err)
		}
	}
	if few, err := f.GroupRejects(t.Context(), "sample", 1); err != nil || len(few) != 1 {
		t.Errorf("%v %v", few, err)
	}
	if none, err := f.GroupRejects(t.Context(), "other", 10); err != nil || len(none) != 0 {
		t.Errorf("%v %v", none, err)
	}
}

func lookup(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	f.commit(t, pos, f.simples(10, 100).Reject(id(150, 1), 0, "bad").Reject(id(150, 1), 1, "worse"))
	b := NewBatch(f.c, 0)
	simple(b, id(101, 0), 0, "k1")   // 0: stored
	simple(b, id(101, 0), 1, "k1")   // 1: another line: a duplicate
	simple(b, id(5000, 0), 0, "k2")  // 2: a duplicate in its range
	simple(b, id(5000, 1), 0, "k3")  // 3: out of its range
	simple(b, id(5000, 2), 0, "new") // 4: new
	simple(b, id(104, 0), 0, "k5")   // 5: a stored place, but another key
	simple(b, id(106, 0), 0, "k6")   // 6: stored; no range
	b.Reject(id(150, 1), 0, "bad").Reject(id(150, 1), 0, "other bytes").Reject(id(150, 1), 1, "worse").Reject(id(151, 1), 0, "bad")
	found, err := f.Lookup(t.Context(), b.Batch, []event.Candidate{
		{Row: 0, FromMS: 0, ToMS: 200},
		{Row: 1, FromMS: 0, ToMS: 200},
		{Row: 2, FromMS: 102, ToMS: 102},
		{Row: 3, FromMS: 104, ToMS: 4999},
		{Row: 4, FromMS: 0, ToMS: 9000},
		{Row: 5, FromMS: 1, ToMS: 0},
		{Row: 6, FromMS: 1, ToMS: 0},
	})
	want := event.Found{Stored: []int{0, 6}, Duplicates: []int{1, 2}, Rejects: []int{0, 2}}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, %v, want %+v", found, err, want)
	}
	if found, err = f.Lookup(t.Context(), NewBatch(f.c, 1).Reject(id(150, 1), 0, "bad").Batch, nil); err != nil || len(found.Rejects) != 0 {
		t.Errorf("another shard found %+v, %v", found, err)
	}
}

// lookupSpans: candidates over the whole of stream time.
func lookupSpans(t *testing.T, f *fixture) {
	const n, apart = 200, 1_000_003
	stored, again := NewBatch(f.c, 0), NewBatch(f.c, 0)
	var candidates []event.Candidate
	for i := range uint64(n) {
		simple(stored, id(i*apart, 0), 0, fmt.Sprint("key ", i))
		simple(again, id(n*apart+i, 0), 0, fmt.Sprint("key ", i*2))
		candidates = append(candidates, event.Candidate{Row: int(i), FromMS: i * 2 * apart, ToMS: i*2*apart + 5})
	}
	f.commit(t, f.takeOver(t), stored)
	found, err := f.Lookup(t.Context(), again.Batch, candidates)
	if err != nil || len(found.Duplicates) != n/2 || found.Duplicates[n/2-1] != n/2-1 || len(found.Stored) != 0 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func lookupAnyKey(t *testing.T, f *fixture) {
	keys := []string{"'; DROP TABLE sample; --", "", "\x00", strings.Repeat("ü", 3000), `"quoted"`, "$1 ? %s"}
	b, candidates := NewBatch(f.c, 0), []event.Candidate{}
	for i, key := range keys {
		simple(b, id(uint64(i), 0), 0, key)
		candidates = append(candidates, event.Candidate{Row: i, FromMS: 1, ToMS: 0})
	}
	f.commit(t, f.takeOver(t), b)
	found, err := f.Lookup(t.Context(), b.Batch, candidates)
	if err != nil || len(found.Stored) != len(keys) {
		t.Errorf("found %+v, %v", found, err)
	}
}

func keys(t *testing.T, f *fixture) {
	b := NewBatch(f.c, 0)
	for i := range 3000 {
		simple(b, id(uint64(i), 0), 0, strings.Repeat("k", i%30)+fmt.Sprint(i))
	}
	f.commit(t, f.takeOver(t), b)
	want, got := map[uint64]uint64{}, map[uint64]uint64{}
	for i := 1000; i < 3000; i++ {
		want[b.Hashes[i]] = b.MS[i]
	}
	if err := f.Keys(t.Context(), f.c, 0, 1000, func(hash, ms, _ uint64) { got[hash] = ms }); err != nil || !maps.Equal(got, want) {
		t.Errorf("%d keys, want %d, %v", len(got), len(want), err)
	}
	if err := f.Keys(t.Context(), f.c, 1, 0, func(_, _, _ uint64) { t.Error("another shard has a key") }); err != nil {
		t.Error(err)
	}
}

// readSnapshot: time and rows are of one snapshot during commits.
func readSnapshot(t *testing.T, f *fixture) {
	const reads = 50
	pos := f.takeOver(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := uint64(0); ctx.Err() == nil; i++ {
			next, err := f.Commit(t.Context(), pos, //nolint:contextcheck // ctx ends the loop and not a commit
				simple(NewBatch(f.c, 0), id(i+1, 0), 0, fmt.Sprint(i)).Batch)
			if err != nil {
				t.Error(err)
				return
			}
			pos = next
		}
	}()
	for range reads {
		err := f.Read(t.Context(), "SELECT max(_ingested_at) FROM sample", nil, func(asOf time.Time, rows *sql.Rows) error {
			var last sql.NullTime
			for rows.Next() {
				if err := rows.Scan(&last); err != nil {
					return err
				}
			}
			if last.Valid && !last.Time.Equal(asOf) {
				return fmt.Errorf("rows of %s as of %s", last.Time, asOf)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	stop()
	<-done
}

func readParameters(t *testing.T, f *fixture) {
	const text = "SELECT coalesce($b::VARCHAR, '') || $a::VARCHAR -- $c\n ;\n-- end\n"
	args := map[string]any{"a": "'; DROP TABLE sample; --", "b": nil, "unused": 1}
	columns, err := f.Describe(t.Context(), text, args)
	if err != nil || len(columns) != 1 || columns[0].Type != "VARCHAR" {
		t.Errorf("described as %v, %v", columns, err)
	}
	err = f.Read(t.Context(), "SELECT coalesce($b, 'x') || $a", args, func(_ time.Time, rows *sql.Rows) error {
		var got string
		for rows.Next() {
			if err := rows.Scan(&got); err != nil {
				return err
			}
		}
		if want := "x'; DROP TABLE sample; --"; got != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	delete(args, "b")
	err = f.Read(t.Context(), text, args, func(time.Time, *sql.Rows) error { return errors.New("ran without $b") })
	if err == nil || !strings.Contains(err.Error(), "$b") {
		t.Errorf("got %v", err)
	}
}

func readInterrupted(t *testing.T, f *fixture) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := f.Read(ctx, "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range + b.range = 3", nil,
		func(time.Time, *sql.Rows) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
	f.expect(t, "SELECT 'still there'", "still there")
}

func prune(t *testing.T, f *fixture) {
	f.commit(t, f.takeOver(t), f.simples(3, 1))
	forever, short := *f.c, *f.c
	short.Retention = time.Nanosecond
	for _, step := range []struct {
		c    *contract.Contract
		want int64
	}{{&forever, 0}, {&short, 3}, {&short, 0}} {
		if n, err := f.Prune(t.Context(), step.c); n != step.want || err != nil {
			t.Errorf("pruned %d, want %d, %v", n, step.want, err)
		}
	}
}

func markers(t *testing.T, f *fixture) {
	for _, value := range []string{"", "one", "two"} {
		if value != "" {
			if err := f.SetMarker(t.Context(), "sample published", value); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := f.Marker(t.Context(), "sample published"); got != value || err != nil {
			t.Errorf("got %q, want %q, %v", got, value, err)
		}
	}
}

func evolve(t *testing.T, f *fixture) {
	pos := f.commit(t, f.takeOver(t), f.simples(1, 1))
	wider := Parse(t, "sample", strings.Replace(Schema, `"name":`, `"added": {"type": "integer"}, "name":`, 1))
	if err := f.Register(t.Context(), wider, "", nil); err != nil {
		t.Fatal(err)
	}
	b := NewBatch(wider, 0)
	values := make([]any, len(wider.Columns))
	values[0], values[1], values[2] = "new", day, 42
	pos = f.commit(t, pos, b.Add(id(2, 0), 0, values...))
	f.expect(t, "SELECT coalesce(added::VARCHAR, 'NULL') FROM sample ORDER BY _stream_ms", "NULL", "42")
	f.commit(t, pos, simple(NewBatch(f.c, 0), id(3, 0), 0, "an older contract's"))
	f.expect(t, "SELECT coalesce(added::VARCHAR, 'NULL') FROM sample ORDER BY _stream_ms", "NULL", "42", "NULL")
}

func refuse(t *testing.T, f *fixture) {
	f.commit(t, f.takeOver(t), f.simples(1, 1))
	narrower := Parse(t, "sample", strings.Replace(Schema, `"name": {"type": "string"}`, `"name": {"type": "integer"}`, 1))
	err := f.Register(t.Context(), narrower, "", nil)
	var refused *warehouse.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "name") {
		t.Fatalf("got %v", err)
	}
	f.expect(t, "SELECT data_type FROM information_schema.columns WHERE table_name = 'sample' AND column_name = 'name'", "VARCHAR")
	if err := f.Register(t.Context(), f.c, "", nil); err != nil {
		t.Errorf("the stored contract is refused: %v", err)
	}
}

// recreated changes what no stored event relies on: type, key and shards, before anything was
// read and after all that was read was rejected. What was rejected stays, and so does the
// position; a shard of which something was read does not go.
func recreated(t *testing.T, f *fixture) {
	change := func(from ...string) *contract.Contract {
		return Parse(t, "sample", strings.NewReplacer(from...).Replace(Schema))
	}
	kind := func(want string) {
		t.Helper()
		f.expect(t, "SELECT data_type FROM information_schema.columns WHERE table_name = 'sample' AND column_name = 'name'", want)
	}
	number := change(`"name": {"type": "string"}`, `"name": {"type": "integer"}`)
	sharded := change(`"dedupe"`, `"shards": 4, "dedupe"`)
	renamed := change(`"name": {"type": "string"}`, `"title": {"type": "string"}`)
	for _, c := range []*contract.Contract{number, sharded, renamed, f.c} {
		if err := f.Register(t.Context(), c, "", nil); err != nil {
			t.Fatalf("nothing was read: %v", err)
		}
	}
	kind("VARCHAR")
	b := simple(NewBatch(f.c, 0), id(1, 0), 0, "broken")
	b.Remove([]int{0})
	b.Rejects = append(b.Rejects, event.Reject{ID: id(1, 0), Payload: []byte("{}"), Violations: []event.Violation{{Keyword: "required"}}})
	pos := f.commit(t, f.takeOver(t), b)
	if err := f.Register(t.Context(), number, "", nil); err != nil {
		t.Fatalf("all was rejected: %v", err)
	}
	kind("BIGINT")
	known, err := f.Registered(t.Context())
	if err != nil || len(known) != 1 || known[0].Promised || len(known[0].Versions) != 1 {
		t.Errorf("registered %+v, %v", known, err)
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM estela.rejects", "1")
	if err := f.Register(t.Context(), f.c, "", nil); err != nil {
		t.Fatal(err)
	}
	f.commit(t, pos, simple(NewBatch(f.c, 0), id(2, 0), 0, "good"))
	var refused *warehouse.RefusedError
	for _, c := range []*contract.Contract{number, sharded, renamed} {
		if err := f.Register(t.Context(), c, "", nil); !errors.As(err, &refused) {
			t.Errorf("an event is stored: %v", err)
		}
	}
	f.expect(t, "SELECT id FROM sample", "good")
}

func viewsAndReferences(t *testing.T, f *fixture) {
	const views = "-- by place\nCREATE OR REPLACE VIEW places AS SELECT code, latitude FROM airports WHERE code <> 'X';\nCREATE OR REPLACE VIEW total AS SELECT count(*) AS n FROM sample;\n"
	airports := "code,latitude\nSCL,-33.5\nLIM,-12\n\"a, \"\"b\"\"\",1\n"
	for _, step := range []struct {
		csv   string
		codes []string
	}{
		{airports, []string{"LIM", "SCL", `a, "b"`}},
		{airports, []string{"LIM", "SCL", `a, "b"`}},
		{airports + "CUZ,-13.5\n", []string{"CUZ", "LIM", "SCL", `a, "b"`}},
	} {
		if err := f.Register(t.Context(), f.c, views, map[string][]byte{"airports": []byte(step.csv)}); err != nil {
			t.Fatal(err)
		}
		f.expect(t, "SELECT code FROM places ORDER BY code", step.codes...)
	}
	f.expect(t, "SELECT n::VARCHAR FROM total", "0")
	if err := f.Register(t.Context(), f.c, "", map[string][]byte{"sample": []byte("a\n1\n")}); err == nil {
		t.Error("a reference table took the name of a dataset")
	}
}
