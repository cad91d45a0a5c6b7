package chaos_test

import (
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

// TestChaosPausedWorker stops a worker in its tracks at each step, past its lease.
// Another takes over; the first continues, is fenced, and takes
// part again when the second has gone.
func TestChaosPausedWorker(t *testing.T) {
	t.Parallel()
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			pauseAt(t, step, "")
		})
	}
	for _, point := range points {
		t.Run("commit "+string(point), func(t *testing.T) {
			t.Parallel()
			pauseAt(t, "", point)
		})
	}
}

func pauseAt(t *testing.T, step string, point warehouse.Point) {
	var gate chaos.Gate
	held := make(chan struct{})
	hold := once(3, func() {
		gate.Shut()
		close(held)
		gate.Pass()
	})
	p := setup(t, setting{lease: time.Second, hook: func(now warehouse.Point) error {
		if now == point {
			hold()
		}
		return nil
	}})
	other := warehousetest.Another(t, p.store)
	defer gate.Open()
	first := p.work(func(cfg *worker.Config) {
		source := cfg.Source
		cfg.Source = func(c *contract.Contract, shard int) worker.Source { return gate.Source(source(c, shard)) }
		cfg.Hook = func(now string) {
			if gate.Pass(); now == step {
				hold()
			}
		}
	})
	stop := p.publishing(p.client, 100, 20*time.Millisecond)
	<-held
	epoch := func() int64 {
		pos, _, err := other.Position(t.Context(), p.contract, 0)
		must(t, err)
		return pos.Epoch
	}
	second := p.work(func(cfg *worker.Config) { cfg.Sink = other })
	if point == warehouse.PointWritten {
		// Its transaction has the position row: nobody can take over before it
		// ends, and then either can be the first to.
		time.Sleep(2 * p.lease)
		want(t, "epoch", epoch(), 1)
		gate.Open()
		eventually(t, "one takes over", func() bool { return epoch() > 1 })
	} else {
		eventually(t, "the second takes over", func() bool { return second.owns() == 1 && epoch() > 1 })
		p.drain(second)
		gate.Open()
		eventually(t, "the first knows", func() bool { return first.owns() == 0 })
	}
	second.stop()
	eventually(t, "the first takes part again", func() bool { return first.owns() == 1 })
	stop()
	p.drain(first)
	p.verify()
}
