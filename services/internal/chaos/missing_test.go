package chaos_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/worker"
)

// counts is an observer that sums what was reconciled.
type counts struct{ received, lost, ahead atomic.Int64 }

func (*counts) Read(string, int)                                 {}
func (*counts) Committed(string, *contract.Batch, time.Duration) {}
func (*counts) Retried(string)                                   {}
func (c *counts) Ahead(_ string, entries int64)                  { c.ahead.Add(entries) }
func (c *counts) Loss(_ string, entries int64)                   { c.lost.Add(entries) }
func (c *counts) Reconciled(_ string, received, lost int64) {
	c.received.Add(received)
	c.lost.Add(lost)
}

// observed reconciles often.
func (c *counts) observed(cfg *worker.Config) {
	cfg.Renew, cfg.Observer = 20*time.Millisecond, c
}

// TestChaosLossIsCounted takes entries away before they are read, in ways that leave no
// trace but the server's count: a producer's MAXLEN and a trim by somebody else, with a worker
// that is held up and with none. Each is counted, once, and nothing else is.
func TestChaosLossIsCounted(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	var counted counts
	var held, stuck atomic.Bool
	w := p.work(counted.observed, func(cfg *worker.Config) {
		cfg.Hook = func(step string) {
			for step == "read" && held.Load() {
				stuck.Store(true)
				time.Sleep(time.Millisecond)
			}
		}
	})
	const batches = 10
	for range batches {
		p.publish(100)
	}
	p.drain(w)
	eventually(t, "all is reconciled", func() bool { return counted.received.Load() == batches*100 })
	want(t, "lost of what was left alone", counted.lost.Load(), 0)

	held.Store(true)
	eventually(t, "the worker is held up", stuck.Load)
	p.vanish(func(payload string) { p.redis.Do("XADD", p.key(0), "*", "event", payload) }, 3)
	p.redis.Do("XTRIM", p.key(0), "MAXLEN", "0")
	held.Store(false)
	p.publish(50)
	p.drain(w)
	eventually(t, "what was trimmed is counted", func() bool { return counted.lost.Load() == 3 })
	p.verify()
	w.stop()

	// The producer keeps the stream short: each entry takes the one before it away.
	p.vanish(func(payload string) { p.redis.Do("XADD", p.key(0), "MAXLEN", "1", "*", "event", payload) }, 5)
	p.publish(1)
	p.redis.Do("XTRIM", p.key(0), "MAXLEN", "1")
	w = p.work(counted.observed)
	p.publish(50)
	p.drain(w)
	eventually(t, "what went while no worker ran is counted", func() bool { return counted.lost.Load() == 8 })
	p.verify()
	eventually(t, "the count is stored", func() bool { return p.position(0).Added == p.state(0).Added })
	w.stop()
	counted.lost.Store(0)
	w = p.work(counted.observed)
	p.publish(50)
	p.drain(w)
	before := counted.received.Load()
	eventually(t, "the next worker reconciles", func() bool { p.publish(1); return counted.received.Load() > before+50 })
	want(t, "losses counted again", counted.lost.Load(), 0)
}

// vanish sends events that nobody is going to read.
func (p *pipeline) vanish(send func(payload string), n int) {
	for range n {
		e := p.source.Fresh()
		send(string(e.JSON()))
	}
}
