package bench_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/usage"
	"github.com/estela-dev/estela/services/internal/worker"
)

var (
	rows  = flag.Int("rows", 100_000, "flights in the table that is read")
	laps  = flag.Int("laps", 1, "times that each side of a ratio is measured, in turn; the median counts")
	burst = flag.Duration("burst", time.Second, "how long wrk asks")
)

// store fills the table with flights by backfill.
func (bd *bed) store(n int) {
	bd.b.Helper()
	const size = 122_880
	decoder, batch := bd.contract.NewDecoder(), bd.contract.NewBatch(0, size)
	pos, err := bd.warehouse.TakeOver(bd.b.Context(), bd.contract, 0)
	if err != nil {
		bd.b.Fatal(err)
	}
	for from := 0; from < n; from += size {
		batch.Reset()
		for i := from; i < min(from+size, n); i++ {
			decoder.Decode(batch, flight(i), event.ID{MS: 1, Seq: uint64(i)}, 0)
		}
		batch.Last = event.ID{MS: 1, Seq: uint64(from + size)}
		if pos, err = bd.warehouse.Commit(bd.b.Context(), pos, batch); err != nil {
			bd.b.Fatal(err)
		}
	}
}

// listen serves on a free port and returns its URL.
func listen(b *testing.B, serve func(net.Listener) error, stop func() error) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	b.Cleanup(func() {
		if err := errors.Join(stop(), <-done); err != nil {
			b.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// serveAPI serves the bundled endpoints and those given (name -> text).
func (bd *bed) serveAPI(extra map[string]string, change ...func(*api.Config)) string {
	bd.b.Helper()
	endpoints, err := endpoint.Load(data.FS, "flights")
	if err != nil {
		bd.b.Fatal(err)
	}
	for name, text := range extra {
		e, err := endpoint.Parse(name+".sql", text)
		if err != nil {
			bd.b.Fatal(err)
		}
		endpoints = append(endpoints, e)
	}
	views, err := data.FS.ReadFile("flights/views.sql")
	if err != nil {
		bd.b.Fatal(err)
	}
	cfg := api.Config{
		Datasets: []endpoint.Dataset{{Name: "flights", Endpoints: endpoints, Views: string(views), Tables: []string{"airports"}}},
		Reader:   bd.warehouse, Logger: slog.New(slog.DiscardHandler), QueryTimeout: time.Minute,
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := api.New(bd.b.Context(), cfg)
	if err != nil {
		bd.b.Fatal(err)
	}
	return listen(bd.b, s.Serve, func() error { return s.Shutdown(context.WithoutCancel(bd.b.Context())) })
}

// newReadBed is a bed with flights in its table.
func newReadBed(b *testing.B) *bed {
	b.Helper()
	bd := newBed(b)
	bd.contract = mustLoad(b, "flights")
	views, err := data.FS.ReadFile("flights/views.sql")
	if err != nil {
		b.Fatal(err)
	}
	airports, err := data.FS.ReadFile("flights/reference/airports.csv")
	if err != nil {
		b.Fatal(err)
	}
	if err := bd.warehouse.Register(b.Context(), bd.contract, string(views), map[string][]byte{"airports": airports}); err != nil {
		b.Fatal(err)
	}
	bd.store(*rows)
	return bd
}

func mustLoad(b *testing.B, name string) *contract.Contract {
	b.Helper()
	c, err := contract.Load(data.FS, name)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// asked is the result of wrk.
type asked struct {
	perSecond float64
	p99       time.Duration
	refused   int     // answers that are neither 2xx nor 3xx
	cpu       float64 // of this process, in seconds a request
}

var (
	wrkRate    = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkTotal   = regexp.MustCompile(`([0-9]+) requests in`)
	wrkP99     = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
	wrkRefused = regexp.MustCompile(`Non-2xx or 3xx responses: ([0-9]+)`)
)

// wrk requests a URL with the headers over 64 connections for the duration of -burst.
func wrk(b *testing.B, target string, headers ...string) asked {
	b.Helper()
	var options []string
	for _, h := range headers {
		options = append(options, "-H", h)
	}
	return runWrk(b, target, options...)
}

// runWrk is wrk with options of its own.
func runWrk(b *testing.B, target string, options ...string) (a asked) {
	b.Helper()
	seconds := strconv.Itoa(max(1, int(burst.Seconds()))) + "s"
	all := append([]string{"-t", "1", "-c", "64", "-d", seconds, "--timeout", "30s", "--latency"}, options...)
	before := cpuTime(b)
	out, err := exec.CommandContext(b.Context(), "wrk", append(all, target)...).CombinedOutput()
	if err != nil {
		b.Fatalf("wrk: %v: %s", err, out)
	}
	a.perSecond, err = strconv.ParseFloat(found(wrkRate, out, "0"), 64)
	if err != nil || a.perSecond == 0 {
		b.Fatalf("wrk counted nothing: %s", out)
	}
	requests, _ := strconv.ParseFloat(found(wrkTotal, out, "0"), 64)
	a.cpu = (cpuTime(b) - before).Seconds() / requests
	if match := wrkP99.FindSubmatch(out); match != nil {
		a.p99, _ = time.ParseDuration(strings.Replace(string(match[1])+string(match[2]), "us", "µs", 1))
	}
	a.refused, _ = strconv.Atoi(found(wrkRefused, out, "0"))
	return a
}

func found(pattern *regexp.Regexp, text []byte, otherwise string) string {
	if match := pattern.FindSubmatch(text); match != nil {
		return string(match[1])
	}
	return otherwise
}

func median[T float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkCached compares answers from the cache, and 304, with a bare fasthttp handler that sends
// the same body: requests/s as ratios, of an open API ("open") and of one with keys, a rate limit,
// metrics and the usual access log, as in production ("keyed"). The ratios of processor time a
// request ("-cpu") hardly see what else the machine is doing.
func BenchmarkCached(b *testing.B) {
	bd := newReadBed(b)
	secret, production := productionConfig(b)
	kinds := []struct {
		name, target string
		headers      []string
	}{
		{"open", bd.serveAPI(nil) + cachedPath, nil},
		{"keyed", bd.serveAPI(nil, production) + cachedPath, []string{"Authorization: Bearer " + secret}},
	}
	body, tag := fetch(b, kinds[1].target, secret)
	bareServer := &fasthttp.Server{Handler: func(c *fasthttp.RequestCtx) {
		c.SetContentType("application/json; charset=utf-8")
		c.Response.SetBodyRaw(body)
	}, CloseOnShutdown: true}
	bare := listen(b, bareServer.Serve, bareServer.Shutdown)
	plain := wrk(b, bare)
	b.Logf("bare: %.0f requests/s, %.2f µs of CPU each", plain.perSecond, plain.cpu*1e6)
	for b.Loop() {
		ratios := map[string][]float64{}
		for range *laps {
			reference := wrk(b, bare)
			for _, k := range kinds {
				for name, headers := range map[string][]string{"cached": k.headers, "304": append(slices.Clone(k.headers), "If-None-Match: "+tag)} {
					a := wrk(b, k.target, headers...)
					if a.refused > 0 {
						b.Fatalf("%d requests were refused", a.refused)
					}
					name = k.name + "-" + name + "/bare"
					ratios[name] = append(ratios[name], a.perSecond/reference.perSecond)
					ratios[name+"-cpu"] = append(ratios[name+"-cpu"], a.cpu/reference.cpu)
				}
			}
		}
		for name, all := range ratios {
			b.ReportMetric(median(all), name)
		}
	}
}

// BenchmarkUsage compares answers from the cache, and 304, of an API as in production that counts its usage with
// one that does not, in turn: requests/s and processor time a request as ratios.
func BenchmarkUsage(b *testing.B) {
	bd := newReadBed(b)
	secret, production := productionConfig(b)
	meter := usage.New(mustLoad(b, "usage"), nil, slog.New(slog.DiscardHandler)) // nothing is published unless it runs
	targets := []string{bd.serveAPI(nil, production) + cachedPath, bd.serveAPI(nil, production, func(cfg *api.Config) {
		cfg.Account = func(a api.Answer) { meter.Add(usage.Answer(a)) }
	}) + cachedPath}
	_, tag := fetch(b, targets[0], secret)
	for b.Loop() {
		ratios := map[string][]float64{}
		for lap := range *laps {
			for name, header := range map[string]string{"cached": "Accept: */*", "304": "If-None-Match: " + tag} {
				var with [2]asked
				for i := range with {
					i = (i + lap) % 2
					with[i] = wrk(b, targets[i], "Authorization: Bearer "+secret, header)
				}
				ratios[name] = append(ratios[name], with[1].perSecond/with[0].perSecond)
				ratios[name+"-cpu"] = append(ratios[name+"-cpu"], with[1].cpu/with[0].cpu)
			}
		}
		for name, all := range ratios {
			b.ReportMetric(median(all), name)
		}
	}
}

// cachedPath is a request whose answer is cached.
const cachedPath = "/v1/flights/departures?airport=ATL&limit=10"

// productionConfig returns what a public API is configured with, a rate limit that is never reached
// included, and the secret of a key.
func productionConfig(b *testing.B) (secret string, change func(*api.Config)) {
	b.Helper()
	secret, key := access.NewKey("bench", []string{"flights"})
	file := filepath.Join(b.TempDir(), "keys.json")
	if err := access.AppendKey(file, key); err != nil {
		b.Fatal(err)
	}
	keys, err := access.LoadKeys(file)
	if err != nil {
		b.Fatal(err)
	}
	return secret, func(cfg *api.Config) {
		cfg.Access, cfg.Rate, cfg.AccessLog, cfg.Observe = &access.Authenticator{Keys: keys}, 100_000_000, "errors", telemetry.New([]string{"flights"}).Request
	}
}

// fetch returns an answer's body and ETag.
func fetch(b *testing.B, target, secret string) (body []byte, tag string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, target, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	body, err = io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("%s: %v: %s", res.Status, err, body)
	}
	return body, res.Header.Get("ETag")
}

// aggregate is a query over the whole table.
const aggregate = "SELECT origin, count(*) AS flights, avg(arrival_delay_minutes) AS delay FROM flights GROUP BY origin ORDER BY flights DESC LIMIT 20"

// BenchmarkUncached compares an aggregate over HTTP with the same statement through
// the bare driver on the same instance: the latency of one after the other.
func BenchmarkUncached(b *testing.B) {
	bd := newReadBed(b)
	base := bd.serveAPI(map[string]string{"aggregate": "-- Aggregate.\n-- param: n number required -- so that none is cached\n" + strings.Replace(aggregate, "GROUP BY", "WHERE $n IS NOT NULL GROUP BY", 1)})
	client := &http.Client{}
	defer client.CloseIdleConnections()
	ask := func(n int) time.Duration {
		start := time.Now()
		res, err := client.Get(fmt.Sprintf("%s/v1/flights/aggregate?n=%d", base, n))
		if err != nil {
			b.Fatal(err)
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("%s %v", res.Status, err)
		}
		return time.Since(start)
	}
	driver := func() time.Duration {
		start := time.Now()
		err := bd.warehouse.Read(b.Context(), aggregate, nil, func(_ time.Time, rows *sql.Rows) error {
			for rows.Next() {
				var origin string
				var flights int64
				var delay sql.NullFloat64
				if err := rows.Scan(&origin, &flights, &delay); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	n := 0
	for b.Loop() {
		var ratios []float64
		for range 10 * *laps {
			n++
			direct, through := driver(), ask(n)
			ratios = append(ratios, through.Seconds()/direct.Seconds())
		}
		b.ReportMetric(median(ratios), "http/driver")
	}
}

// BenchmarkPage compares a page in the middle of an ordered answer over HTTP with the bare
// statement of such a page through the driver: 500 rows behind a key.
func BenchmarkPage(b *testing.B) {
	bd := newReadBed(b)
	const rows = "SELECT flight_id, occurred_at, origin, destination, arrival_delay_minutes FROM flights WHERE "
	base := bd.serveAPI(map[string]string{"pages": "-- Pages.\n-- param: n number required -- so that none is cached\n-- order: occurred_at desc, flight_id desc\n-- limit: rows=500\n" + rows + "$n IS NOT NULL"})
	client := &http.Client{}
	defer client.CloseIdleConnections()
	ask := func(path string) (took time.Duration, next string) {
		start := time.Now()
		res, err := client.Get(base + path)
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		took = time.Since(start)
		var answer struct{ Meta struct{ Next string } }
		if err := errors.Join(err, json.Unmarshal(body, &answer)); err != nil || answer.Meta.Next == "" {
			b.Fatalf("%s %v %s", res.Status, err, body)
		}
		return took, answer.Meta.Next
	}
	driver := func() time.Duration {
		start := time.Now()
		n := 0
		err := bd.warehouse.Read(b.Context(), "SELECT * FROM ("+rows+"true) AS page WHERE occurred_at < '2100-01-01' ORDER BY occurred_at DESC, flight_id DESC LIMIT 501", nil, func(_ time.Time, rows *sql.Rows) error {
			for rows.Next() {
				n++
			}
			return nil
		})
		if err != nil || n != 501 {
			b.Fatal(n, err)
		}
		return time.Since(start)
	}
	n := 0
	for b.Loop() {
		var ratios []float64
		for range 10 * *laps {
			n++
			direct := driver()
			_, cursor := ask(fmt.Sprintf("/v1/flights/pages?limit=500&n=%d", n))
			through, _ := ask(fmt.Sprintf("/v1/flights/pages?limit=500&n=%d&cursor=%s", n, cursor))
			ratios = append(ratios, through.Seconds()/direct.Seconds())
		}
		b.ReportMetric(median(ratios), "http/driver")
	}
}

// paced is a source with a rate limit.
type paced struct {
	worker.Source

	perSecond float64
	start     time.Time
	given     int
}

func (p *paced) Read(ctx context.Context) ([]event.Entry, func(), error) {
	entries, release, err := p.Source.Read(ctx)
	if p.start.IsZero() {
		p.start = time.Now()
	}
	p.given += len(entries)
	due := p.start.Add(time.Duration(float64(p.given) / p.perSecond * float64(time.Second)))
	select {
	case <-time.After(time.Until(due)):
	case <-ctx.Done():
	}
	return entries, release, err
}

// ingest puts the events into the stream and lets a worker store them, at no more
// than a rate unless that is 0, while during runs. It returns events a second.
func (bd *bed) ingest(from int, perSecond float64, during func(ctx context.Context)) float64 {
	bd.b.Helper()
	bd.fill(from, *events, 1)
	wrap := func(s worker.Source) worker.Source { return s }
	if perSecond > 0 {
		wrap = func(s worker.Source) worker.Source { return &paced{Source: s, perSecond: perSecond} }
	}
	w, stop := bd.startWorkerOn(&committed{}, wrap)
	defer stop()
	ctx, cancel := context.WithCancel(bd.b.Context())
	var group sync.WaitGroup
	group.Go(func() { during(ctx) })
	defer group.Wait()
	defer cancel()
	bd.awaitOwned(w)
	return float64(*events) / awaitRows(bd.b, w, bd.contract, int64(*events)).Seconds()
}

// differing is a script for wrk with different requests, so that none is a cache hit.
const differing = `local n = 0
request = function() n = n + 1; return wrk.format("GET", "/v1/flights/aggregate?n=" .. n) end
`

// drain waits until queries of disconnected clients have ended, which would disturb the next
// measurement.
func drain(b *testing.B, base string) {
	b.Helper()
	for status := 0; status != http.StatusOK; {
		res, err := http.Get(base + "/v1/flights/aggregate?n=-1")
		if err != nil {
			b.Fatal(err)
		}
		status = res.StatusCode
		_ = res.Body.Close()
	}
}

// BenchmarkUnderIngestion measures how reads and ingestion disturb each other: the
// 99th percentile of reads while events come at half of what is possible, against
// that of a quiet pipeline, and the rate of ingestion while clients ask for more
// than can be answered, against that without them.
func BenchmarkUnderIngestion(b *testing.B) {
	script := filepath.Join(b.TempDir(), "differing.lua")
	check(os.WriteFile(script, []byte(differing), 0o600))
	for b.Loop() {
		bd := newReadBed(b)
		base := bd.serveAPI(map[string]string{"aggregate": "-- Aggregate.\n-- param: n number required -- n\n" + strings.Replace(aggregate, "GROUP BY", "WHERE $n IS NOT NULL GROUP BY", 1)})
		read := base + "/v1/flights/departures?airport=ATL&limit=10"
		overload := func(ctx context.Context) {
			cmd := exec.CommandContext(ctx, "nice", "wrk", "-t", "1", "-c", "64", "-d", "10m", "-s", script, base)
			_ = cmd.Run() // it is ended with ctx
		}
		var rates, slowed, p99s []float64
		from := *rows
		next := func(perSecond float64, during func(context.Context)) float64 {
			defer func() { from += *events }()
			return bd.ingest(from, perSecond, during)
		}
		for range *laps {
			idle := wrk(b, read)
			alone := next(0, func(context.Context) {})
			var busy asked
			next(alone/2, func(context.Context) { busy = wrk(b, read) })
			rates, slowed = append(rates, alone), append(slowed, next(0, overload)/alone)
			drain(b, base)
			p99s = append(p99s, busy.p99.Seconds()/idle.p99.Seconds())
			if n := busy.refused + idle.refused; n > 0 {
				b.Errorf("%d requests were refused", n)
			}
		}
		b.ReportMetric(median(slowed), "overloaded/alone")
		b.ReportMetric(median(p99s), "busy-p99/idle-p99")
		b.ReportMetric(median(rates), "E")
	}
}
