// Package bench_test measures the pipeline as ratios in one run:
//
//	D  rows a second appended and committed in batches of 10,000, already
//	   decoded: what the warehouse can do
//	R  events a second read with XREADGROUP NOACK and decoded: what the stream
//	   can give
//	E  events a second end to end: from a filled stream to committed rows, with
//	   validation and dedupe
//
// The figures of the README are from
//
//	go test ./internal/bench -run '^$' -bench . -benchtime 1x -events 2000000 -rounds 15 -timeout 60m
//
// and what an event costs, with the program of an earlier revision beside it, from
//
//	go test ./internal/bench -run '^$' -bench Machine -benchtime 1x -events 2000000 -laps 5 -against REVISION -timeout 60m
//
// Without flags the sizes are small, so that the benchmarks can run with every
// change and not rot.
package bench_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

var (
	events = flag.Int("events", 100_000, "events of a backlog")
	rounds = flag.Int("rounds", 2, "backlogs that BenchmarkFlat stores one after the other: with 15 of -events 2000000 there are 30 million keys in the window")
	pace   = flag.Duration("pace", 2*time.Second, "how long BenchmarkFreshness publishes")
)

// flights are the real flights of the sample as JSON events, of which more are
// made by moving them to other years.
var flights = sync.OnceValue(func() [][]byte {
	var docs [][]byte
	dir, err := os.MkdirTemp("", "estela-bench-")
	check(err)
	defer os.RemoveAll(dir)
	sample, err := data.FS.ReadFile("flights/sample.parquet")
	check(err)
	check(os.WriteFile(filepath.Join(dir, "sample.parquet"), sample, 0o600))
	mapping, err := data.FS.ReadFile("flights/mapping.sql")
	check(err)
	airports, err := data.FS.ReadFile("flights/reference/airports.csv")
	check(err)
	file, err := importer.Open(context.Background(), importer.Config{
		Path: filepath.Join(dir, "sample.parquet"), Mapping: string(mapping),
		References: map[string][]byte{"airports": airports},
	})
	check(err)
	defer file.Close()
	check(file.Each(context.Background(), func(d importer.Document) error {
		docs = append(docs, bytes.Clone(d.JSON))
		return d.Problem
	}))
	return docs
})

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// flight is the nth event, different from all others.
func flight(n int) []byte {
	docs := flights()
	doc := docs[n%len(docs)]
	year := strconv.Itoa(2001 + n/len(docs))
	doc = bytes.ReplaceAll(doc, []byte("2001-01-"), []byte(year+"-01-"))
	return bytes.ReplaceAll(doc, []byte("200101"), []byte(year+"01"))
}

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(10) // as cmd/estela does
	var err error
	programs, err = os.MkdirTemp("", "estela-bench-")
	check(err)
	code := m.Run()
	check(os.RemoveAll(programs))
	os.Exit(code)
}

// bed is a Redis server, a warehouse file and the contract of flights.
type bed struct {
	b         *testing.B
	server    *redistest.Server
	redis     *stream.Client
	warehouse *warehouse.Warehouse
	file      string // the warehouse's
	contract  *contract.Contract
}

func newBed(b *testing.B) *bed {
	b.Helper()
	c, err := contract.Load(data.FS, "flights")
	if err != nil {
		b.Fatal(err)
	}
	bd := &bed{b: b, server: redistest.Start(b), contract: c}
	if bd.redis, err = stream.Open(b.Context(), stream.Config{URL: bd.server.URL()}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = bd.redis.Close() })
	bd.openStore()
	return bd
}

func (bd *bed) openStore() {
	bd.b.Helper()
	bd.file = filepath.Join(bd.b.TempDir(), "bench.duckdb")
	bd.open()
}

// open opens the warehouse's file.
func (bd *bed) open() {
	bd.b.Helper()
	var err error
	if bd.warehouse, err = warehouse.Open(bd.b.Context(), warehouse.Config{Database: database.Config{Location: bd.file, MemoryLimit: "256MB"}}); err != nil {
		bd.b.Fatal(err)
	}
	bd.b.Cleanup(func() { _ = bd.warehouse.Close() })
	if err := bd.warehouse.Register(bd.b.Context(), bd.contract, "", nil); err != nil {
		bd.b.Fatal(err)
	}
}

// fill puts events from..from+n-1 into the stream.
func (bd *bed) fill(from, n, perEntry int) {
	bd.b.Helper()
	bd.publish(from, n, stream.ProducerConfig{Batch: perEntry})
}

// publish is fill with a producer's configuration.
func (bd *bed) publish(from, n int, cfg stream.ProducerConfig) {
	bd.b.Helper()
	cfg.HighWater = -1
	p := bd.redis.Producer(bd.b.Context(), bd.contract, cfg)
	for i := range n {
		if err := p.Add(bd.b.Context(), 0, flight(from+i)); err != nil {
			bd.b.Fatal(err)
		}
	}
	if err := p.Close(bd.b.Context()); err != nil {
		bd.b.Fatal(err)
	}
}

// committed is an Observer that collects commits.
type committed struct {
	mu       sync.Mutex
	commits  []time.Duration
	ages     []time.Duration
	largest  int
	dropped  int
	rejected int
}

func (c *committed) Read(string, int)    {}
func (c *committed) Retried(string)      {}
func (c *committed) Loss(string, int64)  {}
func (c *committed) Ahead(string, int64) {}

func (c *committed) Reconciled(string, int64, int64) {}

func (c *committed) Committed(_ string, b *contract.Batch, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.commits = append(c.commits, took)
	c.largest = max(c.largest, b.Rows)
	c.dropped += b.Duplicates
	c.rejected += len(b.Rejects)
	if len(c.ages) < 1_000_000 { // as many as BenchmarkFreshness needs
		for _, ms := range b.MS[:b.Rows] {
			c.ages = append(c.ages, now.Sub(time.UnixMilli(int64(ms))))
		}
	}
}

// startWorker runs a worker until stop is called.
func (bd *bed) startWorker(observer worker.Observer) (w *worker.Worker, stop func()) {
	return bd.startWorkerOn(observer, func(s worker.Source) worker.Source { return s })
}

// startWorkerOn is startWorker with something around its sources.
func (bd *bed) startWorkerOn(observer worker.Observer, wrap func(worker.Source) worker.Source) (w *worker.Worker, stop func()) {
	owner := fmt.Sprint(time.Now().UnixNano())
	w = worker.New(worker.Config{
		Contracts: []*contract.Contract{bd.contract}, Sink: bd.warehouse, Observer: observer,
		Source: func(c *contract.Contract, shard int) worker.Source {
			return wrap(bd.redis.Shard(c, shard, owner, stream.ShardConfig{KeepFor: 24 * time.Hour, KeepMax: 1 << 40}))
		},
	})
	ctx, cancel := context.WithCancel(bd.b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return w, func() {
		cancel()
		if err := <-ended; err != nil {
			bd.b.Error(err)
		}
	}
}

// awaitRows waits until the table has so many rows and returns how long that
// took, without asking so often that it costs anything.
func awaitRows(b *testing.B, w *worker.Worker, c *contract.Contract, rows int64) time.Duration {
	b.Helper()
	start := time.Now()
	for w.Counts(c).Rows < rows {
		if time.Since(start) > 3*time.Minute {
			b.Fatalf("only %d of %d rows after 3 minutes: %+v", w.Counts(c).Rows, rows, w.Status())
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

// awaitOwned waits until the worker owns the shard.
func (bd *bed) awaitOwned(w *worker.Worker) {
	bd.b.Helper()
	start := time.Now()
	for w.Status()[0].Reason != "" {
		if time.Since(start) > time.Minute {
			bd.b.Fatalf("shard not taken over within a minute: %+v", w.Status())
		}
		time.Sleep(time.Millisecond)
	}
}

// endToEnd is the result of measureE.
type endToEnd struct {
	rate float64       // events a second from the moment the worker has the shard
	cpu  time.Duration // of this process, an event
}

// measureE stores the backlog.
func (bd *bed) measureE(n int) (e endToEnd) {
	bd.b.Helper()
	return bd.measureEWith(n, &committed{})
}

// measureEWith is measureE with an observer.
func (bd *bed) measureEWith(n int, observer worker.Observer) (e endToEnd) {
	bd.b.Helper()
	w, stop := bd.startWorker(observer)
	defer stop()
	bd.awaitOwned(w)
	before := cpuTime(bd.b)
	e.rate = float64(n) / awaitRows(bd.b, w, bd.contract, int64(n)).Seconds()
	e.cpu = (cpuTime(bd.b) - before) / time.Duration(n)
	return e
}

// measureR reads and decodes the backlog, in two stages that overlap, and
// returns events a second.
func (bd *bed) measureR(n int) float64 {
	bd.b.Helper()
	source := bd.redis.Shard(bd.contract, 0, "bench", stream.ShardConfig{})
	defer func() { _ = source.Close() }()
	if _, err := source.Attach(bd.b.Context(), 1, event.ID{}); err != nil {
		bd.b.Fatal(err)
	}
	type part struct {
		entries []event.Entry
		release func()
	}
	parts := make(chan part, 1)
	start := time.Now()
	go func() {
		defer close(parts)
		for {
			entries, release, err := source.Read(bd.b.Context())
			if err != nil || len(entries) == 0 {
				return
			}
			parts <- part{entries, release}
		}
	}()
	decoder, batch, rows := bd.contract.NewDecoder(), bd.contract.NewBatch(0, 4096), 0
	for rows < n {
		p, ok := <-parts
		if !ok {
			bd.b.Fatalf("the stream ended after %d of %d events", rows, n)
		}
		for _, e := range p.entries {
			decoder.DecodeEntry(batch, e)
		}
		p.release()
		if batch.Rows >= 10_000 {
			rows += batch.Rows
			batch.Reset()
		} else if rows+batch.Rows >= n {
			rows += batch.Rows
		}
	}
	took := time.Since(start)
	for p := range parts {
		p.release()
	}
	return float64(n) / took.Seconds()
}

// measureD commits decoded rows in batches of the given size and returns rows a
// second.
func (bd *bed) measureD(n, size int) float64 {
	bd.b.Helper()
	bd.openStore()
	decoder := bd.contract.NewDecoder()
	const kept = 8
	batches := make([]*contract.Batch, 0, kept)
	for k := range kept {
		b := bd.contract.NewBatch(0, size)
		for i := range size {
			decoder.Decode(b, flight(k*size+i), event.ID{MS: 1, Seq: uint64(k*size + i)}, 0)
		}
		b.Entries = size
		batches = append(batches, b)
	}
	pos, err := bd.warehouse.TakeOver(bd.b.Context(), bd.contract, 0)
	if err != nil {
		bd.b.Fatal(err)
	}
	start := time.Now()
	for i := range (n + size - 1) / size {
		b := batches[i%kept]
		b.Last = event.ID{MS: uint64(i + 1)}
		if pos, err = bd.warehouse.Commit(bd.b.Context(), pos, b); err != nil {
			bd.b.Fatal(err)
		}
	}
	return float64((n+size-1)/size*size) / time.Since(start).Seconds()
}

// BenchmarkThroughput measures D, R and E with single events and with 50 in an
// entry.
func BenchmarkThroughput(b *testing.B) {
	for _, perEntry := range []int{1, 50} {
		b.Run(fmt.Sprintf("PerEntry=%d", perEntry), func(b *testing.B) {
			for b.Loop() {
				bd := newBed(b)
				bd.fill(0, *events, perEntry)
				d, large := bd.measureD(*events, 10_000), bd.measureD(*events, 122_880)
				r := bd.measureR(*events)
				bd.openStore()
				e := bd.measureE(*events).rate
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(d, "D/s")
				b.ReportMetric(large, "D122880/s")
				b.ReportMetric(r, "R/s")
				b.ReportMetric(e, "E/s")
				b.ReportMetric(e/min(d, r), "E/min(D,R)")
			}
		})
	}
}

// BenchmarkFreshness publishes 5,000 events a second and measures the time from
// the stream's clock to the commit.
func BenchmarkFreshness(b *testing.B) {
	const rate = 5000
	for b.Loop() {
		bd := newBed(b)
		seen := &committed{}
		w, stop := bd.startWorker(seen)
		bd.awaitOwned(w)
		flights() // before the clock starts
		p := bd.redis.Producer(b.Context(), bd.contract, stream.ProducerConfig{Linger: time.Millisecond})
		n := int(pace.Seconds() * rate)
		start := time.Now()
		for i := range n {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / rate)))
			if err := p.Add(b.Context(), 0, flight(i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		awaitRows(b, w, bd.contract, int64(n))
		stop()
		slices.Sort(seen.ages)
		slices.Sort(seen.commits)
		p50, p99 := seen.ages[len(seen.ages)/2], seen.ages[len(seen.ages)*99/100]
		commit := seen.commits[len(seen.commits)/2]
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(p50.Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(commit.Microseconds())/1000, "commit-p50-ms")
		b.ReportMetric(float64(seen.commits[len(seen.commits)*99/100].Microseconds())/1000, "commit-p99-ms")
		b.ReportMetric(float64(seen.commits[len(seen.commits)-1].Microseconds())/1000, "commit-max-ms")
		b.ReportMetric(float64(p99)/float64(commit), "p99/commit-p50")
	}
}

// cpuTime is the processor time that the process has used. Unlike the clock it
// hardly sees what else the machine is doing.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
