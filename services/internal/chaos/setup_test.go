package chaos_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

// patience bounds every wait: on a busy machine with the race detector things
// take long, and what never comes is a fault.
const patience = 90 * time.Second

func TestMain(m *testing.M) {
	if text := os.Getenv(ordersVariable); text != "" {
		os.Exit(obey(text))
	}
	flag.Parse()
	parallel := "6" // these tests wait much more than they compute
	if *keep != "" {
		parallel = "1" // what is kept is measured without company
	}
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		// Fiber's clock, which runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Notices within 10 s that its server has stopped, and ends.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// setting is what a test wants otherwise than by default.
type setting struct {
	shards int
	dedupe string
	// stream is x-estela.stream, for a stream of somebody else.
	stream string
	staged bool
	redis  []redistest.Option
	hook   func(warehouse.Point) error
	// location is the warehouse's file.
	location string
	// apart leaves the warehouse to other processes until openStore.
	apart bool
	// lease and maxCount are the stream reader's.
	lease    time.Duration
	maxCount int
}

// pipeline is a Redis server, a warehouse and what has been published.
type pipeline struct {
	setting
	t        *testing.T
	redis    *redistest.Server
	client   *stream.Client
	contract *contract.Contract
	store    *warehouse.Warehouse
	model    *chaos.Model
	source   *chaos.Source
	owners   int
	// counts is the observer of workers without one.
	counts counts
}

func setup(t *testing.T, s setting) *pipeline {
	t.Helper()
	if s.shards == 0 {
		s.shards = 1
	}
	if s.dedupe == "" {
		s.dedupe = "24h"
	}
	if s.lease == 0 {
		s.lease = 2 * time.Second
	}
	if s.location == "" {
		s.location = filepath.Join(t.TempDir(), "estela.duckdb")
	}
	p := &pipeline{setting: s, t: t, redis: redistest.Start(t, s.redis...), model: chaos.NewModel()}
	p.client = p.connect(p.redis.URL())
	p.source = chaos.NewSource("event", 1, p.model)
	p.contract = load(t, schema(s.shards, s.dedupe, s.stream))
	if !s.apart {
		p.openStore()
	}
	return p
}

// onBackends runs a test on a file and on the stand-in for MotherDuck.
func onBackends(t *testing.T, test func(t *testing.T, staged bool)) {
	t.Helper()
	for name, staged := range map[string]bool{"file": false, "staged": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, staged)
		})
	}
}

// schema is the tests' contract, of a stream of somebody else if one is given.
func schema(shards int, dedupe, stream string) []byte {
	text := chaos.Contract(shards, dedupe)
	if stream == "" {
		return text
	}
	return bytes.Replace(text, []byte(`"shards"`), []byte(`"stream": `+stream+`, "shards"`), 1)
}

func load(t *testing.T, schema []byte) *contract.Contract {
	t.Helper()
	c, err := parse(schema)
	must(t, err)
	return c
}

func parse(schema []byte) (*contract.Contract, error) {
	return contract.Load(fstest.MapFS{"chaos/contract.json": {Data: schema}}, "chaos")
}

func (p *pipeline) config() warehouse.Config {
	return warehouse.Config{Database: database.Config{Location: p.location, MemoryLimit: "1GB", Threads: 2}, Staged: p.staged, Hook: p.hook}
}

func (p *pipeline) openStore() {
	p.t.Helper()
	p.store = warehousetest.Open(p.t, p.config())
	must(p.t, p.store.Register(p.t.Context(), p.contract, "", nil))
}

// connect makes a client of the server, or of a proxy before it.
func (p *pipeline) connect(url string) *stream.Client {
	p.t.Helper()
	client, err := stream.Open(p.t.Context(), stream.Config{URL: url})
	must(p.t, err)
	p.t.Cleanup(func() { must(p.t, client.Close()) })
	return client
}

// running is a worker that runs in this process.
type running struct {
	*worker.Worker
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
}

// work starts a worker, which is stopped at the end of the test at the latest.
func (p *pipeline) work(change ...func(*worker.Config)) *running {
	p.t.Helper()
	p.owners++
	cfg := worker.Config{
		Contracts: []*contract.Contract{p.contract},
		Source:    p.sourceOf(p.client, fmt.Sprintf("%s-%d", p.t.Name(), p.owners)),
		Sink:      p.store,
		Renew:     p.lease / 5, TrimEvery: 50 * time.Millisecond, Backoff: 10 * time.Millisecond,
	}
	if p.owners%2 == 1 {
		cfg.BatchRows = 60 // batches are often full: they split reads, and are prepared while another is committed
	}
	for _, c := range change {
		c(&cfg)
	}
	if cfg.Observer == nil {
		cfg.Observer = &p.counts
	}
	ctx, cancel := context.WithCancel(p.t.Context())
	r := &running{Worker: worker.New(cfg), t: p.t, cancel: cancel, ended: make(chan error, 1)}
	go func() {
		defer close(r.ended)
		if err := r.Run(ctx); err != nil {
			r.ended <- err
		}
	}()
	p.t.Cleanup(func() { r.stop() })
	return r
}

func (p *pipeline) sourceOf(client *stream.Client, owner string) func(*contract.Contract, int) worker.Source {
	return func(c *contract.Contract, shard int) worker.Source {
		return client.Shard(c, shard, owner, stream.ShardConfig{
			Lease: p.lease, Block: 50 * time.Millisecond, MaxCount: p.maxCount,
		})
	}
}

// stop ends the worker as SIGTERM would.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.ended:
		must(r.t, err)
	case <-time.After(patience):
		r.t.Fatalf("the worker does not stop: %+v", r.Status())
	}
}

// owns is how many shards the worker owns.
func (r *running) owns() int {
	n := 0
	for _, s := range r.Status() {
		if s.Owned {
			n++
		}
	}
	return n
}

// drain waits until all that was published is committed.
func (p *pipeline) drain(r *running) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	must(p.t, r.Drained(ctx, p.contract))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: still not after %s", what, patience)
}

// once is a function that calls do at the nth call of all and never again. Calls
// after it do not wait for it.
func once(n int64, do func()) func() {
	var calls atomic.Int64
	return func() {
		if calls.Add(1) == n {
			do()
		}
	}
}

// steps are the worker's steps of a batch, as its hook names them.
var steps = []string{"read", "decoded", "prepared", "committing", "committed"}

// points are the steps of a commit in the warehouse.
var points = []warehouse.Point{warehouse.PointBegun, warehouse.PointWritten, warehouse.PointCommitted}
