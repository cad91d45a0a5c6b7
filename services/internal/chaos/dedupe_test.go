package chaos_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/worker"
)

// looked counts what is looked up.
type looked struct {
	worker.Sink
	mu         sync.Mutex
	calls      int
	candidates int
	widest     uint64 // stream time in milliseconds
}

func (l *looked) Lookup(ctx context.Context, b *contract.Batch, candidates []event.Candidate) (event.Found, error) {
	l.mu.Lock()
	l.calls++
	l.candidates += len(candidates)
	for _, c := range candidates {
		l.widest = max(l.widest, c.ToMS-c.FromMS)
	}
	l.mu.Unlock()
	return l.Sink.Lookup(ctx, b, candidates)
}

// since is what was looked up since the last call.
func (l *looked) since() (calls, candidates int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls, candidates = l.calls, l.candidates
	l.calls, l.candidates = 0, 0
	return calls, candidates
}

// TestChaosDedupe drops a second event of a key inside one entry, one batch, across
// batches and across a restart of the worker.
func TestChaosDedupe(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged})
		events := make([]chaos.Event, 50)
		first, second := make([][]byte, len(events)), make([][]byte, len(events))
		for i := range events {
			events[i] = p.source.Fresh()
			p.model.Row(events[i])
			first[i] = events[i].JSON()
			events[i].Text = "second " + events[i].Text
			second[i] = events[i].JSON()
		}
		p.send(200, append(append([][]byte{}, first...), second...)...) // one entry
		p.send(1, second...)                                            // one batch, for nobody reads yet
		w := p.work()
		p.drain(w)
		p.verify()
		want(t, "dropped in one batch", p.position(0).Duplicates, 100)

		p.send(1, second...)
		p.send(7, second...)
		p.drain(w)
		p.verify()
		want(t, "dropped across batches", p.position(0).Duplicates, 200)

		w.stop()
		w = p.work()
		p.send(1, second...)
		p.drain(w)
		p.verify()
		want(t, "dropped across a restart", p.position(0).Duplicates, 250)
		want(t, "stored", p.position(0).Rows, 50)
	})
}

// TestChaosDedupeWindow accepts a key again when it has left the window, by stream
// time, also when the worker was started anew or comes late.
func TestChaosDedupeWindow(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{dedupe: "2s"})
	e := p.source.Fresh()
	start := uint64(time.Now().UnixMilli())
	at := func(ms uint64, stored bool) {
		e.N++
		if stored {
			p.model.Again(e)
		}
		p.add(event.ID{MS: start + ms}, e.JSON())
	}
	w := p.work()
	at(0, true)
	p.drain(w)
	at(1900, false)
	p.drain(w)
	at(2100, true) // the one dropped does not prolong the window
	p.drain(w)
	w.stop()
	at(4000, false)
	at(5000, true)
	at(9000, true)
	at(9001, false)
	p.drain(p.work())
	p.verify()
}

// TestChaosDedupeCostIsFlat looks up only what was seen before, and only where it was
// stored, however large the table is.
func TestChaosDedupeCostIsFlat(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	sink := &looked{Sink: p.store}
	w := p.work(func(cfg *worker.Config) { cfg.Sink = sink })
	var events [][]byte
	for size := 1000; size <= 64_000; size *= 4 {
		for len(events) < size {
			e := p.source.Fresh()
			p.model.Row(e)
			events = append(events, e.JSON())
		}
		before := int(p.position(0).Rows)
		p.send(100, events[before:]...)
		p.drain(w)
		if calls, candidates := sink.since(); calls+candidates > 0 {
			t.Fatalf("%d rows: new keys were looked up %d times (%d calls)", size, candidates, calls)
		}
		p.send(1, events[:100]...)
		p.drain(w)
		if _, candidates := sink.since(); candidates != 100 {
			t.Fatalf("%d rows: %d looked up, want the 100 that came again", size, candidates)
		}
	}
	p.verify()
	if limit := uint64(24 * time.Hour.Milliseconds() / 1000); sink.widest > limit {
		t.Errorf("looked up %d ms of stream time, want at most %d", sink.widest, limit)
	}
}

// TestChaosDedupeAgainstLaterBackfill stores an event by a backfill while the same
// event still waits in the stream, with an earlier time.
func TestChaosDedupeAgainstLaterBackfill(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{dedupe: "2s"})
	e := p.source.Fresh()
	p.model.Row(e)
	p.send(1, e.JSON())
	p.send(1, e.JSON())
	time.Sleep(100 * time.Millisecond)
	b := p.backfill(e.JSON())
	must(t, worker.Store(t.Context(), nil, p.store, b))
	want(t, "backfilled", b.Rows, 1)
	w := p.work()
	p.drain(w)
	p.verify()
	b = p.backfill(e.JSON())
	must(t, worker.Store(t.Context(), w.Worker, p.store, b))
	want(t, "backfilled again", fmt.Sprint(b.Rows, b.Duplicates), "0 1")
	p.verify()
}
