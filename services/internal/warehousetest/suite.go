package warehousetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

var errInjected = errors.New("injected")

// Suite is the conformance suite of warehouses. open returns a new, empty one with the hook.
func Suite(t *testing.T, open func(t *testing.T, hook func(warehouse.Point) error) *warehouse.Warehouse) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *fixture){
		"types come back as they went in":                  typesRoundTrip,
		"NULLs beyond the first chunk":                     sparseNulls,
		"UUIDs are in the order of their text":             uuidOrder,
		"a commit moves position and counters":             commitMoves,
		"rows of a batch without a stream":                 unstreamed,
		"two steps that look alike":                        sameRevisions,
		"an old owner's commit is fenced":                  oldOwnerFenced,
		"a commit that meets a takeover in flight":         takeoverDuringCommit,
		"a takeover between BEGIN and the first write":     takeoverAfterBegin,
		"two commits of one owner at once":                 conflictingCommits,
		"takeovers at once get epochs of their own":        manyTakeovers,
		"outcome unknown, was committed":                   unknownCommitted,
		"outcome unknown, was not committed":               unknownNotCommitted,
		"outcome unknown, another took over":               unknownTakenOver,
		"the same commit again stores nothing":             commitAgain,
		"a failed commit leaves nothing behind":            failedCommit,
		"a cancelled commit leaves nothing behind":         cancelledCommit,
		"rejects byte for byte":                            rejectBytes,
		"replayed rejects are deleted":                     replayedRejects,
		"rejects are paged and purged":                     pagedRejects,
		"rejects are grouped by reason":                    groupedRejects,
		"lookup finds stored rows and duplicates":          lookup,
		"lookup of many spans":                             lookupSpans,
		"lookup takes any key":                             lookupAnyKey,
		"keys come back as the batch's hashes":             keys,
		"keys of several properties":                       compositeKeys,
		"rows without a key":                               noKey,
		"reads see one snapshot":                           readSnapshot,
		"reads need a value for each parameter":            readParameters,
		"reads are interrupted":                            readInterrupted,
		"retention deletes what is old":                    prune,
		"markers":                                          markers,
		"a new optional property becomes a column":         evolve,
		"a contract that breaks the stored one is refused": refuse,
		"a table in which nothing was stored is recreated": recreated,
		"views and reference tables":                       viewsAndReferences,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fixture{faults: &Faults{}, c: Sample(t)}
			f.Warehouse = open(t, f.faults.Hook)
			if err := f.Register(t.Context(), f.c, "", nil); err != nil {
				t.Fatal(err)
			}
			test(t, f)
		})
	}
}

// fixture is an open warehouse with the dataset registered.
type fixture struct {
	*warehouse.Warehouse

	faults *Faults
	c      *contract.Contract
}

var day = time.Date(2001, 1, 13, 14, 56, 0, 0, time.UTC)

func id(ms, seq uint64) event.ID { return event.ID{MS: ms, Seq: seq} }

// simple adds a row with required values only.
func simple(b Batch, at event.ID, line uint32, key string) Batch {
	values := make([]any, len(b.Contract.Columns))
	values[0], values[1] = key, day
	return b.Add(at, line, values...)
}

// simples returns a batch of n rows a millisecond apart, with keys from k0.
func (f *fixture) simples(n int, fromMS uint64) Batch {
	b := NewBatch(f.c, 0)
	for i := range n {
		simple(b, id(fromMS+uint64(i), 0), 0, fmt.Sprintf("k%d", i))
	}
	return b
}

func (f *fixture) takeOver(t *testing.T) event.Position {
	t.Helper()
	pos, err := f.TakeOver(t.Context(), f.c, 0)
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func (f *fixture) commit(t *testing.T, at event.Position, b Batch) event.Position {
	t.Helper()
	pos, err := f.Commit(t.Context(), at, b.Batch)
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

// query returns the first column of the result as text, "NULL" for NULL.
func query(t *testing.T, w *warehouse.Warehouse, sqlText string) []string {
	t.Helper()
	var got []string
	err := w.Read(t.Context(), sqlText, nil, func(_ time.Time, rows *sql.Rows) error {
		for rows.Next() {
			var text sql.NullString
			if err := rows.Scan(&text); err != nil {
				return err
			}
			if !text.Valid {
				text.String = "NULL"
			}
			got = append(got, text.String)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (f *fixture) expect(t *testing.T, sqlText string, want ...string) {
	t.Helper()
	if got := query(t, f.Warehouse, sqlText); !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", sqlText, got, want)
	}
}

func (f *fixture) position(t *testing.T) event.Position {
	t.Helper()
	all, err := f.Positions(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("positions %v, %v", all, err)
	}
	return all[0]
}

func typesRoundTrip(t *testing.T, f *fixture) {
	long := strings.Repeat("á long string, ", 1000)
	b := NewBatch(f.c, 0)
	b.Add(id(1, 2), 3, "first", day, "twelve bytes", `{"a":[1,2]}`, true, -100, -30000, -2000000000, math.MinInt64, -1.5, -11323, uuid(0x80))
	b.Add(id(1, 3), 0, "second", day.Add(time.Microsecond), long, `{}`, false, 100, 30000, 2000000000, math.MaxInt64, math.Pi, 11335, uuid(0xff))
	b.Add(id(1, 4), 0, "third, which is long", day, "", nil, nil, nil, nil, nil, nil, nil, nil, nil)
	f.commit(t, f.takeOver(t), b)
	for column, want := range map[string][]string{
		"id": {"first", "second", "third, which is long"}, "name": {"twelve bytes", long, ""},
		"extra": {`{"a":[1,2]}`, "{}", "NULL"}, "flag": {"true", "false", "NULL"}, "tiny": {"-100", "100", "NULL"},
		"small": {"-30000", "30000", "NULL"}, "medium": {"-2000000000", "2000000000", "NULL"},
		"big": {"-9223372036854775808", "9223372036854775807", "NULL"}, "ratio": {"-1.5", "3.141592653589793", "NULL"},
		"day":    {"1939-01-01", "2001-01-13", "NULL"},
		"ref":    {"80000000-0000-0000-0000-000000000001", "ff000000-0000-0000-0000-000000000001", "NULL"},
		"at":     {"2001-01-13 14:56:00+00", "2001-01-13 14:56:00.000001+00", "2001-01-13 14:56:00+00"},
		"_shard": {"0", "0", "0"}, "_stream_ms": {"1", "1", "1"}, "_stream_seq": {"2", "3", "4"}, "_line": {"3", "0", "0"},
	} {
		f.expect(t, `SELECT "`+column+`"::VARCHAR FROM sample ORDER BY _stream_seq`, want...)
	}
	f.expect(t, "SELECT (extra->>'$.a[1]') FROM sample WHERE _stream_seq = 2", "2")
}

func uuid(first byte) [16]byte { return [16]byte{0: first, 15: 1} }

func sparseNulls(t *testing.T, f *fixture) {
	b := NewBatch(f.c, 0)
	for i := range 5000 {
		values := make([]any, len(f.c.Columns))
		values[0], values[1] = fmt.Sprintf("a key of some length %d", i), day
		if i != 2100 && i != 4999 {
			values[2], values[8] = fmt.Sprintf("a name of some length %d", i), i
		}
		b.Add(id(uint64(i), 0), 0, values...)
	}
	f.commit(t, f.takeOver(t), b)
	f.expect(t, "SELECT _stream_ms::VARCHAR FROM sample WHERE name IS NULL OR big IS NULL ORDER BY _stream_ms", "2100", "4999")
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample WHERE name = 'a name of some length '||_stream_ms AND big = _stream_ms", "4998")
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample WHERE ref IS NULL AND id = 'a key of some length '||_stream_ms", "5000")
}

func uuidOrder(t *testing.T, f *fixture) {
	b := NewBatch(f.c, 0)
	for i, first := range []byte{0xff, 0x00, 0x80, 0x7f} {
		values := make([]any, len(f.c.Columns))
		values[0], values[1], values[11] = fmt.Sprint(i), day, uuid(first)
		b.Add(id(uint64(i), 1), 0, values...)
	}
	f.commit(t, f.takeOver(t), b)
	f.expect(t, "SELECT left(ref::VARCHAR, 2) FROM sample ORDER BY ref", "00", "7f", "80", "ff")
	f.expect(t, "SELECT id FROM sample WHERE ref = '80000000-0000-0000-0000-000000000001'", "2")
}

func commitMoves(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	if pos.Epoch != 1 || pos.Rev != 1 || pos.Added != -1 || !pos.Last.IsZero() {
		t.Fatalf("first position %+v", pos)
	}
	b := f.simples(3, 100).Reject(id(200, 1), 2, "{", event.Violation{Keyword: "json", Message: "ends early"})
	b.RunID, b.Duplicates, b.Added = "run1", 4, 9
	pos = f.commit(t, pos, b)
	if stored := f.position(t); stored != pos {
		t.Fatalf("returned %+v, stored %+v", pos, stored)
	}
	second := f.simples(2, 300)
	pos = f.commit(t, pos, second)
	want := event.Position{
		Dataset: "sample", Last: id(301, 0), Added: 9, Epoch: 1, Rev: 3, RunID: "run1", Rows: 5, Rejected: 1, Duplicates: 4,
		Token: second.Token, CommittedAt: pos.CommittedAt,
	}
	if pos != want || time.Since(pos.CommittedAt) > time.Minute {
		t.Fatalf("got %+v, want %+v", pos, want)
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample WHERE _ingested_at = (SELECT committed_at FROM estela.positions)", "2")
	if again := f.takeOver(t); again.Epoch != 2 || again.Rev != 4 || again.Last != pos.Last {
		t.Fatalf("took over %+v", again)
	}
}

func unstreamed(t *testing.T, f *fixture) {
	pos := f.commit(t, f.takeOver(t), f.simples(1, 50))
	b := f.simples(2, 70)
	b.Unstreamed, b.Last = true, pos.Last
	next := f.commit(t, pos, b)
	if next.Last != pos.Last || next.Rev != pos.Rev+1 || next.Rows != 3 {
		t.Fatalf("moved from %+v to %+v", pos, next)
	}
	if again := f.commit(t, pos, b); again != next {
		t.Fatalf("the same commit again returned %+v, want %+v", again, next)
	}
	f.expect(t, "SELECT coalesce(_stream_seq::VARCHAR, 'NULL') FROM sample ORDER BY _stream_ms", "0", "NULL", "NULL")
}

// sameRevisions commits two backfills with as many rows from one position: the second must not take the
// first one's change for its own.
func sameRevisions(t *testing.T, f *fixture) {
	pos := f.commit(t, f.takeOver(t), f.simples(1, 50))
	first, second := f.simples(2, 70), f.simples(2, 90)
	for _, b := range []Batch{first, second} {
		b.Unstreamed, b.Last = true, pos.Last
	}
	f.commit(t, pos, first)
	_, err := f.Commit(t.Context(), pos, second.Batch)
	f.expectFenced(t, err, "3")
}

func (f *fixture) expectFenced(t *testing.T, err error, rows string) {
	t.Helper()
	if !errors.Is(err, event.ErrFenced) {
		t.Errorf("got error %v, want %v", err, event.ErrFenced)
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample", rows)
}

func oldOwnerFenced(t *testing.T, f *fixture) {
	old := f.takeOver(t)
	other := Another(t, f.Warehouse)
	taken, err := other.TakeOver(t.Context(), f.c, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Commit(t.Context(), old, f.simples(3, 1).Batch)
	f.expectFenced(t, err, "0")
	if _, err := other.Commit(t.Context(), taken, f.simples(3, 1).Batch); err != nil {
		t.Fatal(err)
	}
	_, err = f.Commit(t.Context(), old, f.simples(3, 1).Batch)
	f.expectFenced(t, err, "3")
}

// takeoverDuringCommit: the commit has moved the position and not committed. The
// takeover waits for it and then sees what it stored.
func takeoverDuringCommit(t *testing.T, f *fixture) {
	old := f.takeOver(t)
	other := Another(t, f.Warehouse)
	taken := make(chan event.Position, 1)
	f.faults.At(warehouse.PointWritten, func() error {
		go func() {
			pos, err := other.TakeOver(t.Context(), f.c, 0)
			if err != nil {
				t.Error(err)
			}
			taken <- pos
		}()
		time.Sleep(50 * time.Millisecond)
		return nil
	})
	moved := f.commit(t, old, f.simples(3, 1))
	if pos := <-taken; pos.Epoch != 2 || pos.Rev != moved.Rev+1 || pos.Last != moved.Last || pos.Rows != 3 {
		t.Errorf("took over %+v after %+v", pos, moved)
	}
	_, err := f.Commit(t.Context(), moved, f.simples(3, 10).Batch)
	f.expectFenced(t, err, "3")
}

func takeoverAfterBegin(t *testing.T, f *fixture) {
	old := f.takeOver(t)
	other := Another(t, f.Warehouse)
	f.faults.At(warehouse.PointBegun, func() error {
		_, err := other.TakeOver(t.Context(), f.c, 0)
		return err
	})
	_, err := f.Commit(t.Context(), old, f.simples(3, 1).Batch)
	f.expectFenced(t, err, "0")
}

// conflictingCommits: the second comes while the first is not committed, which
// DuckDB reports as a conflict.
func conflictingCommits(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	other := Another(t, f.Warehouse)
	var second error
	f.faults.At(warehouse.PointWritten, func() error {
		_, second = other.Commit(t.Context(), pos, f.simples(5, 1).Batch)
		return nil
	})
	f.commit(t, pos, f.simples(3, 1))
	f.expectFenced(t, second, "3")
}

func manyTakeovers(t *testing.T, f *fixture) {
	const owners = 8
	epochs := make([]int64, owners)
	var wg sync.WaitGroup
	for i := range owners {
		other := Another(t, f.Warehouse)
		wg.Go(func() {
			for epochs[i] == 0 {
				pos, err := other.TakeOver(t.Context(), f.c, 0)
				if err != nil && !errors.Is(err, event.ErrFenced) {
					t.Error(err)
					return
				}
				epochs[i] = pos.Epoch
			}
		})
	}
	wg.Wait()
	slices.Sort(epochs)
	if len(slices.Compact(epochs)) != owners || f.position(t).Epoch < owners {
		t.Errorf("epochs %v, position %+v", epochs, f.position(t))
	}
}

func unknownCommitted(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	f.faults.At(warehouse.PointCommitted, func() error { return errInjected })
	b := f.simples(3, 1).Reject(id(9, 9), 0, "x")
	next := f.commit(t, pos, b)
	if next != f.position(t) || next.Last != id(9, 9) {
		t.Errorf("got %+v, stored %+v", next, f.position(t))
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample", "3")
	f.expect(t, "SELECT count(*)::VARCHAR FROM estela.rejects", "1")
}

func unknownNotCommitted(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	f.faults.At(warehouse.PointWritten, func() error { return errInjected })
	_, err := f.Commit(t.Context(), pos, f.simples(3, 1).Batch)
	if !errors.Is(err, errInjected) || errors.Is(err, event.ErrFenced) {
		t.Fatalf("got %v", err)
	}
	f.commit(t, pos, f.simples(3, 1))
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample", "3")
}

func unknownTakenOver(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	other := Another(t, f.Warehouse)
	f.faults.At(warehouse.PointCommitted, func() error {
		_, err := other.TakeOver(t.Context(), f.c, 0)
		return errors.Join(errInjected, err)
	})
	_, err := f.Commit(t.Context(), pos, f.simples(3, 1).Batch)
	f.expectFenced(t, err, "3")
}

func commitAgain(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	b := f.simples(3, 1)
	first := f.commit(t, pos, b)
	if second := f.commit(t, pos, b); second != first {
		t.Errorf("first %+v, second %+v", first, second)
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample", "3")
}

func failedCommit(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	for _, p := range []warehouse.Point{warehouse.PointBegun, warehouse.PointWritten} {
		f.faults.At(p, func() error { return errInjected })
		b := f.simples(3, 1).Reject(id(9, 9), 0, "x")
		if _, err := f.Commit(t.Context(), pos, b.Batch); !errors.Is(err, errInjected) {
			t.Fatalf("got %v", err)
		}
	}
	if stored := f.position(t); stored != pos {
		t.Errorf("position %+v, want %+v", stored, pos)
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample", "0")
	f.expect(t, "SELECT count(*)::VARCHAR FROM estela.rejects", "0")
}

func cancelledCommit(t *testing.T, f *fixture) {
	pos := f.takeOver(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.faults.At(warehouse.PointBegun, func() error {
		cancel()
		return nil
	})
	if _, err := f.Commit(ctx, pos, f.simples(3, 1).Batch); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample", "0")
	f.commit(t, pos, f.simples(3, 1))
	f.expect(t, "SELECT count(*)::VARCHAR FROM sample", "3")
}
