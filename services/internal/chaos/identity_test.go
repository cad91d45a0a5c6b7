package chaos_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

// of is a worker whose leases are the warehouse's.
func (p *pipeline) of(house event.Warehouse) func(*worker.Config) {
	return func(cfg *worker.Config) {
		cfg.Source = func(c *contract.Contract, shard int) worker.Source {
			return p.client.Shard(c, shard, house.Identity, stream.ShardConfig{
				Lease: p.lease, Block: 50 * time.Millisecond, Warehouse: house,
			})
		}
	}
}

// TestChaosOtherWarehouse has the worker of another warehouse come at random moments, while
// the first owns the shards, releases one and acquires it again: it is refused each time,
// and all that was published is in the first.
func TestChaosOtherWarehouse(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{shards: 4, lease: time.Second})
	second := warehousetest.New(t)
	must(t, second.Register(t.Context(), p.contract, "", nil))
	mine := event.Warehouse{Identity: "first", Location: p.location, Host: "here"}
	other := event.Warehouse{Identity: "second", Location: second.Location(), Host: "there"}
	stop := p.publishing(p.client, 100, 5*time.Millisecond)
	first := p.work(p.of(mine))
	eventually(t, "the first owns all", func() bool { return first.owns() == 4 })
	for range 10 {
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		intruder := p.work(p.of(other), func(cfg *worker.Config) { cfg.Sink = second })
		if rand.IntN(2) == 0 { // nobody holds a lease for a while
			first.stop()
			first = p.work(p.of(mine))
		}
		select {
		case err := <-intruder.ended:
			var refused *event.OtherWarehouseError
			if !errors.As(err, &refused) || refused.Owner != mine || refused.Dataset != p.contract.Name {
				t.Fatalf("refused with %v", err)
			}
		case <-time.After(patience):
			t.Fatalf("the other warehouse's worker goes on: %+v", intruder.Status())
		}
	}
	stop()
	p.drain(first)
	p.verify()
	positions, err := second.Positions(t.Context())
	must(t, err)
	want(t, "positions in the other warehouse", len(positions), 0)
}

// TestChaosIdentity keeps a warehouse's identity: through closing and opening, for a second
// writer; and another warehouse has another.
func TestChaosIdentity(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged, apart: true, location: filepath.Join(t.TempDir(), "estela.duckdb")})
		w := warehousetest.Open(t, p.config())
		identity, err := w.Identity(t.Context())
		must(t, err)
		must(t, w.Close())
		again := warehousetest.Open(t, p.config())
		same, err := again.Identity(t.Context())
		must(t, err)
		want(t, "after opening again", same, identity)
		other, err := warehousetest.New(t).Identity(t.Context())
		must(t, err)
		if len(identity) < 20 || other == identity {
			t.Errorf("identities %q and %q", identity, other)
		}
	})
}

// TestChaosFlushedClaims empties Redis under a worker while another warehouse's process starts:
// whichever claims first has all shards, and the other fails to claim any.
func TestChaosFlushedClaims(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{shards: 4, lease: time.Second})
	mine := event.Warehouse{Identity: "first", Location: p.location, Host: "here"}
	other := event.Warehouse{Identity: "second", Location: "elsewhere", Host: "there"}
	owners := func() (first, second int) {
		all, err := p.client.Summaries(t.Context(), p.contract)
		must(t, err)
		for _, s := range all {
			switch s.Owner {
			case mine:
				first++
			case other:
				second++
			}
		}
		return first, second
	}
	won := 0
	for range 12 {
		first := p.work(p.of(mine))
		eventually(t, "the first owns all", func() bool { return first.owns() == p.shards })
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		p.redis.Do("FLUSHALL")
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		err := p.client.ClaimShards(t.Context(), []*contract.Contract{p.contract}, other)
		var refused *event.OtherWarehouseError
		switch {
		case errors.As(err, &refused):
			eventually(t, "all shards are the first's again", func() bool { n, m := owners(); return n == p.shards && m == 0 })
			first.stop()
		case err == nil:
			won++
			select {
			case err := <-first.ended:
				if !errors.As(err, &refused) {
					t.Fatalf("the first ends with %v", err)
				}
			case <-time.After(patience):
				t.Fatalf("the first goes on: %+v", first.Status())
			}
			if n, m := owners(); n != 0 || m != p.shards {
				t.Fatalf("%d shards are the first's, %d the other's", n, m)
			}
		default:
			t.Fatal(err)
		}
		p.redis.Do("FLUSHALL")
	}
	t.Logf("the other was first in %d of 12", won)
}
