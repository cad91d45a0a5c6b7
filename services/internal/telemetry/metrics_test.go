package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(answer.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestCommittedCountsEveryEventOnce(t *testing.T) {
	t.Parallel()
	m := telemetry.New([]string{"flights"})
	m.Gauges(func() []telemetry.Shard {
		return []telemetry.Shard{{Dataset: "flights", Owned: true, Oldest: 1500 * time.Millisecond}}
	})
	now := uint64(time.Now().UnixMilli())
	m.Committed("flights", &contract.Batch{
		Rows: 4, MS: []uint64{now - 20_000, now - 20_000, now - 400, now - 400},
		Rejects: make([]event.Reject, 2), Duplicates: 3,
	}, 10*time.Millisecond)
	m.Request("flights/events", 200, 0.001)

	body := scrape(t, m)
	for _, want := range []string{
		`estela_events_total{dataset="flights",outcome="stored"} 4`,
		`estela_events_total{dataset="flights",outcome="rejected"} 2`,
		`estela_events_total{dataset="flights",outcome="duplicate"} 3`,
		`estela_freshness_seconds_bucket{dataset="flights",le="0.25"} 0`,
		`estela_freshness_seconds_bucket{dataset="flights",le="1"} 2`,
		`estela_freshness_seconds_bucket{dataset="flights",le="30"} 4`,
		`estela_freshness_seconds_count{dataset="flights"} 4`,
		`estela_oldest_uncommitted_seconds{dataset="flights",shard="0"} 1.5`,
		`estela_shard_owned{dataset="flights",shard="0"} 1`,
		`estela_http_request_duration_seconds_count{endpoint="flights/events",status="200"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no %q in the answer", want)
		}
	}
}

func TestEverySeriesIsThereBeforeTheFirstEvent(t *testing.T) {
	t.Parallel()
	body := scrape(t, telemetry.New([]string{"flights"}))
	for _, want := range []string{
		`estela_events_total{dataset="flights",outcome="rejected"} 0`,
		`estela_stream_entries_lost_total{dataset="flights"} 0`,
		`estela_freshness_seconds_count{dataset="flights"} 0`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the answer", want)
		}
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	m := telemetry.New([]string{"flights"})
	var down error
	m.Redis(func(context.Context) (telemetry.Redis, error) {
		return telemetry.Redis{
			Memory: 5, MaxMemory: 10, ClockSkew: -1500 * time.Millisecond, Entries: map[string][]int64{"flights": {7, 8}},
		}, down
	})
	m.Build(telemetry.Build{Version: "v1", DuckDB: "1.5.6", Supported: true})
	body := scrape(t, m)
	for _, want := range []string{
		"estela_redis_up 1", "estela_redis_memory_bytes 5", "estela_redis_memory_max_bytes 10", "estela_redis_clock_skew_seconds -1.5",
		`estela_stream_entries{dataset="flights",shard="1"} 8`, `estela_build_info{duckdb="1.5.6",version="v1"} 1`, "estela_motherduck_client_supported 1",
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("no %q in the answer", want)
		}
	}
	down = errors.New("no answer")
	if body := scrape(t, m); !strings.Contains(body, "estela_redis_up 0\n") || strings.Contains(body, "estela_redis_memory") {
		t.Errorf("with Redis down:\n%s", body)
	}
}
