package chaos_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/worker"
)

// heldKeys is a sink whose keys can't be read before they are let go, and fail for as long as
// broken is set.
type heldKeys struct {
	worker.Sink
	asked  atomic.Bool
	letGo  chan struct{}
	broken atomic.Bool
}

var errKeys = errors.New("keys are unreadable")

func (s *heldKeys) Keys(
	ctx context.Context, c *contract.Contract, shard int, since uint64, each func(hash, ms, clamped uint64),
) error {
	s.asked.Store(true)
	if s.broken.Load() {
		return errKeys
	}
	select {
	case <-s.letGo:
		return s.Sink.Keys(ctx, c, shard, since, each)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takingOver is a pipeline with stored events, whose second worker is reading their keys.
func takingOver(t *testing.T) (p *pipeline, w *running, sink *heldKeys, stored [][]byte) {
	t.Helper()
	p = setup(t, setting{})
	for range 50 {
		e := p.source.Fresh()
		p.model.Row(e)
		stored = append(stored, e.JSON())
	}
	p.send(7, stored...)
	first := p.work()
	p.drain(first)
	first.stop()
	sink = &heldKeys{Sink: p.store, letGo: make(chan struct{})}
	w = p.work(func(cfg *worker.Config) { cfg.Sink = sink })
	eventually(t, "keys are read", sink.asked.Load)
	return p, w, sink, stored
}

// TestChaosKeysAreReadBehindReadiness sends stored events again, and new ones, while the keys of
// the window are read: nothing is failing, the table can be read, nothing is committed yet, and
// afterwards each event is there once. So is one that is backfilled meanwhile.
func TestChaosKeysAreReadBehindReadiness(t *testing.T) {
	t.Parallel()
	p, w, sink, stored := takingOver(t)
	p.send(1, stored...)
	p.publish(100)
	e := p.source.Fresh()
	p.model.Row(e)
	must(t, worker.Store(t.Context(), w.Worker, p.store, p.backfill(e.JSON())))
	p.send(1, e.JSON())
	if s := w.Status()[0]; s.Failing() || s.Owned {
		t.Errorf("reading keys: %+v, want neither failing nor owned", s)
	}
	want(t, "stored meanwhile", p.number("SELECT count(*) FROM warehouse.main.chaos"), 51)

	close(sink.letGo)
	p.drain(w)
	p.verify()
	want(t, "failing", w.Status()[0].Failing(), false)
}

// TestChaosStopWhileKeysAreRead stops a worker that is reading the keys: it releases its lease.
func TestChaosStopWhileKeysAreRead(t *testing.T) {
	t.Parallel()
	p, w, _, stored := takingOver(t)
	w.stop()
	want(t, "lease", p.redis.Do("GET", p.key(0)+":lease"), nil)
	p.send(1, stored...)
	p.drain(p.work())
	p.verify()
}

// TestChaosUnreadableKeys has the reading of the keys fail: the worker says so, commits nothing
// and goes on once it succeeds.
func TestChaosUnreadableKeys(t *testing.T) {
	t.Parallel()
	p, w, sink, stored := takingOver(t)
	w.stop()
	sink.broken.Store(true)
	close(sink.letGo)
	w = p.work(func(cfg *worker.Config) { cfg.Sink = sink })
	p.send(1, stored...)
	eventually(t, "the reason is named", func() bool {
		s := w.Status()[0]
		return s.Failing() && strings.Contains(s.Reason, errKeys.Error())
	})
	sink.broken.Store(false)
	p.drain(w)
	p.verify()
	want(t, "failing", w.Status()[0].Failing(), false)
}
