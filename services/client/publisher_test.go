package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/client"
	"github.com/estela-dev/estela/services/internal/ingest"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// TestPublish: what was published is in the streams once, each partition in order, however the events were written.
func TestPublish(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		p := start(client.PublisherConfig{BatchEvents: 64})
		var want []thing
		scratch := make([]byte, 0, 100)
		for n := range 5000 {
			e := numbered(n)
			want = append(want, e)
			var event any = e
			switch n % 4 {
			case 1:
				scratch = append(scratch[:0], e.line()...) // is used again
				event = scratch
			case 2:
				event = json.RawMessage(strings.NewReplacer("{", "\r\n{ ", ",", "\n, ").Replace(e.line()) + " \n")
			case 3:
				event = map[string]any{"n": e.N, "p": e.P}
			}
			must(t, p.Publish(t.Context(), event))
		}
		must(t, p.Flush(t.Context()))
		s.wants(t, want...)
		must(t, p.Publish(t.Context(), numbered(5000)))
		must(t, p.Close(t.Context()))
		s.wants(t, append(want, numbered(5000))...)
		if err := p.Publish(t.Context(), numbered(1)); err == nil || err.Error() != "publish event: the publisher is closed" {
			t.Errorf("closed: %v", err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
}

// TestPublishConcurrently: whatever many goroutines publish, and flush, is there once.
func TestPublishConcurrently(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		p := start(client.PublisherConfig{BatchEvents: 10, Linger: time.Millisecond})
		var all sync.WaitGroup
		var want []thing
		for g := range 8 {
			for n := range 100 {
				want = append(want, thing{N: n, P: fmt.Sprint("g", g)})
			}
			all.Go(func() {
				for n := range 100 {
					if err := p.Publish(t.Context(), thing{N: n, P: fmt.Sprint("g", g)}); err != nil {
						t.Error(err)
					}
					if n%30 == 0 {
						if err := p.Flush(t.Context()); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		all.Wait()
		must(t, p.Close(t.Context()))
		s.wants(t, want...)
	})
}

// TestLinger: an event is sent without a flush.
func TestLinger(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		p := start(client.PublisherConfig{})
		must(t, p.Publish(t.Context(), numbered(1)))
		for began := time.Now(); len(s.published(t)) == 0; time.Sleep(time.Millisecond) {
			if time.Since(began) > 20*time.Second {
				t.Fatal("not sent after 20 s")
			}
		}
		must(t, p.Close(t.Context()))
		s.wants(t, numbered(1))
	})
}

// TestLostAnswers cuts the connection while answers are on their way: the batch was published, and its repetition
// publishes nothing, though the events have no key.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, way := range transports {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, ingest.Config{})
			proxy := redistest.NewProxy(t, way.addr(s))
			var retries atomic.Int64
			p := way.start(t, proxy.Addr(), client.PublisherConfig{
				BatchEvents: 10, OnRetry: func(error, time.Duration) { retries.Add(1) },
			})
			var want []thing
			for n := range 300 {
				if n%50 == 0 {
					must(t, p.Flush(t.Context()))
					proxy.CutAfter(int64(n)) // within the first answers from here on
				}
				want = append(want, numbered(n))
				must(t, p.Publish(t.Context(), numbered(n)))
			}
			must(t, p.Close(t.Context()))
			s.wants(t, want...)
			if retries.Load() < 4 {
				t.Errorf("%d retries", retries.Load())
			}
		})
	}
}

// TestServerKilled kills Redis, and brings it back with its data, while events are published.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		failed := make(chan error, 1)
		p := start(client.PublisherConfig{BatchEvents: 10, OnRetry: func(err error, _ time.Duration) {
			select {
			case failed <- err:
			default:
			}
		}})
		var want []thing
		var restarted sync.WaitGroup
		for n := range 1000 {
			if n == 500 {
				s.redis.Kill()
				restarted.Go(func() {
					<-failed
					s.redis.Restart()
				})
			}
			want = append(want, numbered(n))
			must(t, p.Publish(t.Context(), numbered(n)))
		}
		must(t, p.Close(t.Context()))
		restarted.Wait()
		s.wants(t, want...)
	}, redistest.WithAOF())
}

// broken are events of things that are invalid.
func broken(n int) thing { return thing{N: -1 - n, P: fmt.Sprint("p", n%7)} }

// TestInvalidEventEnds: by default a publisher ends at an invalid event, and returns all that it did not publish.
func TestInvalidEventEnds(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		p := start(client.PublisherConfig{BatchEvents: 10, Linger: time.Hour})
		var published, left []thing
		for n := range 35 {
			e := numbered(n)
			if n == 13 || n == 17 {
				e = broken(n)
			}
			if n < 10 {
				published = append(published, e)
			}
			if err := p.Publish(t.Context(), e); err != nil {
				if _, ok := errors.AsType[*client.InvalidError](err); !ok {
					t.Fatal(err)
				}
				break
			}
			if n >= 10 {
				left = append(left, e)
			}
		}
		for _, err := range []error{p.Flush(t.Context()), p.Close(t.Context())} {
			unpublished, ok := errors.AsType[*client.PublishError](err)
			if !ok || !strings.Contains(err.Error(), "not known to be published: the event is invalid: /n must be at least 0, found -14") {
				t.Fatal(err)
			}
			if len(unpublished.Events) != len(left) {
				t.Fatalf("%d are left, want %d", len(unpublished.Events), len(left))
			}
			for i, u := range unpublished.Events {
				if string(u.Event) != left[i].line() {
					t.Errorf("%d is %s, want %s", i, u.Event, left[i].line())
				}
			}
			own, ok := errors.AsType[*client.InvalidError](unpublished.Events[7].Err)
			if want := (client.Violation{Pointer: "/n", Keyword: "minimum", Detail: "must be at least 0, found -18"}); !ok || !slices.Equal(own.Violations, []client.Violation{want}) {
				t.Errorf("the second: %v", unpublished.Events[7].Err)
			}
		}
		s.wants(t, published...)
	})
}

// TestOnInvalid: invalid events are handed back, however many, and the others are published.
func TestOnInvalid(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		var back []string
		p := start(client.PublisherConfig{BatchEvents: 400, OnInvalid: func(u client.Unpublished) {
			if _, ok := errors.AsType[*client.InvalidError](u.Err); !ok {
				t.Error(u.Err)
			}
			back = append(back, string(u.Event))
		}})
		var good []thing
		var bad []string
		for n := range 1000 {
			e := numbered(n)
			if n%3 == 1 || n > 900 {
				e = broken(n)
				bad = append(bad, e.line())
			} else {
				good = append(good, e)
			}
			must(t, p.Publish(t.Context(), e))
		}
		must(t, p.Close(t.Context()))
		if !slices.Equal(back, bad) {
			t.Errorf("%d came back, want %d", len(back), len(bad))
		}
		s.wants(t, good...)
	})
}

// TestKeepInvalid: all are published.
func TestKeepInvalid(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		p := start(client.PublisherConfig{KeepInvalid: true})
		must(t, p.Publish(t.Context(), numbered(1)))
		must(t, p.Publish(t.Context(), broken(1)))
		must(t, p.Publish(t.Context(), []byte(`no JSON, "p":"x"`)))
		must(t, p.Close(t.Context()))
		n := 0
		for _, lines := range s.published(t) {
			n += len(lines)
		}
		if n != 3 {
			t.Errorf("published %v", s.published(t))
		}
	})
}

// TestRefusedAtOnce: what can't be an event is not added.
func TestRefusedAtOnce(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		p := start(client.PublisherConfig{})
		for says, event := range map[string]any{
			"the event is empty":            []byte(" \n "),
			"has 1048577 bytes, the limit":  []byte(strings.Repeat("x", client.MaxEvent+1)),
			"unsupported type":              make(chan int),
			"invalid character '\\n'":       []byte("{\"p\":\"a\nb\"}"),
			"looking for beginning of valu": json.RawMessage("a\nb"),
		} {
			if err := p.Publish(t.Context(), event); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", says, err)
			}
		}
		canceled, cancel := context.WithCancel(t.Context())
		must(t, p.Close(t.Context()))
		cancel()
		if err := p.Publish(canceled, numbered(1)); err == nil {
			t.Error("published to a closed publisher")
		}
		s.wants(t)
	})
}

// TestTooLarge: a batch that is too large for the server is sent in parts, and an event that is comes back.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := setup(t, ingest.Config{MaxEvents: 30, MaxLine: 100})
	var back []client.Unpublished
	p := overHTTP(t, s.addr, client.PublisherConfig{OnInvalid: func(u client.Unpublished) { back = append(back, u) }})
	long := fmt.Sprintf(`{"n":1,"p":"x","text":%q}`, strings.Repeat("x", 100))
	var want []thing
	for n := range 200 {
		if n == 77 {
			must(t, p.Publish(t.Context(), []byte(long)))
		}
		want = append(want, numbered(n))
		must(t, p.Publish(t.Context(), numbered(n)))
	}
	must(t, p.Close(t.Context()))
	s.wants(t, want...)
	if len(back) != 1 || string(back[0].Event) != long {
		t.Fatalf("%d came back", len(back))
	}
	if problem, ok := errors.AsType[*client.Problem](back[0].Err); !ok || problem.Status != http.StatusRequestEntityTooLarge {
		t.Error(back[0].Err)
	}
	p = overHTTP(t, s.addr, client.PublisherConfig{})
	must(t, p.Publish(t.Context(), []byte(long)))
	if left, ok := errors.AsType[*client.PublishError](p.Close(t.Context())); !ok || len(left.Events) != 1 || !strings.Contains(left.Error(), "(413)") {
		t.Error(left)
	}
}

// TestStored: with Stored, Flush returns when a worker has reported that all is stored.
func TestStored(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		p := start(client.PublisherConfig{Stored: true})
		must(t, p.Publish(t.Context(), numbered(1)))
		soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := p.Flush(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flushed before all is stored: %v", err)
		}
		s.wants(t, numbered(1))
		for shard := range s.contract.Shards {
			s.redis.Do("HSET", stream.Key(s.contract, shard)+":stored", "last", "99999999999999-0")
		}
		must(t, p.Close(t.Context()))
		s.wants(t, numbered(1))
	})
}

// TestFullRedis: a Redis without memory makes the publisher wait, and nothing is lost or there twice.
func TestFullRedis(t *testing.T) {
	t.Parallel()
	onTransports(t, func(t *testing.T, s *site, _ string, start func(client.PublisherConfig) *client.Publisher) {
		waits := make(chan error, 1000)
		p := start(client.PublisherConfig{BatchEvents: 10, OnRetry: func(err error, _ time.Duration) { waits <- err }})
		s.redis.Do("CONFIG", "SET", "maxmemory", "1")
		var want []thing
		for n := range 20 {
			want = append(want, numbered(n))
			must(t, p.Publish(t.Context(), numbered(n)))
		}
		for range 3 {
			if err := <-waits; !strings.Contains(err.Error(), "memory") {
				t.Errorf("waits for %v", err)
			}
		}
		blocked, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var err error
		for n := 20; err == nil; n++ {
			if err = p.Publish(blocked, numbered(n)); err == nil {
				want = append(want, numbered(n))
			}
		}
		if !errors.Is(err, context.DeadlineExceeded) || len(want) > 20 {
			t.Errorf("%d events are taken: %v", len(want), err)
		}
		s.redis.Do("CONFIG", "SET", "maxmemory", "0")
		must(t, p.Close(t.Context()))
		s.wants(t, want...)
	})
}

// TestRedisContract: the registered contract decides, also one that is registered later.
func TestRedisContract(t *testing.T) {
	t.Parallel()
	s := setup(t, ingest.Config{})
	p := overRedis(t, s.redis.Addr(), client.PublisherConfig{})
	const wide = `{"n":1,"p":"p1","wide":true}`
	s.register(t, strings.Replace(things, `"text":`, `"wide": {"type": "boolean"}, "text":`, 1))
	must(t, p.Publish(t.Context(), []byte(wide)))
	must(t, p.Close(t.Context()))
	if got := s.published(t)["p1"]; !slices.Equal(got, []string{wide}) {
		t.Errorf("published %v", got)
	}

	s.redis.Do("FLUSHALL")
	s.register(t, `{"type": "object", "x-estela": {}, "properties": {"n": {"type": "integer"}, "p": {"type": "string"}}}`) // no key, no partition
	p = overRedis(t, s.redis.Addr(), client.PublisherConfig{})
	must(t, p.Publish(t.Context(), numbered(1)))
	must(t, p.Close(t.Context()))
	s.wants(t, numbered(1))

	r, err := client.OpenRedis(t.Context(), client.RedisConfig{URL: s.redis.URL()})
	must(t, err)
	defer r.Close()
	if _, err := r.Publisher(t.Context(), "thing", client.PublisherConfig{}); err == nil || !strings.Contains(err.Error(), "publish to thing: no worker has stored this dataset") {
		t.Error(err)
	}
	s.redis.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	if _, err := client.OpenRedis(t.Context(), client.RedisConfig{URL: s.redis.URL()}); err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Error(err)
	}
}
