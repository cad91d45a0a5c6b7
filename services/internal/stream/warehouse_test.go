package stream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

func house(name string) event.Warehouse {
	return event.Warehouse{Identity: name, Location: "/" + name + ".duckdb", Host: "host-of-" + name}
}

// refusedBy makes sure that the error names whose the streams are.
func refusedBy(t *testing.T, err error, owner event.Warehouse) {
	t.Helper()
	var other *event.OtherWarehouseError
	if !errors.As(err, &other) || other.Owner != owner {
		t.Fatalf("%v, want a refusal that names %v", err, owner)
	}
}

// TestLeaseIsForOneWarehouse gives a shard's lease to the warehouse that asked first, also
// when nobody owns it and after the claims were deleted.
func TestLeaseIsForOneWarehouse(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		ctx := t.Context()
		of := func(w event.Warehouse, owner string) *stream.Shard {
			return client.Shard(flights(1), 0, owner, stream.ShardConfig{Lease: time.Second, Warehouse: w})
		}
		a, peer, b, anyone := of(house("a"), "a"), of(house("a"), "peer"), of(house("b"), "b"), of(event.Warehouse{}, "any")
		acquire := func(s *stream.Shard, held bool) {
			t.Helper()
			ok, err := s.Acquire(ctx)
			must(t, err)
			want(t, "acquired", ok, held)
		}
		acquire(a, true)
		acquire(peer, false)
		_, err := b.Acquire(ctx)
		refusedBy(t, err, house("a"))
		must(t, a.Release(ctx))
		_, err = b.Acquire(ctx)
		refusedBy(t, err, house("a"))
		acquire(peer, true)
		holder, err := client.MoveShard(ctx, flights(1), 0, house("b"))
		must(t, err)
		want(t, "the holder is named", holder != "", true)
		must(t, peer.Release(ctx))
		holder, err = client.MoveShard(ctx, flights(1), 0, house("b"))
		must(t, err)
		want(t, "no holder", holder, "")
		_, err = a.Acquire(ctx)
		refusedBy(t, err, house("b"))
		_, err = a.Renew(ctx)
		refusedBy(t, err, house("b"))
		acquire(b, true)
		ok, err := b.Renew(ctx)
		must(t, err)
		want(t, "renewed", ok, true)
		must(t, b.Release(ctx))
		acquire(anyone, true) // a reader that says nothing is asked nothing
		time.Sleep(1100 * time.Millisecond)
		_, err = a.Acquire(ctx)
		refusedBy(t, err, house("b"))
	})
}

// TestClaimIsRenewed renews a lease whose claim was deleted: the next one is refused.
func TestClaimIsRenewed(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	cfg := stream.ShardConfig{Warehouse: house("a")}
	a := client.Shard(flights(1), 0, "a", cfg)
	_, err := a.Acquire(t.Context())
	must(t, err)
	server.Do("DEL", "estela:{flights:0}:warehouse")
	ok, err := a.Renew(t.Context())
	must(t, err)
	want(t, "renewed", ok, true)
	b := client.Shard(flights(1), 0, "b", stream.ShardConfig{Warehouse: house("b")})
	_, err = b.Acquire(t.Context())
	refusedBy(t, err, house("a"))
}

// TestClaimIsAllOrNothing refuses a process of which one dataset is another's, and
// leaves no claim of its own.
func TestClaimIsAllOrNothing(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		ctx := t.Context()
		first, second := &contract.Contract{Name: "first", Shards: 2}, &contract.Contract{Name: "second", Shards: 3}
		must(t, client.ClaimShards(ctx, []*contract.Contract{second}, house("a")))
		must(t, client.ClaimShards(ctx, []*contract.Contract{second}, house("a")))
		refusedBy(t, client.ClaimShards(ctx, []*contract.Contract{second, first}, house("b")), house("a"))
		must(t, client.ClaimShards(ctx, []*contract.Contract{first}, house("c")))
		for _, d := range []struct {
			name   string
			shards int
			owner  event.Warehouse
		}{{"first", 2, house("c")}, {"second", 3, house("a")}} {
			all, err := client.Summaries(ctx, &contract.Contract{Name: d.name, Shards: d.shards})
			must(t, err)
			want(t, "shards", len(all), d.shards)
			for _, s := range all {
				want(t, "owner", s.Owner, d.owner)
			}
		}
	})
}

// TestSummaries finds entries in shards that the contract does not have.
func TestSummaries(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		p := client.Producer(t.Context(), flights(8), stream.ProducerConfig{})
		for range 3 {
			must(t, p.Add(t.Context(), 7, []byte("1")))
		}
		must(t, p.Close(t.Context()))
		all, err := client.Summaries(t.Context(), flights(2))
		must(t, err)
		want(t, "shards", len(all), 3)
		want(t, "shard", all[2].Shard, 7)
		want(t, "entries", all[2].Length, 3)
		want(t, "newest", all[2].Newest, all[2].Last)
	})
}
