package bench_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/telemetrytest"
)

// BenchmarkTracing stores backlogs with the metrics of the shipped program, without traces
// and with one for every flush of 1,000 events, sent to a collector, in turns. That is
// hundreds of times as many as a producer of ours marks: one a second.
func BenchmarkTracing(b *testing.B) {
	const laps = 5
	var sent atomic.Int64
	telemetrytest.Collector(b, func(string, []byte) { sent.Add(1) })
	for b.Loop() {
		bd := newBed(b)
		var rates, costs []float64
		for lap := range laps {
			var plain, traced endToEnd
			for _, with := range []bool{lap%2 == 0, lap%2 != 0} { // whoever is first goes on another ground
				e := bd.measureTracing(with)
				if with {
					traced = e
				} else {
					plain = e
				}
			}
			rates, costs = append(rates, traced.rate/plain.rate), append(costs, float64(traced.cpu)/float64(plain.cpu))
			b.Logf("without %.0f events/s, %v of CPU an event; with %.0f, %v", plain.rate, plain.cpu, traced.rate, traced.cpu)
		}
		if sent.Load() == 0 {
			b.Fatal("no trace was sent")
		}
		slices.Sort(rates)
		slices.Sort(costs)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rates[laps/2], "traced/plain")
		b.ReportMetric(costs[laps/2], "traced/plain-cpu")
	}
}

// measureTracing stores one backlog in a table of its own.
func (bd *bed) measureTracing(with bool) endToEnd {
	bd.b.Helper()
	m := telemetry.New([]string{"flights"})
	var cfg stream.ProducerConfig
	if with {
		client := &http.Client{Timeout: time.Second}
		defer client.CloseIdleConnections()
		tracing, err := telemetry.NewTracing(bd.b.Context(), client)
		if err != nil {
			bd.b.Fatal(err)
		}
		defer func() {
			if err := tracing.Stop(bd.b.Context()); err != nil {
				bd.b.Error(err)
			}
		}()
		m.Trace(tracing)
		n := 0
		cfg.Trace = func() (string, func()) {
			n++
			return fmt.Sprintf("00-%032x-b7ad6b7169203331-01", n), nil
		}
	}
	bd.server.Do("DEL", stream.Key(bd.contract, 0))
	bd.publish(0, *events, cfg)
	bd.openStore()
	return bd.measureEWith(*events, m)
}
