package chaos_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

var keep = flag.String("report", "", "write what TestChaosReport measures to `FILE`, one fault after the other")

const (
	// reportRate is the load in events a second: what a worker does in its sleep, so
	// that what is late is late because of the fault.
	reportRate = 200
	// outage is how long a fault lasts that somebody else must end. It is longer than
	// events may take, so that it costs something.
	outage = 8 * time.Second
	// productLease is how long the lease of a worker that was killed outlives it: the
	// default of the stream reader, and what cmd/estela sets.
	productLease = 15 * time.Second
	// recoveryBound is far beyond a lease or an outage, for machines that are busy.
	recoveryBound = time.Minute
)

// scene is a pipeline under load and what it can be hurt with.
type scene struct {
	*pipeline
	file string // the program
	dir  string // the worker's files

	watch    *watch
	worker   *program                   // nil where workers run in this process
	proxies  map[*redistest.Proxy]int64 // each with the bytes of replies that it passes in a short while
	produced *stream.Client             // the producer's
	gate     chaos.Gate                 // of the first worker in this process
	finish   func()                     // stops the workers
}

// fault is something that happens to a pipeline.
type fault struct {
	name string
	// begin starts the workers; default: one, the program.
	begin func(s *scene)
	// happen does it and returns when it is over, though not when it is overcome.
	happen func(s *scene)
	// disk makes the folder of the worker's files.
	//
	// Default: one of the test's.
	disk func(t *testing.T) string
}

func faults() []fault {
	return []fault{
		{name: "worker killed and started again", happen: func(s *scene) {
			s.worker.end(syscall.SIGKILL)
			s.worker.start()
		}},
		{name: "worker frozen and another takes over", begin: (*scene).beginPair, happen: func(s *scene) { s.gate.Shut() }},
		{name: "worker stopped and let go on", happen: func(s *scene) {
			s.worker.signal(syscall.SIGSTOP)
			time.Sleep(outage)
			s.worker.signal(syscall.SIGCONT)
		}},
		{name: "Redis killed and started again", happen: func(s *scene) {
			s.redis.Kill()
			time.Sleep(outage)
			s.redis.Restart()
		}},
		{name: "Redis full until given room", happen: func(s *scene) {
			s.redis.Do("CONFIG", "SET", "maxmemory", "1mb")
			time.Sleep(outage)
			s.redis.Do("CONFIG", "SET", "maxmemory", "0")
		}},
		{name: "connections cut mid reply", begin: (*scene).beginBehindProxies, happen: func(s *scene) {
			random := rand.New(rand.NewPCG(8, 9))
			for range 10 {
				for proxy, most := range s.proxies {
					cut(s.t, proxy, random.Int64N(most))
				}
			}
		}},
		{name: "500 poison events at once", happen: func(s *scene) {
			poison := chaos.NewSource("poison", 2, s.model)
			poison.Poison = 1
			payloads := make([][]byte, 500)
			for i := range payloads {
				payloads[i], _ = poison.Next()
			}
			s.send(1, payloads...)
		}},
	}
}

// TestChaosReport measures what each fault costs in the terms of the objectives: until
// it shows, until it is overcome, how many events were late, how many lost. It asserts
// that none was lost and that recovery takes less than recoveryBound, no other time.
func TestChaosReport(t *testing.T) {
	t.Parallel()
	file := build(t)
	all := append(faults(), diskFaults()...)
	r := chaos.Report{
		Date: time.Now().Format(time.DateOnly), Machine: machine(t),
		Command: "cd services && go test ./internal/chaos -run 'TestChaosReport$' -report results/DATE.json",
		Rate:    reportRate, Outage: chaos.SecondsOf(outage), Lease: chaos.SecondsOf(productLease),
		Faults: make([]chaos.Cost, len(all)),
	}
	t.Cleanup(func() { keepReport(t, &r) }) // when the faults, which are parallel, are through
	for i, f := range all {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			r.Faults[i] = f.measure(t, file)
		})
	}
}

// keepReport prints the report and, if that was asked for, writes it to a file.
func keepReport(t *testing.T, r *chaos.Report) {
	t.Helper()
	if t.Failed() {
		return
	}
	t.Logf("\n%s", r.Table())
	must(t, r.Check())
	if *keep != "" {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false) // people read the command
		e.SetIndent("", "  ")
		must(t, e.Encode(r))
		must(t, os.WriteFile(*keep, text.Bytes(), 0o644))
	}
}

// machine says what the figures were measured on.
func machine(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "redis-server", "--version").Output()
	must(t, err)
	_, server, _ := strings.Cut(string(out), "v=")
	server, _, _ = strings.Cut(server, " ")
	return fmt.Sprintf("%d cores, %s/%s, redis-server %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, server)
}

// measure runs a pipeline under load, lets the fault happen and counts.
func (f fault) measure(t *testing.T, file string) chaos.Cost {
	s := &scene{
		pipeline: setup(t, setting{apart: true, lease: productLease, redis: []redistest.Option{redistest.WithAOF()}}),
		file:     file,
	}
	s.source.Poison, s.source.Repeat = 0, 0
	if s.dir = s.t.TempDir(); f.disk != nil {
		s.dir = f.disk(t)
	}
	s.location = s.dir + "/estela.duckdb"
	s.produced = s.client
	if f.begin == nil {
		f.begin = (*scene).beginProgram
	}
	f.begin(s)
	eventually(t, "the worker is well", func() bool { return s.watch.well(t.Context()) })
	if left := s.redis.Do("PTTL", s.key(0)+":lease").(int64); left > productLease.Milliseconds() || left < productLease.Milliseconds()/2 {
		t.Errorf("a lease that was just taken lasts %d ms more, want about %s", left, productLease)
	}
	stop := s.load()
	time.Sleep(time.Second)
	s.watch.begin(t)
	time.Sleep(time.Second)

	began := time.Now()
	f.happen(s)
	over := time.Now()
	s.awaitWell()
	signs := s.watch.since(began)
	s.watch.end()
	stop()
	time.Sleep(time.Second) // for the last events: what is stored after this is stored by another worker
	s.finish()
	return s.count(f.name, began, over, signs)
}

// awaitWell waits until a worker is well for a second on end.
func (s *scene) awaitWell() {
	s.t.Helper()
	since := time.Now()
	eventually(s.t, "the worker is well again", func() bool {
		if !s.watch.well(s.t.Context()) {
			since = time.Now()
		}
		time.Sleep(lookEvery)
		return time.Since(since) > time.Second
	})
}

// count reads from the table what became of the events, and fails the test if one was
// lost or recovery took too long.
func (s *scene) count(name string, began, over time.Time, signs []chaos.Sign) chaos.Cost {
	s.t.Helper()
	if s.store == nil {
		s.openStore()
	}
	s.drain(s.work())
	got := s.stored()
	rows, rejects := s.model.Size()
	c := chaos.Cost{Fault: name, Signs: signs, Published: rows + rejects, Lost: s.model.Missing(got)}
	for _, n := range got.Rows {
		c.Stored += n
	}
	for _, n := range got.Rejects {
		c.Rejected += n
	}
	var first, last sql.NullInt64
	// A row has the time at which its commit began; a commit takes milliseconds.
	s.query(fmt.Sprintf(`WITH events AS (
			SELECT epoch_us(_ingested_at) AS committed, _stream_ms AS published, epoch_us("at") AS made FROM chaos)
		SELECT min(committed) FILTER (published > %[1]d), max(committed) FILTER (committed - 1000 * published > %[2]d),
			count(*) FILTER (committed - 1000 * published > %[2]d), count(*) FILTER (committed - made > %[2]d)
		FROM events`, over.UnixMilli(), chaos.FreshWithin.Microseconds()), func(rows *sql.Rows) error {
		return rows.Scan(&first, &last, &c.Late, &c.Waited)
	})
	if !first.Valid {
		s.t.Fatal("no event published after the fault is stored")
	}
	took := time.UnixMicro(max(first.Int64, last.Int64)).Sub(began)
	c.Recovered = chaos.SecondsOf(took)
	if took > recoveryBound {
		s.t.Errorf("recovery took %s, want less than %s", took, recoveryBound)
	}
	if c.Lost > 0 {
		s.t.Errorf("%d of %d events were lost", c.Lost, c.Published)
	}
	s.verifyResent()
	return c
}

// load publishes steadily until stop is called, which returns when all is
// acknowledged. What a fault holds up is published as soon as can be.
func (s *scene) load() (stop func()) {
	quit, done := make(chan struct{}), make(chan error, 1)
	producer := s.producer(s.produced, stream.ProducerConfig{Linger: 5 * time.Millisecond})
	go func() {
		start := time.Now()
		for i := 0; ; i++ {
			select {
			case <-quit:
				done <- producer.Close(s.t.Context())
				return
			case <-time.After(time.Until(start.Add(time.Duration(i) * time.Second / reportRate))):
				s.next(producer)
			}
		}
	}()
	return func() {
		s.t.Helper()
		close(quit)
		select {
		case err := <-done:
			must(s.t, err)
		case <-time.After(patience):
			s.t.Fatal("the producer does not finish")
		}
	}
}

func (s *scene) beginProgram() { s.beginProgramOn(s.redis.URL()) }

func (s *scene) beginProgramOn(redis string) {
	s.worker = s.newProgram(s.file, redis, s.dir)
	s.watch = newWatch(s.worker.url())
	s.finish = func() { s.worker.end(syscall.SIGTERM) }
}

func (s *scene) beginBehindProxies() {
	toWorker, toProducer := redistest.NewProxy(s.t, s.redis.Addr()), redistest.NewProxy(s.t, s.redis.Addr())
	s.proxies = map[*redistest.Proxy]int64{toWorker: 20_000, toProducer: 1000}
	s.produced = s.connect(toProducer.URL())
	s.beginProgramOn(toWorker.URL())
}

// beginPair starts two workers in this process, for a DuckDB file admits no second
// one. Each shows what the program would; the first, once frozen, shows nothing.
func (s *scene) beginPair() {
	s.openStore()
	other := warehousetest.Another(s.t, s.store)
	renew := func(cfg *worker.Config) { cfg.Renew = s.lease / 3 }
	first, firstURL := s.observed(&s.gate, renew, func(cfg *worker.Config) {
		source := cfg.Source
		cfg.Source = func(c *contract.Contract, shard int) worker.Source { return s.gate.Source(source(c, shard)) }
		cfg.Hook = func(string) { s.gate.Pass() }
	})
	eventually(s.t, "the first owns the shard", func() bool { return first.owns() == 1 })
	second, secondURL := s.observed(new(chaos.Gate), renew, func(cfg *worker.Config) { cfg.Sink = other })
	s.watch = newWatch(firstURL, secondURL)
	s.t.Cleanup(s.gate.Open)
	s.finish = func() {
		s.gate.Open()
		eventually(s.t, "the first knows that it was replaced", func() bool { return first.owns() == 0 })
		second.stop()
		first.stop()
	}
}

// observed is a worker in this process with an ops listener.
func (s *scene) observed(gate *chaos.Gate, change ...func(*worker.Config)) (w *running, url string) {
	m := telemetry.New([]string{s.contract.Name})
	w = s.work(append(change, func(cfg *worker.Config) { cfg.Observer = m })...)
	m.Gauges(func() (all []telemetry.Shard) {
		for _, st := range w.Status() {
			all = append(all, telemetry.Shard{Dataset: st.Dataset, Number: st.Shard, Owned: st.Owned, Oldest: st.Oldest})
		}
		return all
	})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		if s := w.Status()[0]; s.Failing() {
			http.Error(rw, s.Reason, http.StatusServiceUnavailable)
		}
	})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		gate.Pass()
		mux.ServeHTTP(rw, r)
	}))
	s.t.Cleanup(func() {
		gate.Open() // or who waits at it is waited for
		server.Close()
	})
	return w, server.URL
}
