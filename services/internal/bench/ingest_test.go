package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/ingest"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/stream"
)

// perPost is how many events a request has.
const perPost = 50

// accepted counts the events of POSTs.
type accepted struct{ events, bytes atomic.Int64 }

func (a *accepted) Posted(string, int, string) {}
func (a *accepted) Accepted(_ string, events, _ int, bytes int64, _ time.Duration) {
	a.events.Add(int64(events))
	a.bytes.Add(bytes)
}

// servePosts serves POST of flights.
func (bd *bed) servePosts(observer ingest.Observer) string {
	bd.b.Helper()
	to := struct {
		*stream.Appender
		*stream.StoredWatcher
	}{bd.redis.Appender(), bd.redis.StoredWatcher()}
	ctx, cancel := context.WithCancel(bd.b.Context())
	var watching sync.WaitGroup
	watching.Go(func() { to.Run(ctx) })
	bd.b.Cleanup(func() {
		cancel()
		watching.Wait()
		to.Close()
	})
	posts, err := ingest.New(ctx, ingest.Config{Contracts: []*contract.Contract{bd.contract}, Publisher: to, Observer: observer, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		bd.b.Fatal(err)
	}
	s, err := api.New(bd.b.Context(), api.Config{Datasets: []endpoint.Dataset{{Name: "flights"}}, Logger: slog.New(slog.DiscardHandler), Ingest: posts})
	if err != nil {
		bd.b.Fatal(err)
	}
	return listen(bd.b, s.Serve, func() error { return s.Shutdown(context.WithoutCancel(bd.b.Context())) }) + "/v1/flights/events"
}

// posts is a script for wrk that sends the events of the file, so many a request, again and again; fresh: each
// request's are new ones of another year.
func (bd *bed) posts(file string, perRequest int, fresh bool) string {
	bd.b.Helper()
	script := filepath.Join(bd.b.TempDir(), "post.lua")
	change := "requests[n] = requests[n] or wrk.format(\"POST\", nil, headers, bodies[n])\n  return requests[n]"
	if fresh {
		change = `return wrk.format("POST", nil, headers, (bodies[n]:gsub("2001", string.format("%04d", 2100 + count % 7000))))`
	}
	check(os.WriteFile(script, fmt.Appendf(nil, `local bodies, requests, lines = {}, {}, {}
for line in io.lines(%q) do
  lines[#lines + 1] = line
  if #lines == %d then bodies[#bodies + 1] = table.concat(lines, "\n"); lines = {} end
end
local count, headers = 0, {["Content-Type"] = "application/x-ndjson"}
request = function()
  count = count + 1
  local n = count %% #bodies + 1
  %s
end
`, file, perRequest, change), 0o600))
	return script
}

// ndjson is a file of events.
func (bd *bed) ndjson(n int) string {
	bd.b.Helper()
	var all bytes.Buffer
	for i := range n {
		all.Write(flight(i))
		all.WriteByte('\n')
	}
	file := filepath.Join(bd.b.TempDir(), "events.ndjson")
	check(os.WriteFile(file, all.Bytes(), 0o600))
	return file
}

// publishFile is 'estela publish' of the file, and returns events a second.
func (bd *bed) publishFile(file string, batch int) float64 {
	bd.b.Helper()
	ctx, start := bd.b.Context(), time.Now()
	input, err := importer.Open(ctx, importer.Config{Path: file, Shape: bd.contract.Shape()})
	check(err)
	defer input.Close()
	checker := intake.NewChecker(&dataset.Dataset{Contract: bd.contract}, intake.NewProgress(io.Discard, "", -1), io.Discard)
	p := intake.NewPublisher(ctx, bd.redis, checker, intake.Config{ProducerConfig: stream.ProducerConfig{Batch: batch, HighWater: -1}})
	check(input.Each(ctx, p.Send))
	check(p.Close(ctx))
	return float64(p.Sent()) / time.Since(start).Seconds()
}

// BenchmarkIngest compares events by POST, 50 a request over 64 connections, with 'estela publish' of the same
// events, one an entry as it does by default and 50 as the POST does: events/s as ratios. wrk, which makes the
// requests, is on the same machine; there is no worker.
func BenchmarkIngest(b *testing.B) {
	bd := newBed(b)
	file := bd.ndjson(*events)
	var counted accepted
	url := bd.servePosts(&counted)
	script := bd.posts(file, perPost, false)
	for b.Loop() {
		var single, packed, rates []float64
		for range *laps {
			bd.server.Do("FLUSHALL")
			one := bd.publishFile(file, 1)
			bd.server.Do("FLUSHALL")
			many := bd.publishFile(file, perPost)
			bd.server.Do("FLUSHALL")
			before := counted.events.Load()
			load := runWrk(b, url, "-s", script)
			if load.refused > 0 || counted.events.Load() == before {
				b.Fatalf("%d requests were refused", load.refused)
			}
			rate := load.perSecond * perPost
			rates, single, packed = append(rates, rate), append(single, rate/one), append(packed, rate/many)
		}
		b.ReportMetric(median(single), "post/publish")
		b.ReportMetric(median(packed), "post/publish-batch-50")
		b.ReportMetric(median(rates), "events/s")
	}
}

// BenchmarkStored measures POSTs with durability=stored over 64 connections: the 99th percentile of their
// time, and what it may be: twice the median commit and 20 ms.
func BenchmarkStored(b *testing.B) {
	bd := newBed(b)
	file := bd.ndjson(10_000)
	url := bd.servePosts(&accepted{}) + "?durability=stored"
	script := bd.posts(file, 1, true)
	for b.Loop() {
		var p99s, commits []time.Duration
		for range *laps {
			observer := &committed{}
			w, stop := bd.startWorker(observer)
			bd.awaitOwned(w)
			load := runWrk(b, url, "-s", script)
			stop()
			if load.refused > 0 {
				b.Fatalf("%d requests were refused", load.refused)
			}
			p99s, commits = append(p99s, load.p99), append(commits, median(observer.commits))
		}
		p99, commit := median(p99s), median(commits)
		b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(commit.Microseconds())/1000, "commit-p50-ms")
		b.ReportMetric(p99.Seconds()/(2*commit+20*time.Millisecond).Seconds(), "p99/allowed")
	}
}
