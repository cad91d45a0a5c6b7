package page_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/page"
)

// flowing is a pipeline whose state is a function of the samples that were taken.
type flowing struct {
	taken atomic.Int64
	// datasets are as many as it has, each of four shards.
	datasets int
	findings []page.Finding
}

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (f *flowing) Findings(context.Context) []page.Finding { return f.findings }

func (f *flowing) Sample(context.Context) page.Sample {
	n := f.taken.Add(1)
	s := page.Sample{At: began.Add(time.Duration(n) * time.Second), Objectives: []page.Objective{
		{Title: "Events are queryable within 5 s", Target: 0.99, Good: 2_000_000 - 3_210, Total: 2_000_000},
		{Title: "Reads are answered", Target: 0.999, Good: 99_950, Total: 100_000},
	}, Freshness: map[string]page.Freshness{}}
	for d := range f.datasets {
		name := []string{"flights", "orders", "readings"}[d%3]
		if d >= 3 {
			name = fmt.Sprintf("dataset_%d", d)
		}
		s.Freshness[name] = page.Freshness{Bounds: []float64{0.01, 0.025, 0.05}, Events: []uint64{uint64(900 * n), uint64(95 * n), uint64(5 * n), 0}}
		for shard := range 4 {
			sh := page.Shard{
				Dataset: name, Number: shard, Owned: shard != 3, Position: fmt.Sprintf("%d-0", began.UnixMilli()+n*1000),
				Published: 2_000_000 + wave(n, d, shard), Stored: 1_998_000 + wave(n-1, d, shard), Duplicates: 7,
				Rejected: 40*int64(d) + wave(n, d, shard)/500, Lag: (80 + n%40) / int64(1+d), Oldest: 420 * time.Millisecond, CommittedAt: s.At.Add(-300 * time.Millisecond),
			}
			if shard == 3 {
				sh.Reason = "owned by another worker"
			}
			s.Shards = append(s.Shards, sh)
		}
	}
	return s
}

// wave is a count that grows faster and slower.
func wave(n int64, d, shard int) int64 {
	x := float64(n)
	return int64((1200*x + 9000 - 9000*math.Cos(x/15+float64(d))) / float64(1+d+shard))
}

// serving is a server of pages on a port of its own.
type serving struct {
	*page.Server

	url  string
	addr string
}

// narrow accepts connections that hold little of what isn't read.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.SetWriteBuffer(16<<10))
	}
	return conn, err
}

// listen serves the pages to who inspects.
func listen(tb testing.TB, pipeline page.Pipeline) *serving {
	tb.Helper()
	server, app := serve(tb, pipeline, visit{inspects: true, datasets: []endpoint.Dataset{
		{Name: "flights", Description: "A flight's departure, as it happened.", Endpoints: []endpoint.Endpoint{
			{Name: "delays", Summary: "Average delays by airport."}, {Name: "latest", Summary: "The newest flights."}, {Name: "punctuality", Summary: "Punctual flights by route and hour."},
		}},
		{Name: "orders", Description: "An order of the shop.", Endpoints: []endpoint.Endpoint{{Name: "revenue", Summary: "Revenue by day."}}},
	}})
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &serving{Server: server, addr: listener.Addr().String()}
	s.url = "http://" + s.addr
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(narrow{listener}) }()
	tb.Cleanup(func() {
		s.End()
		if err := errors.Join(app.ShutdownWithTimeout(10*time.Second), <-ended); err != nil {
			tb.Errorf("stop: %v", err)
		}
	})
	return s
}

// tick takes so many samples.
func (s *serving) tick(tb testing.TB, times int) {
	tb.Helper()
	for range times {
		if err := s.Tick(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
}
