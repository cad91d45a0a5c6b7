package telemetry_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/telemetrytest"
)

// received returns an HTTP client to a fake collector, and each request's path and body.
func received(t *testing.T, each func(path string, body []byte)) (client *http.Client) {
	t.Helper()
	telemetrytest.Collector(t, each)
	t.Setenv("OTEL_SERVICE_NAME", "estela-worker")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=estela-staging")
	client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// The pushed metrics have the names of the scraped ones, and the process' resource.
func TestPush(t *testing.T) { //nolint:paralleltest // received sets variables
	var mu sync.Mutex
	names, about := map[string]bool{}, map[string]string{}
	client := received(t, func(path string, body []byte) {
		var request collector.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil || path != "/v1/metrics" {
			t.Errorf("%s: %v", path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range request.GetResourceMetrics() {
			for _, a := range resource.GetResource().GetAttributes() {
				about[a.GetKey()] = a.GetValue().GetStringValue()
			}
			for _, scope := range resource.GetScopeMetrics() {
				for _, m := range scope.GetMetrics() {
					names[m.GetName()] = true
				}
			}
		}
	})

	m := telemetry.New([]string{"flights"})
	stop, err := m.Push(t.Context(), client, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	m.Request("flights/departures", 200, 0.001)
	if err := stop(t.Context()); err != nil { // sends what there is
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"estela_events_total", "estela_freshness_seconds", "estela_http_request_duration_seconds", "estela_stream_entries_lost_total"} {
		if !names[name] {
			t.Errorf("%s was not sent: %v", name, names)
		}
	}
	if about["service.name"] != "estela-worker" || about["service.namespace"] != "estela-staging" || about["service.instance.id"] == "" {
		t.Errorf("sent as %v", about)
	}
}
