package worker

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// TestBatcherFillsBatches decodes reads of entries with one event or several. No batch has more rows than a full
// one but those of its last entry; no entry is split, lost or out of order; each batch has the server's count at its
// last entry, and each read is released once.
func TestBatcherFillsBatches(t *testing.T) {
	t.Parallel()
	c := dedupe1s(t)
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		const rows = 50
		in, full, empty := make(chan segment, 1), make(chan flushed), make(chan *contract.Batch, batchesInUse)
		for range batchesInUse {
			empty <- c.NewBatch(0, 8)
		}
		packed, releases := 1+random.IntN(9), 0
		known := random.IntN(40) // entries that were read before
		b := &batcher{
			prepare: func(*contract.Batch) *prepared { return &prepared{} },
			decoder: c.NewDecoder(), in: in, full: full, empty: empty, batch: <-empty, rows: rows, inFlight: &inFlight{}, hook: func(string) {},
		}
		reads := 1 + random.IntN(6)
		total := 0
		go func() {
			defer close(in)
			for range reads {
				var entries []event.Entry
				for range 1 + random.IntN(70) {
					total++
					e := event.Entry{ID: event.ID{MS: uint64(total)}, Payload: fmt.Appendf(nil, `{"id": "%d"}`, total)}
					if packed > 1 {
						n := packed - random.IntN(2)
						e.Kind, e.Payload = event.Lines, []byte(strings.Repeat(string(e.Payload)+"\n", n))
					}
					entries = append(entries, e)
				}
				s := segment{entries: entries, release: func() { releases++ }}
				if s.new = min(len(entries), total-known); s.new > 0 {
					s.added = int64(total - known)
				} else {
					s.new = 0
				}
				in <- s
			}
		}()
		done := make(chan error, 1)
		go func() {
			defer close(full)
			for b.in != nil || b.batch.Entries > 0 {
				if err := b.step(t.Context()); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		last, entries := event.ID{}, 0
		for f := range full {
			batch := f.batch
			if over := batch.Rows - rows; over >= packed {
				t.Errorf("seed %d: a batch of %d rows", seed, batch.Rows)
			}
			if batch.MS[0] != last.MS+1 || batch.Last.MS != batch.MS[batch.Rows-1] || batch.Entries != int(batch.Last.MS-last.MS) {
				t.Errorf("seed %d: after %v a batch from %d to %v of %d entries", seed, last, batch.MS[0], batch.Last, batch.Entries)
			}
			if want := max(0, int64(batch.Last.MS)-int64(known)); batch.Added != want {
				t.Errorf("seed %d: count %d at %v, want %d", seed, batch.Added, batch.Last, want)
			}
			last, entries = batch.Last, entries+batch.Entries
			batch.Reset()
			empty <- batch
		}
		if err := <-done; err != nil || entries != total || releases != reads {
			t.Errorf("seed %d: %d of %d entries, %d of %d reads released, %v", seed, entries, total, releases, reads, err)
		}
	}
}
