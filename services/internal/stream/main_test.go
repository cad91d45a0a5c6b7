package stream_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/embeddedredis"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup starts a real server and a client of it.
func setup(t *testing.T, options ...redistest.Option) (*redistest.Server, *stream.Client) {
	t.Helper()
	server := redistest.Start(t, options...)
	return server, open(t, server.URL())
}

func open(t *testing.T, url string) *stream.Client {
	t.Helper()
	client, err := stream.Open(t.Context(), stream.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// flights is a dataset with so many shards.
func flights(shards int) *contract.Contract {
	return &contract.Contract{Name: "flights", Shards: shards}
}

func shard(t *testing.T, client *stream.Client, cfg stream.ShardConfig) *stream.Shard {
	t.Helper()
	if cfg.Block == 0 {
		cfg.Block = 50 * time.Millisecond
	}
	s := client.Shard(flights(1), 0, t.Name(), cfg)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// backend is a server that the whole Source must work on.
type backend struct {
	name  string
	start func(t *testing.T) (url string)
}

var backends = []backend{
	{"redis-server", func(t *testing.T) string { return redistest.Start(t).URL() }},
	{"embedded", func(t *testing.T) string {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		must(t, err)
		server, err := embeddedredis.Serve(l, 1<<30)
		must(t, err)
		t.Cleanup(server.Close)
		return "redis://" + l.Addr().String()
	}},
}

// onBackends runs a test on every backend.
func onBackends(t *testing.T, test func(t *testing.T, client *stream.Client)) {
	t.Helper()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, b.start(t)))
		})
	}
}

// publish adds events "FIRST".."LAST" as JSON numbers to shard 0.
func publish(t *testing.T, client *stream.Client, first, last int, cfg stream.ProducerConfig) {
	t.Helper()
	p := client.Producer(t.Context(), flights(1), cfg)
	for i := first; i <= last; i++ {
		must(t, p.Add(t.Context(), 0, fmt.Appendf(nil, "%d", i)))
	}
	must(t, p.Close(t.Context()))
}

// drain reads until nothing comes any more and returns the payloads and the last ID.
func drain(t *testing.T, s *stream.Shard) (payloads []string, last event.ID) {
	t.Helper()
	for {
		entries, release, err := s.Read(t.Context())
		must(t, err)
		if len(entries) == 0 {
			return payloads, last
		}
		for _, e := range entries {
			payloads, last = append(payloads, string(e.Payload)), e.ID
		}
		release()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// wantRange checks that payloads are the numbers first..last, each once, in order.
func wantRange(t *testing.T, payloads []string, first, last int) {
	t.Helper()
	want(t, "number of events", len(payloads), last-first+1)
	for i, p := range payloads {
		want(t, "event", strings.TrimSpace(p), fmt.Sprint(first+i))
	}
}

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: still not after 20 s", what)
}

// attach attaches the reader, which must go as asked.
func attach(t *testing.T, s *stream.Shard, epoch int64, after event.ID) {
	t.Helper()
	from, err := s.Attach(t.Context(), epoch, after)
	must(t, err)
	want(t, "reads after", from, after)
}

func attachError(t *testing.T, s *stream.Shard, epoch int64, after event.ID) error {
	t.Helper()
	_, err := s.Attach(t.Context(), epoch, after)
	return err
}
