package telemetry_test

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

// One trace has the publishing, the commit and the first read that could see the event, each span
// under its parent, and no other request.
func TestOneTraceFromPublishToRead(t *testing.T) { //nolint:paralleltest // received sets variables
	var mu sync.Mutex
	spans := map[string][]*tracepb.Span{}
	client := received(t, func(path string, body []byte) {
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil || path != "/v1/traces" {
			t.Errorf("%s: %v", path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					spans[span.GetName()] = append(spans[span.GetName()], span)
				}
			}
		}
	})
	tracing, err := telemetry.NewTracing(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	m := telemetry.New([]string{"flights", "others"})
	m.Trace(tracing)
	mark := tracing.Publishing(t.Context(), "flights")
	parent, acked := mark()
	if again, _ := mark(); parent == "" || again != "" {
		t.Fatalf("marked %q and, within a second, %q", parent, again)
	}
	acked()
	id := event.ID{MS: uint64(time.Now().UnixMilli()), Seq: 7}
	m.Request("flights/departures", 200, 0.001) // before the commit
	m.Committed("flights", &contract.Batch{Rows: 1, MS: []uint64{id.MS}, Traces: []event.Traced{
		{ID: id, Parent: parent}, {ID: id, Parent: "00-00000000000000000000000000000000-b7ad6b7169203331-01"},
	}}, time.Millisecond)
	m.Request("flights/departures", 200, 3600) // begun before the commit
	m.Request("flights/departures", 503, 0)    // nothing was read
	m.Request("others/all", 200, 0)
	m.Request("flights/routes", 200, 0) // the one
	m.Request("flights/routes", 200, 0)
	if err := tracing.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	only := func(name string) *tracepb.Span {
		t.Helper()
		if len(spans[name]) != 1 {
			t.Fatalf("%d spans %q of %v", len(spans[name]), name, spans)
		}
		return spans[name][0]
	}
	if len(spans) != 4 {
		t.Errorf("spans %v, want four", spans)
	}
	publish, store, commit, read := only("publish flights"), only("store flights"), only("commit flights"), only("read flights/routes")
	for child, parent := range map[*tracepb.Span]*tracepb.Span{store: publish, commit: store, read: publish} {
		if string(child.GetTraceId()) != string(publish.GetTraceId()) || string(child.GetParentSpanId()) != string(parent.GetSpanId()) {
			t.Errorf("%s is not under %s", child.GetName(), parent.GetName())
		}
	}
	if got := store.GetStartTimeUnixNano(); got != id.MS*1e6 || store.GetEndTimeUnixNano() < got {
		t.Errorf("stored from %d to %d", got, store.GetEndTimeUnixNano())
	}

	// The freshness histogram has the trace as an exemplar, in OpenMetrics.
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, request)
	if want := `# {trace_id="` + hex.EncodeToString(publish.GetTraceId()) + `"}`; strings.Count(answer.Body.String(), want) != 1 {
		t.Errorf("no exemplar %s in\n%s", want, answer.Body)
	}
}

// A nil Tracing does nothing.
func TestNoTracing(t *testing.T) {
	t.Parallel()
	var tracing *telemetry.Tracing
	if tracing.Publishing(t.Context(), "flights") != nil || tracing.Stop(t.Context()) != nil {
		t.Error("a nil Tracing does something")
	}
	tracing.Readable(t.Context(), "flights", "", time.Now())
	m := telemetry.New([]string{"flights"})
	m.Trace(tracing)
	m.Committed("flights", &contract.Batch{Traces: make([]event.Traced, 1)}, 0)
	m.Request("flights/routes", 200, 0)
}
