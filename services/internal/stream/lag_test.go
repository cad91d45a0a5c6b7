package stream_test

import (
	"fmt"
	"testing"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// owning is a reader that owns the lease of shard 0, and the state of its stream.
func owning(t *testing.T, client *stream.Client) (*stream.Shard, event.StreamState) {
	t.Helper()
	s := shard(t, client, stream.ShardConfig{})
	owned, err := s.Acquire(t.Context())
	must(t, err)
	want(t, "lease", owned, true)
	state, err := s.State(t.Context())
	must(t, err)
	return s, state
}

// Entries that are stored and not trimmed yet are no lag, however many.
func TestStoredEntriesDoNotStopTheProducer(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		const highWater = 500
		publish(t, client, 1, 3*highWater, stream.ProducerConfig{HighWater: -1})
		s, state := owning(t, client)
		must(t, s.PublishPosition(t.Context(), event.Position{Last: state.Last, Added: state.Added, Rows: 3 * highWater}))
		p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{
			HighWater: highWater, OnWait: func(w stream.Waiting) { t.Errorf("the producer waits: %s", w) },
		})
		for i := range 100 {
			must(t, p.Add(t.Context(), 0, fmt.Appendf(nil, "%d", i)))
		}
		must(t, p.Close(t.Context()))
		all, err := client.Lags(t.Context(), flights(1))
		must(t, err)
		want(t, "last published", all[0].Last, p.Last(0))
		want(t, "above the position", all[0].Entries > 0, true)
		want(t, "ever stored", all[0].Stored.Rows, 3*highWater)
	})
}

// The producer stops at the high-water mark of the lag, however many stored entries there are
// and though it looks the lag up only now and then.
func TestUnstoredEntriesStopTheProducer(t *testing.T) {
	t.Parallel()
	const highWater, flush = 500, 10
	server, client := setup(t)
	publish(t, client, 1, 3*highWater, stream.ProducerConfig{HighWater: -1})
	s, state := owning(t, client)
	must(t, s.PublishPosition(t.Context(), event.Position{Last: state.Last, Added: state.Added}))
	waits := make(chan stream.Waiting, 100)
	p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{
		HighWater: highWater, FlushEvents: flush, OnWait: func(w stream.Waiting) {
			select {
			case waits <- w:
			default:
			}
		},
	})
	added := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 2*highWater && err == nil; i++ {
			err = p.Add(t.Context(), 0, fmt.Appendf(nil, "%d", i))
		}
		added <- err
	}()
	w := <-waits
	n, _ := server.Do("XLEN", stream.Key(flights(1), 0)).(int64)
	want(t, "stopped at the mark", w.Lag.Entries >= highWater && n <= 4*highWater+flush, true)
	want(t, "says so", w.Err == nil && w.Lag.Reported && w.Lag.Lease != "", true)
	state, err := s.State(t.Context())
	must(t, err)
	must(t, s.PublishPosition(t.Context(), event.Position{Last: state.Last, Added: state.Added}))
	must(t, <-added)
	state, err = s.State(t.Context())
	must(t, err)
	must(t, s.PublishPosition(t.Context(), event.Position{Last: state.Last, Added: state.Added}))
	must(t, p.Close(t.Context()))
	want(t, "acknowledged", p.Acked(), 2*highWater)
}

// Only the owner of the lease reports a position; an incomplete report is ignored.
func TestOnlyTheOwnerReports(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := open(t, server.URL())
	publish(t, client, 1, 10, stream.ProducerConfig{})
	at := event.Position{Last: event.ID{MS: 1 << 62}, Added: 10}
	must(t, shard(t, client, stream.ShardConfig{}).PublishPosition(t.Context(), at))
	lag := func() stream.Lag {
		all, err := client.Lags(t.Context(), flights(2))
		must(t, err)
		want(t, "entries of an empty shard", all[1].Entries, 0)
		return all[0]
	}
	want(t, "reported without the lease", lag().Reported, false)
	want(t, "entries", lag().Entries, 10)
	server.Do("HSET", stream.Key(flights(1), 0)+":stored", "last", "10-0", "added", "many")
	want(t, "an incomplete report", lag().Reported, false)
}
