package chaos_test

import (
	"context"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

// TestChaosTwoWorkersShareShards has two workers own four shards, two each. When one is
// stopped, or freezes, the other takes all four over; when it is back, they rebalance.
func TestChaosTwoWorkersShareShards(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged, shards: 4, lease: time.Second})
		other := warehousetest.Another(t, p.store)
		first := p.work(p.shared("first", nil))
		eventually(t, "the only one owns all", func() bool { return first.owns() == 4 })
		stop := p.publishing(p.client, 100, 20*time.Millisecond)
		var gate chaos.Gate
		defer gate.Open()
		second := p.work(p.shared("second", &gate), func(cfg *worker.Config) { cfg.Sink = other })
		even := func() bool { return first.owns() == 2 && second.owns() == 2 }
		eventually(t, "two each", even)

		gate.Shut()
		eventually(t, "the other froze: all four", func() bool { return first.owns() == 4 })
		gate.Open()
		eventually(t, "two each again", even)

		second.stop()
		eventually(t, "the other was stopped: all four", func() bool { return first.owns() == 4 })
		stop()
		p.drain(first)
		p.verify()
		for shard := range p.shards {
			if rows := p.position(shard).Rows; rows == 0 {
				t.Errorf("shard %d: nothing was stored", shard)
			}
		}
	})
}

// shared is a worker that tracks its membership, behind a gate if there is one.
func (p *pipeline) shared(owner string, gate *chaos.Gate) func(*worker.Config) {
	if gate == nil {
		gate = new(chaos.Gate)
	}
	return func(cfg *worker.Config) {
		source := p.sourceOf(p.client, owner)
		cfg.Source = func(c *contract.Contract, shard int) worker.Source { return gate.Source(source(c, shard)) }
		cfg.Live = func(ctx context.Context) (int, error) {
			gate.Pass()
			return p.client.Heartbeat(ctx, "", owner, p.lease)
		}
		cfg.Hook = func(string) { gate.Pass() }
	}
}

// slowKeys is a sink whose keys take longer to rebuild than a lease lasts.
type slowKeys struct {
	worker.Sink

	takes time.Duration
}

func (s slowKeys) Keys(
	ctx context.Context, c *contract.Contract, shard int, since uint64, each func(hash, ms, clamped uint64),
) error {
	time.Sleep(s.takes)
	return s.Sink.Keys(ctx, c, shard, since, each)
}

// TestChaosSlowTakeOverKeepsTheLease rebuilds keys for three leases while another
// worker waits for the shard: it gets no chance.
func TestChaosSlowTakeOverKeepsTheLease(t *testing.T) {
	t.Parallel()
	const lease = 600 * time.Millisecond
	p := setup(t, setting{lease: lease})
	other := warehousetest.Another(t, p.store)
	slow := func(cfg *worker.Config) { cfg.Sink = slowKeys{cfg.Sink, 3 * lease} }
	first := p.work(slow)
	eventually(t, "the first takes over", func() bool {
		return p.number("SELECT count(*) FROM warehouse.estela.positions") == 1
	})
	p.work(func(cfg *worker.Config) { cfg.Sink = other }, slow)
	p.publish(100)
	p.drain(first)
	p.verify()
	if epoch := p.position(0).Epoch; epoch != 1 {
		t.Errorf("%d owners, want the first alone", epoch)
	}
}
