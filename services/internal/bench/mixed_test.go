package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/stream"
)

var (
	mixed     = flag.Duration("mixed", 3*time.Second, "how long BenchmarkMixed reads and publishes")
	mixedRate = flag.Int("mixed-rate", 20_000, "events a second that BenchmarkMixed publishes")
	mixedRows = flag.Int("mixed-rows", 200_000, "events that BenchmarkMixed stores before it begins")
	binary    = flag.String("binary", "", "the program that BenchmarkMixed starts; built here if none is given")
)

// programFlags are those of the program: production's, on loopback.
var programFlags = []string{"up", "--no-sample", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--log-level", "error"}

// BenchmarkMixed holds the shipped program under all that it may meet at once: events, cached
// reads, slow ones that are all different, large ones, and clients who leave. No answer may be a
// 500 and every event must be stored; reported are the 99th percentile of the cached reads beside
// that of the same reads without load, the process' peak memory and the most that it had in
// unnamed temporary files.
func BenchmarkMixed(b *testing.B) {
	file := *binary
	if file == "" {
		file = buildProgram(b, "")
	}
	for b.Loop() {
		p := launch(b, file, b.TempDir(), "--memory", "512MB")
		p.awaitReady()
		var err error
		if p.client, err = stream.Open(b.Context(), stream.Config{URL: p.run.Redis}); err != nil {
			b.Fatal(err)
		}
		p.publish(0, *mixedRows)
		p.await(*mixedRows)
		idle := p.read(*mixed/5, false)
		var events int
		var writing sync.WaitGroup
		writing.Go(func() { events = p.produce(*mixedRows, *mixed) })
		watched := p.watch(b)
		load := p.read(*mixed, true)
		writing.Wait()
		p.await(*mixedRows + events)
		memory, temporary := watched()
		b.ReportMetric(float64(idle.p99().Microseconds())/1000, "idle-p99-ms")
		b.ReportMetric(float64(load.p99().Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(load.p99())/float64(idle.p99()), "p99-ratio")
		b.ReportMetric(float64(memory)/(1<<20), "peak-MiB")
		b.ReportMetric(float64(temporary)/(1<<20), "temp-MiB")
		b.ReportMetric(float64(events)/(*mixed).Seconds(), "events/s")
		b.Logf("answers by kind and status: %v", load.statuses)
		for status, n := range load.statuses {
			if strings.HasSuffix(status, " 500") {
				b.Errorf("%d answers were %s", n, status)
			}
		}
		p.stop()
	}
}

// program is 'estela up' in a process of its own.
type program struct {
	b      *testing.B
	dir    string
	cmd    *exec.Cmd
	said   bytes.Buffer
	client *stream.Client
	run    struct{ Redis, API, Ops string }
}

// launch starts the program in a data directory.
func launch(b *testing.B, file, dir string, args ...string) *program {
	b.Helper()
	p := &program{b: b, dir: dir}
	p.cmd = exec.CommandContext(b.Context(), file, slices.Concat(programFlags, args, []string{"--data-dir", dir})...)
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, &p.said
	p.cmd.Env = append(os.Environ(), "TMPDIR="+b.TempDir(), "ESTELA_BENCH_PROFILE="+p.profile())
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return p
}

func (p *program) awaitReady() {
	p.b.Helper()
	p.until("it runs", func() bool {
		text, err := os.ReadFile(filepath.Join(p.dir, "run.json"))
		return err == nil && json.Unmarshal(text, &p.run) == nil && p.status("http://"+p.run.Ops+"/readyz") == http.StatusOK
	})
}

func (p *program) until(what string, ok func() bool) {
	p.b.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) || p.b.Context().Err() != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
			p.b.Fatalf("%s: still not\n%s", what, &p.said)
		}
	}
}

func (p *program) stop() {
	p.b.Helper()
	if p.client != nil {
		_ = p.client.Close()
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.b.Errorf("the program ended with %v\n%s", err, &p.said)
	}
}

func (p *program) publish(from, n int) {
	p.b.Helper()
	(&bed{b: p.b, redis: p.client, contract: &contract.Contract{Name: "flights", Shards: 1}}).publish(from, n, stream.ProducerConfig{})
}

// produce publishes at the rate for that long and returns how many events that were.
func (p *program) produce(from int, d time.Duration) (n int) {
	producer := p.client.Producer(p.b.Context(), &contract.Contract{Name: "flights", Shards: 1}, stream.ProducerConfig{})
	for begun := time.Now(); time.Since(begun) < d; time.Sleep(5 * time.Millisecond) {
		for due := int(time.Since(begun).Seconds() * float64(*mixedRate)); n < due; n++ {
			if err := producer.Add(p.b.Context(), 0, flight(from+n)); err != nil {
				p.b.Error(err)
				return n
			}
		}
	}
	if err := producer.Close(p.b.Context()); err != nil {
		p.b.Error(err)
	}
	return n
}

// await waits until so many events are stored.
func (p *program) await(n int) {
	p.b.Helper()
	p.until("all is stored", func() bool { return p.stored() == n })
}

// stored is how many events the program says it has stored, -1 if it does not.
func (p *program) stored() int {
	resp, err := http.Get("http://" + p.run.Ops + "/metrics")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return -1
	}
	return stored(string(text))
}

func stored(metrics string) int {
	for line := range strings.Lines(metrics) {
		if value, ok := strings.CutPrefix(line, `estela_events_total{dataset="flights",outcome="stored"} `); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int(n)
		}
	}
	return -1
}

func (p *program) status(url string) int {
	resp, err := http.Get(url)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// reads is the result of the readers.
type reads struct {
	mu       sync.Mutex
	fast     []time.Duration
	statuses map[string]int
}

func (r *reads) p99() time.Duration {
	slices.Sort(r.fast)
	return r.fast[len(r.fast)*99/100]
}

// fast are the cached reads; each other kind makes a request of its own of a number.
var (
	fast  = []string{"delays", "departures?airport=ATL", "airports", "routes"}
	kinds = map[string]func(n int) string{
		"slow": func(n int) string { return "punctuality?by=route&min_flights=" + strconv.Itoa(1+n) },
		"large": func(n int) string {
			return "events?limit=10000&format=csv&until=" + strconv.Itoa(2100+n) + "-01-01T00:00:00Z"
		},
		"cancelled": func(n int) string { return "punctuality?by=day&min_flights=" + strconv.Itoa(1+n) },
	}
)

// read asks 50 times a second: with load, 35 of them cached, and 5 of each kind.
func (p *program) read(d time.Duration, load bool) *reads {
	r := &reads{statuses: map[string]int{}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var all sync.WaitGroup
	for begun, n := time.Now(), 0; time.Since(begun) < d; n++ {
		<-tick.C
		kind := []string{"slow", "large", "cancelled"}[n%3]
		if !load || n%10 < 7 {
			kind = "fast"
		}
		all.Go(func() { p.ask(r, kind, n) })
	}
	all.Wait()
	return r
}

func (p *program) ask(r *reads, kind string, n int) {
	path, patience := fast[n%len(fast)], time.Minute
	if of := kinds[kind]; of != nil {
		path = of(n)
	}
	if kind == "cancelled" {
		patience = 100 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(p.b.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.run.API+"/v1/flights/"+path, nil)
	if err != nil {
		p.b.Error(err)
		return
	}
	start := time.Now()
	resp, err := http.DefaultClient.Do(req)
	status := "left"
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		status = strconv.Itoa(resp.StatusCode)
	}
	took := time.Since(start)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		status = "broken"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses[kind+" "+status]++
	if kind == "fast" {
		r.fast = append(r.fast, took)
	}
}

// watch samples the process until the returned function is called, which returns the maxima in bytes.
func (p *program) watch(b *testing.B) func() (memory, temporary int64) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	var memory, temporary int64
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			memory, temporary = max(memory, resident(p.cmd.Process.Pid)), max(temporary, unnamed(p.cmd.Process.Pid))
		}
	})
	return func() (int64, int64) {
		cancel()
		watching.Wait()
		return memory, temporary
	}
}

// resident returns a process' resident memory in bytes, 0 without /proc.
func resident(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var size, pages int64
	_, _ = fmt.Sscan(string(text), &size, &pages)
	return pages * int64(os.Getpagesize())
}

// unnamed returns the size in bytes of the deleted files that a process has open.
func unnamed(pid int) (sum int64) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		link, err := os.Readlink(filepath.Join(dir, f.Name()))
		if info, e := os.Stat(filepath.Join(dir, f.Name())); err == nil && e == nil && strings.HasSuffix(link, "(deleted)") {
			sum += info.Size()
		}
	}
	return sum
}
