package telemetry_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The metrics are a promise: dashboards and alerts are checked against this file.
func TestExposition(t *testing.T) {
	t.Parallel()
	m := telemetry.New([]string{"flights"})
	m.Gauges(func() []telemetry.Shard {
		return []telemetry.Shard{{Dataset: "flights", Owned: true, Oldest: time.Second, KeyBytes: 1000}}
	})
	m.Redis(func(context.Context) (telemetry.Redis, error) {
		return telemetry.Redis{Memory: 5e8, MaxMemory: 1e9, Entries: map[string][]int64{"flights": {1000}}}, nil
	})
	m.Posts(func() telemetry.Posts {
		return telemetry.Posts{InFlight: 1, Waiting: 2, MaxInFlight: 256, MaxWaiting: 10_000}
	})
	m.Usage(func() int { return 1 }, func() int64 { return 2 })
	m.Build(telemetry.Build{Version: "v1.2.3", DuckDB: "1.5.6", Supported: true})
	m.Read("flights", 10)
	m.Retried("flights")
	m.Reconciled("flights", 10, 0)
	m.Stored("flights", &contract.Batch{Rows: 8, Rejects: make([]event.Reject, 1), Duplicates: 1}, 10*time.Millisecond)
	m.Request("flights/departures", 200, 0.01)
	m.Request("flights/departures", 503, 0.01)
	m.Accepted("flights", 10, 1, 3000, 10*time.Millisecond)
	m.Posted("flights", 202, "")
	m.Posted("flights", 422, "invalid-events")
	m.Posted("flights", 503, "stream-full")
	var kept strings.Builder
	for line := range strings.Lines(scrape(t, m)) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		switch {
		case strings.HasPrefix(name, "estela_"):
			kept.WriteString(line)
		case strings.HasPrefix(line, "process_resident_memory_bytes "):
			kept.WriteString("process_resident_memory_bytes 1e+08\n") // another each time
		case strings.HasPrefix(name, "process_resident_memory_bytes"):
			kept.WriteString(line)
		}
	}
	const file = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(file, []byte(kept.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != kept.String() {
		t.Errorf("%v: what is scraped is not what %s says: run go test ./internal/telemetry -update\n%s", err, file, kept.String())
	}
}
