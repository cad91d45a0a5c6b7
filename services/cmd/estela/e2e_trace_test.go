package main_test

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
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

// ServeHTTP takes what programs send by OTLP.
func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	text, _ := io.ReadAll(body)
	var request collector.ExportTraceServiceRequest
	if r.URL.Path != "/v1/traces" || proto.Unmarshal(text, &request) != nil {
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
	server := httptest.NewServer(got)
	defer server.Close()
	telemetrytest.Endpoint(t, server.URL)
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
