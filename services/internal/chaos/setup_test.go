package chaos_test

import (
	"context"
	"database/sql"
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
	// These tests wait much more than they compute.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// setting is what a test wants otherwise than by default.
type setting struct {
	shards int
	dedupe string
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
	p.contract = load(t, chaos.Contract(s.shards, s.dedupe))
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
	return warehouse.Config{Location: p.location, Staged: p.staged, Hook: p.hook, MemoryLimit: "1GB", Threads: 2}
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
	err    error
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
	for _, c := range change {
		c(&cfg)
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
		return client.Shard(c.Name, shard, owner, stream.ShardConfig{
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

// owns is how many shards the worker carries.
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

// publish publishes n events of the source and waits until they are acknowledged.
func (p *pipeline) publish(n int, cfg ...stream.ProducerConfig) {
	p.t.Helper()
	producer := p.producer(p.client, cfg...)
	for range n {
		p.next(producer)
	}
	must(p.t, producer.Close(p.t.Context()))
}

func (p *pipeline) producer(client *stream.Client, cfg ...stream.ProducerConfig) *stream.Producer {
	return client.Producer(p.t.Context(), p.contract.Name, p.shards, append(cfg, stream.ProducerConfig{})[0])
}

// next hands the source's next event to the producer.
func (p *pipeline) next(producer *stream.Producer) {
	payload, key := p.source.Next()
	if err := producer.Add(p.t.Context(), contract.Shard(key, p.shards), payload); err != nil {
		p.t.Error(err)
	}
}

// send publishes these payloads to shard 0, in one entry or in one each.
func (p *pipeline) send(batch int, payloads ...[]byte) {
	p.t.Helper()
	producer := p.producer(p.client, stream.ProducerConfig{Batch: batch})
	for _, payload := range payloads {
		must(p.t, producer.Add(p.t.Context(), 0, payload))
	}
	must(p.t, producer.Close(p.t.Context()))
}

// publishing publishes bursts, single events and batch entries in turn, until
// stop is called, which returns when all is acknowledged.
func (p *pipeline) publishing(client *stream.Client, burst int, every time.Duration) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for round := 0; ; round++ {
			producer := p.producer(client, stream.ProducerConfig{Batch: 1 + round%2*19, Linger: 5 * time.Millisecond})
			for range burst {
				p.next(producer)
			}
			if err := producer.Close(p.t.Context()); err != nil {
				p.t.Error(err)
				return
			}
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(quit)
		select {
		case <-done:
		case <-time.After(patience):
			p.t.Error("the producer does not finish")
		}
	}
}

// add puts one entry into shard 0 under an ID of the test's choice.
func (p *pipeline) add(id contract.ID, payload []byte) {
	p.t.Helper()
	p.redis.Do("XADD", p.key(0), id.String(), "event", payload)
}

func (p *pipeline) key(shard int) string { return stream.Key(p.contract.Name, shard) }

// verify compares what is stored with what was published.
func (p *pipeline) verify() {
	p.t.Helper()
	p.check(false)
}

// verifyResent is verify where the producer had to send a second time.
func (p *pipeline) verifyResent() {
	p.t.Helper()
	p.check(true)
}

func (p *pipeline) check(resent bool) {
	p.t.Helper()
	if err := p.model.Check(p.stored(), resent); err != nil {
		p.t.Fatal(err)
	}
}

// stored reads the tables.
func (p *pipeline) stored() chaos.Stored {
	p.t.Helper()
	got := chaos.Stored{Rows: make(map[chaos.Event]int), Rejects: make(map[string]int)}
	p.query(`SELECT id, epoch_us("at"), n, text, count(*) FROM chaos GROUP BY ALL`, func(rows *sql.Rows) error {
		var e chaos.Event
		var n int
		err := rows.Scan(&e.ID, &e.At, &e.N, &e.Text, &n)
		got.Rows[e] += n
		return err
	})
	p.query("SELECT payload, count(*) FROM warehouse.estela.rejects GROUP BY ALL", func(rows *sql.Rows) error {
		var payload []byte
		var n int
		err := rows.Scan(&payload, &n)
		got.Rejects[string(payload)] += n
		return err
	})
	return got
}

func (p *pipeline) query(query string, each func(*sql.Rows) error) {
	p.t.Helper()
	must(p.t, p.store.Read(p.t.Context(), query, nil, func(_ time.Time, rows *sql.Rows) error {
		for rows.Next() {
			if err := each(rows); err != nil {
				return err
			}
		}
		return nil
	}))
}

// number is a query's one answer.
func (p *pipeline) number(query string) (n int64) {
	p.t.Helper()
	p.query(query, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n
}

// position is the stored position of a shard.
func (p *pipeline) position(shard int) contract.Position {
	p.t.Helper()
	pos, _, err := p.store.Position(p.t.Context(), p.contract, shard)
	must(p.t, err)
	return pos
}

// state is how the stream of a shard stands.
func (p *pipeline) state(shard int) contract.StreamState {
	p.t.Helper()
	state, err := p.client.Shard(p.contract.Name, shard, "look", stream.ShardConfig{}).State(p.t.Context())
	must(p.t, err)
	return state
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
var steps = []string{"read", "decoded", "committing", "committed"}

// points are the steps of a commit in the warehouse.
var points = []warehouse.Point{warehouse.PointBegun, warehouse.PointWritten, warehouse.PointCommitted}
