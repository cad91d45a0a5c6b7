package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// memory is a sink that stores rows in memory.
type memory struct {
	Sink

	rows []stored
}

type stored struct {
	key  string
	ms   uint64
	seq  uint64
	line uint32
}

func rowsOf(b *contract.Batch) (all []stored) {
	for i := range b.Rows {
		all = append(all, stored{b.KeyString(i), b.MS[i], b.Seq[i], b.Line[i]})
	}
	return all
}

func (m *memory) Commit(_ context.Context, at event.Position, b *contract.Batch) (event.Position, error) {
	m.rows = append(m.rows, rowsOf(b)...)
	at.Last = b.Last
	at.Rev++
	return at, nil
}

func (m *memory) Lookup(_ context.Context, b *contract.Batch, candidates []event.Candidate) (found event.Found, _ error) {
	rows := rowsOf(b)
	for _, c := range candidates {
		own := rows[c.Row]
		if !b.Unstreamed && slices.Contains(m.rows, own) {
			found.Stored = append(found.Stored, c.Row)
		} else if slices.ContainsFunc(m.rows, func(s stored) bool { return s.key == own.key && s.ms >= c.FromMS && s.ms <= c.ToMS }) {
			found.Duplicates = append(found.Duplicates, c.Row)
		}
	}
	return found, nil
}

// dedupe1s is a dataset with a window of one second.
func dedupe1s(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("d", "d", []byte(`{"type": "object", "x-estela": {"key": "id", "dedupe": "1s"}, "required": ["id"], "properties": {"id": {"type": "string"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPrepare stores the same batches twice: in turn, and with batches prepared at any moment while the one
// before is not yet committed and backfills come between. The same rows are stored.
func TestPrepare(t *testing.T) {
	t.Parallel()
	c := dedupe1s(t)
	again := func(do func() error) error { return do() }
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 1))
		batch := func(ms *uint64, unstreamed bool) *contract.Batch {
			b, decoder := c.NewBatch(0, 8), c.NewDecoder()
			for i := range random.IntN(8) {
				decoder.Decode(b, fmt.Appendf(nil, `{"id": "%d"}`, random.IntN(25)), event.ID{MS: *ms, Seq: uint64(i)}, 0)
				b.Last = event.ID{MS: *ms, Seq: uint64(i)}
				if !unstreamed {
					*ms += uint64(random.IntN(300))
				}
			}
			*ms++
			b.Unstreamed = unstreamed
			return b
		}
		clone := func(b *contract.Batch) *contract.Batch {
			twin, decoder := c.NewBatch(0, 8), c.NewDecoder()
			for i := range b.Rows {
				decoder.Decode(twin, fmt.Appendf(nil, `{"id": %q}`, b.Columns[0].Text(i)), event.ID{MS: b.MS[i], Seq: b.Seq[i]}, 0)
			}
			twin.Last, twin.Unstreamed = b.Last, b.Unstreamed
			return twin
		}
		var sinks [2]memory
		var committers [2]*committer
		for i := range committers {
			committers[i] = newCommitter(&sinks[i], c, event.Position{})
			committers[i].keys = newKeySet(uint64(c.Dedupe.Milliseconds()))
		}
		commit := func(b *contract.Batch, ready *prepared) {
			twin := clone(b)
			for i, b := range []*contract.Batch{b, twin} {
				if i == 1 {
					ready = nil
				}
				if err := committers[i].commit(t.Context(), b, event.ID{}, ready, again); err != nil {
					t.Fatal(err)
				}
			}
		}
		ms := uint64(10_000)
		waiting, ready := batch(&ms, false), (*prepared)(nil)
		for range 12 {
			next, early := batch(&ms, false), random.IntN(3) > 0
			var nextReady *prepared
			if early { // before the one that waits is committed
				nextReady = committers[0].prepare(next, event.ID{})
			}
			if random.IntN(3) == 0 {
				commit(batch(&ms, true), nil)
			}
			commit(waiting, ready)
			if random.IntN(3) == 0 {
				commit(batch(&ms, true), nil)
			}
			waiting, ready = next, nextReady
		}
		commit(waiting, ready)
		if !slices.Equal(sinks[0].rows, sinks[1].rows) {
			t.Fatalf("seed %d: prepared batches stored\n%v\nothers\n%v", seed, sinks[0].rows, sinks[1].rows)
		}
		if len(sinks[0].rows) < 5 || sinks[0].rows[0].key == "" {
			t.Fatalf("seed %d stored %v", seed, sinks[0].rows)
		}
	}
}
