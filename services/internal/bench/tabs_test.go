package bench_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/stream"
)

var tabs = flag.Int("tabs", 10, "pages that BenchmarkTabs keeps open")

// BenchmarkTabs stores backlogs with the shipped program while nobody looks at its page and, in turn, while -tabs pages
// are live: the events a second beside those without, and the frames that a page got a second. Each lap has
// programs of its own, as BenchmarkMachine has.
func BenchmarkTabs(b *testing.B) {
	file := buildProgram(b, "")
	for b.Loop() {
		var rates, costs [2][]float64
		var frames []float64
		for lap := range *laps {
			for i := range 2 {
				i = (i + lap) % 2
				m := newMachine(b, file)
				if i == 1 {
					m.tabs = *tabs
				}
				c := m.store(0, *events, 1)
				rates[i], costs[i] = append(rates[i], c.rate()), append(costs[i], float64(c.total()))
				if i == 1 {
					frames = append(frames, float64(c.frames)/float64(*tabs)/c.wall.Seconds())
				}
				m.close()
			}
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(rates[0]), "events/s")
		b.ReportMetric(median(rates[1])/median(rates[0]), "with/without")
		b.ReportMetric(median(costs[1])/median(costs[0]), "with/without-cpu")
		b.ReportMetric(median(frames), "frames/s")
	}
}

// BenchmarkOverview asks the shipped program for its page, over -mixed-rows rows, first while nothing else happens and
// then while -mixed-rate events a second come: the time until the whole of it has come.
func BenchmarkOverview(b *testing.B) {
	file := buildProgram(b, "")
	for b.Loop() {
		p := launch(b, file, b.TempDir())
		p.awaitReady()
		var err error
		if p.client, err = stream.Open(b.Context(), stream.Config{URL: p.run.Redis}); err != nil {
			b.Fatal(err)
		}
		p.publish(0, *mixedRows)
		p.await(*mixedRows)
		idle := p.look(*mixed / 2)
		var events int
		var writing sync.WaitGroup
		writing.Go(func() { events = p.produce(*mixedRows, *mixed) })
		load := p.look(*mixed)
		writing.Wait()
		p.await(*mixedRows + events)
		b.ReportMetric(0, "ns/op")
		for name, took := range map[string][]time.Duration{"idle": idle, "load": load} {
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name+"-median-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, name+"-p99-ms")
		}
		b.ReportMetric(float64(events)/(*mixed).Seconds(), "events/s")
		p.stop()
	}
}

// look asks for the overview twenty times a second and returns what each took.
func (p *program) look(d time.Duration) (took []time.Duration) {
	p.b.Helper()
	for begun := time.Now(); time.Since(begun) < d; time.Sleep(50 * time.Millisecond) {
		start := time.Now()
		resp, err := http.Get("http://" + p.run.API + "/")
		if err != nil {
			p.b.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			p.b.Fatal(resp.Status, err)
		}
		took = append(took, time.Since(start))
	}
	return took
}

// open keeps so many pages live until close, which returns the frames that they got.
func (p *program) open(n int) (closed func() int64) {
	ctx, cancel := context.WithCancel(p.b.Context())
	var frames atomic.Int64
	var watching sync.WaitGroup
	for range n {
		watching.Go(func() {
			if err := p.follow(ctx, &frames); err != nil && ctx.Err() == nil {
				p.b.Error(err)
			}
		})
	}
	return func() int64 {
		cancel()
		watching.Wait()
		return frames.Load()
	}
}

// follow counts the frames of a live page.
func (p *program) follow(ctx context.Context, frames *atomic.Int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.run.API+"/live", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("live: %s", resp.Status)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "data: ") {
			frames.Add(1)
		}
	}
}
