package main_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/estela-dev/estela/services/internal/telemetrytest"
)

// spans are those that a collector has received, by trace.
type spans struct {
	mu      sync.Mutex
	byTrace map[string][]string
}

// take notes what programs send by OTLP.
func (s *spans) take(path string, body []byte) {
	var request collector.ExportTraceServiceRequest
	if path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
		return // metrics
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				id := hex.EncodeToString(span.GetTraceId())
				s.byTrace[id] = append(s.byTrace[id], span.GetName())
			}
		}
	}
}

// TestE2ETraces publishes, reads, and finds the way of the event in one trace, sent by two
// processes.
func TestE2ETraces(t *testing.T) { //nolint:paralleltest // it sets variables
	got := &spans{byTrace: map[string][]string{}}
	telemetrytest.Collector(t, got.take)
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data, "--log-level", "debug", "--access-log", "all")
	must(t, `{"id":"a","measured_at":"2026-01-01T00:00:00Z","celsius":21.5}`+"\n", "publish", "readings", "--data", data, "--data-dir", dir)
	s.awaitEvents("readings", "stored", 1)
	s.read("/v1/readings/warmest")
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	got.mu.Lock()
	defer got.mu.Unlock()
	for id, names := range got.byTrace {
		slices.Sort(names)
		if slices.Equal(names, []string{"commit readings", "publish readings", "read readings/warmest", "store readings"}) {
			if !strings.Contains(s.err.String(), "trace="+id) {
				t.Errorf("no log line names the trace %s:\n%s", id, &s.err)
			}
			return
		}
	}
	t.Errorf("no trace has the whole way: %v", got.byTrace)
}
