package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// consume reads, reports and trims until n different events were seen.
func consume(t *testing.T, s *stream.Shard, n int, pause time.Duration) (payloads []string) {
	t.Helper()
	seen := make(map[string]bool)
	var last event.ID
	for len(seen) < n {
		entries, release, err := s.Read(t.Context())
		if err != nil {
			attach(t, s, 1, last)
			continue
		}
		for _, e := range entries {
			payload, _, _ := strings.Cut(string(e.Payload), " ")
			if !seen[payload] {
				payloads = append(payloads, payload)
			}
			seen[payload], last = true, e.ID
		}
		release()
		must(t, s.Trim(t.Context(), last))
		time.Sleep(pause)
	}
	return payloads
}

// A full server: the producer waits; a worker that starts only now can take its
// lease and its cursor, and make room.
func TestFullServerStopsTheProducerOnly(t *testing.T) {
	t.Parallel()
	const events = 6000
	server, client := setup(t, redistest.WithMaxMemory(24<<20))
	full := make(chan struct{})
	var once sync.Once
	p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{
		HighWater: -1,
		OnWait: func(w stream.Waiting) {
			if w.Err != nil && strings.Contains(w.String(), "OOM") {
				once.Do(func() { close(full) })
			}
		},
	})
	added := make(chan error, 1)
	padding := bytes.Repeat([]byte{'x'}, 10_000)
	go func() {
		var err error
		for i := 1; i <= events && err == nil; i++ {
			err = p.Add(t.Context(), 0, fmt.Appendf(nil, "%d %s", i, padding))
		}
		added <- errors.Join(err, p.Close(t.Context()))
	}()
	<-full
	fillUp(t, server)

	s := shard(t, client, stream.ShardConfig{})
	ok, err := s.Acquire(t.Context())
	must(t, err)
	want(t, "lease", ok, true)
	_, err = client.Heartbeat(t.Context(), "", "late", time.Minute)
	must(t, err)
	must(t, s.RaiseLastID(t.Context(), event.ID{MS: 1}))
	attach(t, s, 1, event.ID{})
	wantRange(t, consume(t, s, events, 0), 1, events)
	must(t, <-added)
	want(t, "acknowledged", p.Acked(), events)
}

// fillUp takes the last bytes.
func fillUp(t *testing.T, server *redistest.Server) {
	t.Helper()
	for size := 1 << 20; size > 0; size /= 2 {
		for i := 0; ; i++ {
			_, err := server.Try("SET", fmt.Sprint("filler", size, ".", i), strings.Repeat("x", size))
			if err != nil && strings.HasPrefix(err.Error(), "OOM") {
				break
			}
			must(t, err)
		}
	}
}

func TestHighWaterStopsTheProducer(t *testing.T) {
	t.Parallel()
	const events, highWater, flush = 5000, 500, 100
	server, client := setup(t)
	var waits, acked atomic.Int64
	p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{
		HighWater: highWater, FlushEvents: flush,
		OnAck: func(n int) { acked.Add(int64(n)) },
		OnWait: func(w stream.Waiting) {
			if w.Err == nil && w.Lag.Entries >= highWater && strings.Contains(w.String(), "shard 0") {
				waits.Add(1)
			}
		},
	})
	added := make(chan error, 1)
	go func() {
		var err error
		for i := 1; i <= events && err == nil; i++ {
			err = p.Add(t.Context(), 0, fmt.Appendf(nil, "%d", i))
		}
		added <- errors.Join(err, p.Close(t.Context()))
	}()
	eventually(t, "the producer waits", func() bool { return waits.Load() > 2 })
	n, _ := server.Do("XLEN", stream.Key(flights(1), 0)).(int64)
	want(t, "stopped at the mark", n >= highWater && n <= highWater+flush, true)
	s := shard(t, client, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	wantRange(t, consume(t, s, events, time.Millisecond), 1, events)
	must(t, <-added)
	want(t, "acknowledged", acked.Load(), events)
}

func TestProducerSurvivesCuts(t *testing.T) {
	t.Parallel()
	const events = 20_000
	server, direct := setup(t)
	proxy := redistest.NewProxy(t, server.Addr())
	p := open(t, proxy.URL()).Producer(t.Context(), flights(1), stream.ProducerConfig{FlushEvents: 200})
	for i := 1; i <= events; i++ {
		if i%2000 == 0 {
			proxy.CutAfter(int64(i % 3000))
		}
		must(t, p.Add(t.Context(), 0, fmt.Appendf(nil, "%d", i)))
	}
	must(t, p.Close(t.Context()))
	want(t, "acknowledged", p.Acked(), events)
	s := shard(t, direct, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	wantRange(t, consume(t, s, events, 0), 1, events)
}

func TestProducerSurvivesACrashOfRedis(t *testing.T) {
	t.Parallel()
	const events = 3000
	server, client := setup(t, redistest.WithAOF())
	p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{FlushEvents: 50})
	for i := 1; i <= events; i++ {
		if i%1000 == 500 {
			server.Restart()
		}
		must(t, p.Add(t.Context(), 0, fmt.Appendf(nil, "%d", i)))
	}
	must(t, p.Close(t.Context()))
	s := shard(t, client, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	wantRange(t, consume(t, s, events, 0), 1, events)
}

func TestProducerLingersBriefly(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{})
	must(t, p.Add(t.Context(), 0, []byte("1")))
	eventually(t, "one event goes out without Flush", func() bool {
		return server.Do("XLEN", stream.Key(flights(1), 0)) == int64(1)
	})
	must(t, p.Add(t.Context(), 0, []byte("2")))
	must(t, p.Flush(t.Context()))
	want(t, "acknowledged after Flush", p.Acked(), 2)
	must(t, p.Close(t.Context()))
	must(t, p.Close(t.Context()))
	want(t, "Add after Close fails", p.Add(t.Context(), 0, []byte("3")) != nil, true)
}

func TestProducerRefusesEvents(t *testing.T) {
	t.Parallel()
	_, client := setup(t)
	p := client.Producer(t.Context(), flights(2), stream.ProducerConfig{})
	err := p.Add(t.Context(), 0, make([]byte, stream.MaxEvent+1))
	var tooLarge *stream.TooLargeError
	want(t, "typed", errors.As(err, &tooLarge), true)
	want(t, "size", tooLarge.Size, stream.MaxEvent+1)
	for _, shard := range []int{-1, 2} {
		want(t, "unknown shard", p.Add(t.Context(), shard, []byte("1")) != nil, true)
	}
	must(t, p.Add(t.Context(), 1, bytes.Repeat([]byte("x"), stream.MaxEvent)))
	must(t, p.Close(t.Context()))
	want(t, "acknowledged", p.Acked(), 1)
}

func TestProducerEndsOnRefusal(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	server.Do("SET", stream.Key(flights(1), 0), "no stream")
	p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{})
	must(t, p.Add(t.Context(), 0, []byte("1")))
	err := p.Close(t.Context())
	want(t, "says why", err != nil && strings.Contains(err.Error(), "WRONGTYPE"), true)
	want(t, "says how much", strings.Contains(err.Error(), "1 of 1 events were not acknowledged"), true)
}

func TestProducerGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	server.Kill()
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan struct{})
	var once sync.Once
	p := client.Producer(ctx, flights(1), stream.ProducerConfig{
		FlushEvents: 10, OnWait: func(stream.Waiting) { once.Do(func() { close(waiting) }) },
	})
	for range 5 {
		must(t, p.Add(ctx, 0, []byte("1")))
	}
	<-waiting
	cancel()
	err := p.Close(t.Context())
	wantErr(t, err, context.Canceled)
	want(t, "says how much", strings.Contains(err.Error(), "5 of 5 events were not acknowledged"), true)
}

func TestAddWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	server.Kill()
	p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{FlushEvents: 10})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var err error
	for err == nil {
		err = p.Add(ctx, 0, []byte("1"))
	}
	wantErr(t, err, context.DeadlineExceeded)
	wantErr(t, p.Close(ctx), context.DeadlineExceeded)
}

func TestWaitForReplicas(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	cfg := stream.ProducerConfig{Wait: 1, WaitTimeout: 100 * time.Millisecond}
	p := client.Producer(t.Context(), flights(1), cfg)
	must(t, p.Add(t.Context(), 0, []byte("1")))
	wantErr(t, p.Close(t.Context()), stream.ErrReplicas)

	host, port, err := net.SplitHostPort(server.Addr())
	must(t, err)
	server.Do("CONFIG", "SET", "repl-diskless-sync-delay", "0")
	redistest.Start(t, redistest.WithArgs("--replicaof", host, port))
	eventually(t, "the replica is there", func() bool {
		return server.Do("WAIT", 1, 10) == int64(1) &&
			strings.Contains(fmt.Sprint(server.Do("INFO", "replication")), "state=online")
	})
	cfg.WaitTimeout = 5 * time.Second
	p = client.Producer(t.Context(), flights(1), cfg)
	for range 2500 {
		must(t, p.Add(t.Context(), 0, []byte("1")))
	}
	must(t, p.Close(t.Context()))
	want(t, "acknowledged", p.Acked(), 2500)
}

func TestProducerIsSafeForMany(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	const producers, events, shards = 8, 2000, 3
	p := client.Producer(t.Context(), flights(shards), stream.ProducerConfig{Batch: 7, FlushEvents: 40})
	var group sync.WaitGroup
	for range producers {
		group.Go(func() {
			for i := range events {
				if err := p.Add(t.Context(), i%shards, []byte("1")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	must(t, p.Close(t.Context()))
	lines := 0
	for i := range shards {
		entries, _ := server.Do("XRANGE", stream.Key(flights(1), i), "-", "+").([]any)
		for _, entry := range entries {
			lines += strings.Count(fmt.Sprint(entry), "1\n")
		}
	}
	want(t, "events in the streams", lines, producers*events)
}
