package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

// often trims as often as can be.
func often(cfg *worker.Config) { cfg.Renew, cfg.TrimEvery = 5*time.Millisecond, time.Millisecond }

// TestChaosTrimStopsAtPosition holds a commit while the stream is trimmed all the time:
// what is read and not stored stays.
func TestChaosTrimStopsAtPosition(t *testing.T) {
	t.Parallel()
	var gate chaos.Gate
	p := setup(t, setting{hook: func(warehouse.Point) error {
		gate.Pass()
		return nil
	}})
	defer gate.Open()
	w := p.work(often)
	p.publish(500)
	p.drain(w)
	eventually(t, "all that is stored is trimmed", func() bool { return p.state(0).Length == 0 })
	last := p.position(0).Last

	gate.Shut()
	p.publish(500)
	time.Sleep(300 * time.Millisecond)
	want(t, "entries kept", p.state(0).Length, 500)
	want(t, "trimmed to", p.state(0).TrimmedTo, last)
	gate.Open()
	p.drain(w)
	eventually(t, "all that is stored is trimmed", func() bool { return p.state(0).Length == 0 })
	p.verify()
}

// TestChaosTrimsAtTheEnd has a worker that trims rarely read all that a server had room for: it trims
// at once, for a producer may be waiting for the room.
func TestChaosTrimsAtTheEnd(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	w := p.work(func(cfg *worker.Config) { cfg.TrimEvery = time.Hour })
	p.publish(10)
	p.drain(w)
	eventually(t, "the first trim is not waited for", func() bool { return p.state(0).Length == 0 })
	p.publish(2000)
	p.drain(w)
	eventually(t, "all that is stored is trimmed", func() bool { return p.state(0).Length == 0 })
	p.verify()
}

// TestChaosTrimLeavesForeignGroups has a subscriber with a group of its own, slower
// than the worker: it reads everything.
func TestChaosTrimLeavesForeignGroups(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	p.redis.Do("XGROUP", "CREATE", p.key(0), "subscriber", "0", "MKSTREAM")
	w := p.work(often)
	read := 0
	take := func(count int) int {
		streams, _ := p.redis.Do("XREADGROUP", "GROUP", "subscriber", "s", "COUNT", count, "STREAMS", p.key(0), ">").([]any)
		if len(streams) == 0 {
			return 0
		}
		entries := streams[0].([]any)[1].([]any)
		for _, e := range entries {
			p.redis.Do("XACK", p.key(0), "subscriber", e.([]any)[0])
		}
		read += len(entries)
		return len(entries)
	}
	for round := 1; round <= 5; round++ {
		p.publish(400)
		p.drain(w)
		take(150)
		eventually(t, "what both have is trimmed, no more", func() bool {
			return p.state(0).Length == int64(round*(400-150))
		})
	}
	for take(500) > 0 {
	}
	want(t, "the subscriber read", read, 2000)
	eventually(t, "all that it has read is trimmed", func() bool { return p.state(0).Length == 0 })
	p.verify()
}

// TestChaosLossIsRefused restores an old copy of the warehouse, after which the stream
// was trimmed: the shard stops for good, unless losses are accepted.
func TestChaosLossIsRefused(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{apart: true})
	p.session(func(w *running) {
		p.publish(100)
		p.drain(w)
	})
	copied, err := os.ReadFile(p.location)
	must(t, err)
	before := p.model
	p.model = chaos.NewModel() // what comes now is lost with the newer warehouse
	p.source.Model = p.model
	p.session(func(w *running) {
		p.publish(100)
		p.drain(w)
		eventually(t, "trimmed", func() bool { return p.state(0).Length == 0 })
	})
	p.location = filepath.Join(t.TempDir(), "restored.duckdb")
	must(t, os.WriteFile(p.location, copied, 0o600))
	p.model = before
	p.source.Model = p.model
	p.refusal("trimmed", 100, func() { p.publish(100) })
}

// TestChaosLossByDeletedEntries deletes an entry that is not stored yet.
func TestChaosLossByDeletedEntries(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{apart: true})
	p.publish(10)
	e := p.source.Fresh()
	id := p.redis.Do("XADD", p.key(0), "*", "event", e.JSON())
	p.redis.Do("XDEL", p.key(0), id)
	p.refusal("deleted from", 1, func() { p.publish(10) })
}

// refusal expects that a worker refuses, and that one that accepts the loss
// ingests what is there and what more publishes. Each counts the loss.
func (p *pipeline) refusal(reason string, entries int64, more func()) {
	p.t.Helper()
	p.openStore()
	losses := &counts{}
	refusing := worker.New(worker.Config{
		Contracts: []*contract.Contract{p.contract}, Source: p.sourceOf(p.client, "refuses"), Sink: p.store, Observer: losses,
	})
	err := refusing.Run(p.t.Context())
	var loss *worker.LossError
	if replay := refusing.Replay(p.t.Context(), p.contract); !errors.As(replay, &loss) {
		p.t.Fatalf("a replay got error %v, want the loss", replay)
	}
	if !errors.As(err, &loss) || loss.Reason != reason || loss.Gone.Compare(loss.Position) <= 0 {
		p.t.Fatalf("got error %v, want a loss (%s)", err, reason)
	}
	want(p.t, "losses", losses.lost.Load(), entries)
	more()
	w := p.work(func(cfg *worker.Config) { cfg.AcceptLoss, cfg.Observer = true, losses })
	p.drain(w)
	p.verify()
	want(p.t, "losses", losses.lost.Load(), 2*entries)
	w.stop()
	p.drain(p.work()) // the position is beyond it now
	p.verify()
}

// session opens the warehouse, runs a worker that trims, and closes both.
func (p *pipeline) session(do func(w *running)) {
	p.t.Helper()
	store, err := warehouse.Open(p.t.Context(), p.config())
	must(p.t, err)
	must(p.t, store.Register(p.t.Context(), p.contract, "", nil))
	p.store = store
	w := p.work(often)
	do(w)
	w.stop()
	must(p.t, store.Close())
}

// TestChaosBackpressure fills the stream while it has no owner: the producer waits at the
// high-water mark and reports that, and continues when a worker starts.
func TestChaosBackpressure(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	const highWater, flush, all = 500, 100, 3000
	var full atomic.Int64
	producer := p.producer(p.client, producerConfig{
		HighWater: highWater, FlushEvents: flush,
		OnWait: func(why waiting) { full.Store(why.Lag.Entries) },
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		for range all {
			p.next(producer)
		}
		done <- producer.Close(ctx)
	}()
	eventually(t, "the producer waits", func() bool { return full.Load() >= highWater })
	time.Sleep(200 * time.Millisecond)
	acked := producer.Acked()
	if length := p.state(0).Length; length >= highWater+flush || acked != length {
		t.Fatalf("%d entries in the stream, %d acknowledged, want less than %d", length, acked, highWater+flush)
	}
	w := p.work(often)
	must(t, <-done)
	want(t, "acknowledged", fmt.Sprint(producer.Acked()), fmt.Sprint(all))
	p.drain(w)
	p.verify()
}
