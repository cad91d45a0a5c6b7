package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/client"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/apitest"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/ingest"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Fiber's clock, which runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Notices within 10 s that its server has stopped, and ends.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// things have no key: what is published twice is there twice.
const things = `{"type": "object", "additionalProperties": false,
	"x-estela": {"partition": "p", "shards": 3}, "required": ["n", "p"],
	"properties": {"n": {"type": "integer", "minimum": 0}, "p": {"type": "string"}, "text": {"type": "string"}}}`

// thing is an event of things.
type thing struct {
	N int    `json:"n"`
	P string `json:"p"`
}

// line is the event as it is in a stream.
func (e thing) line() string { return fmt.Sprintf(`{"n":%d,"p":%q}`, e.N, e.P) }

func numbered(n int) thing { return thing{N: n, P: fmt.Sprint("p", n%7)} }

// site is a server of POST and the Redis behind it.
type site struct {
	redis    *redistest.Server
	stream   *stream.Client
	contract *contract.Contract
	addr     string
}

type publisher struct {
	*stream.Appender
	*stream.StoredWatcher
}

type observer struct{}

func (observer) Posted(string, int, string)                      {}
func (observer) Accepted(string, int, int, int64, time.Duration) {}

// setup serves the POST of things over a Redis of its own, in which their contract is registered.
func setup(t *testing.T, cfg ingest.Config, options ...redistest.Option) *site {
	t.Helper()
	s := &site{redis: redistest.Start(t, options...)}
	var err error
	if s.stream, err = stream.Open(t.Context(), stream.Config{URL: s.redis.URL()}); err != nil {
		t.Fatal(err)
	}
	s.register(t, things)
	to := publisher{s.stream.Appender(), s.stream.StoredWatcher()}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { to.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		to.Close()
		_ = s.stream.Close()
	})
	cfg.Contracts, cfg.Publisher, cfg.Observer, cfg.Logger = []*contract.Contract{s.contract}, to, observer{}, slog.New(slog.DiscardHandler)
	posts, err := ingest.New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(t.Context(), api.Config{Datasets: []endpoint.Dataset{{Name: "things"}}, Logger: cfg.Logger, Ingest: posts})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = apitest.Serve(t, server).Listener.Addr().String()
	return s
}

// register registers a contract of things, as a worker does.
func (s *site) register(t *testing.T, schema string) {
	t.Helper()
	k, err := contract.Parse("things", "contract.json", []byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.stream.RegisterContract(t.Context(), k, []string{k.Version}, true); err != nil {
		t.Fatal(err)
	}
	s.contract = k
}

// transports are the ways of an event to Redis. addr is where the way begins: the server of POST, or Redis.
var transports = []struct {
	name  string
	addr  func(*site) string
	start func(t *testing.T, addr string, cfg client.PublisherConfig) *client.Publisher
}{
	{"http", func(s *site) string { return s.addr }, overHTTP},
	{"redis", func(s *site) string { return s.redis.Addr() }, overRedis},
}

func overHTTP(t *testing.T, addr string, cfg client.PublisherConfig) *client.Publisher {
	t.Helper()
	return dial(t, addr, nil).Publisher(t.Context(), "things", cfg)
}

func dial(t *testing.T, addr string, through http.RoundTripper) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: "http://" + addr, HTTP: &http.Client{Transport: through}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func overRedis(t *testing.T, addr string, cfg client.PublisherConfig) *client.Publisher {
	t.Helper()
	r, err := client.OpenRedis(t.Context(), client.RedisConfig{URL: "redis://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := r.Publisher(t.Context(), "things", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// onTransports runs a test over each way, on a site of its own.
func onTransports(t *testing.T, test func(t *testing.T, s *site, addr string, start func(client.PublisherConfig) *client.Publisher), options ...redistest.Option) {
	t.Helper()
	for _, way := range transports {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, ingest.Config{}, options...)
			addr := way.addr(s)
			test(t, s, addr, func(cfg client.PublisherConfig) *client.Publisher { return way.start(t, addr, cfg) })
		})
	}
}

// published are the events in the streams, by partition.
func (s *site) published(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for shard := range s.contract.Shards {
		entries, _ := s.redis.Do("XRANGE", stream.Key(s.contract, shard), "-", "+").([]any)
		for _, e := range entries {
			payload := e.([]any)[1].([]any)[1].(string)
			for line := range strings.SplitSeq(strings.TrimSuffix(payload, "\n"), "\n") {
				_, p, _ := strings.Cut(line, `"p":"`)
				p, _, _ = strings.Cut(p, `"`)
				all[p] = append(all[p], line)
			}
		}
	}
	return all
}

// wants checks that exactly the events are published, those of a partition in this order.
func (s *site) wants(t *testing.T, events ...thing) {
	t.Helper()
	want := map[string][]string{}
	for _, e := range events {
		want[e.P] = append(want[e.P], e.line())
	}
	got := s.published(t)
	for p := range got {
		if !slices.Equal(got[p], want[p]) {
			t.Errorf("partition %s has %d events\n%.300s\nwant %d\n%.300s", p, len(got[p]), got[p], len(want[p]), want[p])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d partitions, want %d", len(got), len(want))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// roundTripper answers requests without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
