package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/estela-dev/estela/services/internal/contract"
)

const (
	// tracedEvery is how often a producer of ours samples an event: one a second says as
	// much of the way as all would, whatever the load.
	tracedEvery = time.Second
	// maxUnread bounds the commits of a dataset that wait for their first read.
	maxUnread = 16
)

// Tracing sends the way of some events as spans: publish, then store with commit, then the
// first read that could see it, all in the trace whose context travels in the stream entry
// (W3C traceparent). A nil Tracing does nothing.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer

	mu     sync.Mutex
	unread map[string][]unread
	count  atomic.Int64 // of all unread: most requests find none
}

// unread is a commit that nobody has read yet.
type unread struct {
	parent context.Context //nolint:containedctx // it is a span's, not a call's
	since  time.Time
}

// NewTracing sends spans to where OpenTelemetry's variables say, as Push does with
// metrics. Which events are followed is decided where they are published.
func NewTracing(ctx context.Context, client *http.Client) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("make OTLP exporter: %w", err)
	}
	about, err := self(ctx)
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	return &Tracing{
		provider: provider, tracer: provider.Tracer("github.com/estela-dev/estela"), unread: map[string][]unread{},
	}, nil
}

// Stop sends what is left.
func (t *Tracing) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Publishing marks events of a dataset, one a second at most: it gives the context to
// send along, empty for none, and what to call once that is acknowledged.
func (t *Tracing) Publishing(ctx context.Context, dataset string) func() (traceparent string, acked func()) {
	if t == nil {
		return nil
	}
	var last time.Time
	return func() (string, func()) {
		if time.Since(last) < tracedEvery {
			return "", nil
		}
		last = time.Now()
		ctx, span := t.tracer.Start(ctx, "publish "+dataset, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindProducer),
			trace.WithAttributes(messaging(dataset)...))
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		return carrier["traceparent"], func() { span.End() }
	}
}

func messaging(dataset string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "redis"), attribute.String("messaging.destination.name", dataset),
	}
}

// remote is the context that an entry carried.
func remote(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// stored ends the way of the batch's traced events: what they waited for, and the commit.
func (t *Tracing) stored(ctx context.Context, dataset string, b *contract.Batch, took time.Duration, now time.Time) {
	if t == nil {
		return
	}
	for _, traced := range b.Traces {
		parent := remote(ctx, traced.Parent)
		if !trace.SpanContextFromContext(parent).IsValid() {
			continue // an ID of zeros: it would begin a trace of its own
		}
		own, span := t.tracer.Start(parent, "store "+dataset, trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithTimestamp(time.UnixMilli(int64(traced.ID.MS))),
			trace.WithAttributes(append(messaging(dataset),
				attribute.String("messaging.message.id", traced.ID.String()), attribute.Int("estela.shard", b.Shard),
				attribute.Int("messaging.batch.message_count", b.Rows+len(b.Rejects)+b.Duplicates))...))
		_, commit := t.tracer.Start(own, "commit "+dataset, trace.WithTimestamp(now.Add(-took)),
			trace.WithAttributes(attribute.Int("estela.rows", b.Rows), attribute.Int("estela.rejected", len(b.Rejects)), attribute.Int("estela.duplicates", b.Duplicates)))
		commit.End(trace.WithTimestamp(now))
		span.End(trace.WithTimestamp(now))
		t.Readable(ctx, dataset, traced.Parent, now)
	}
}

// Readable says that an event with this context can be read since then: the next request
// for its dataset is the first read that could see it.
func (t *Tracing) Readable(ctx context.Context, dataset, traceparent string, since time.Time) {
	parent := remote(ctx, traceparent)
	if t == nil || !trace.SpanContextFromContext(parent).IsValid() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.unread[dataset]) < maxUnread {
		t.unread[dataset] = append(t.unread[dataset], unread{parent, since})
		t.count.Add(1)
	}
}

// read records a request, if it is the first that could see an event.
func (t *Tracing) read(endpoint string, status int, seconds float64) {
	if t == nil || t.count.Load() == 0 || status >= http.StatusBadRequest {
		return
	}
	dataset, _, _ := strings.Cut(endpoint, "/")
	now := time.Now()
	begun := now.Add(-time.Duration(seconds * float64(time.Second)))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unread[dataset] = slices.DeleteFunc(t.unread[dataset], func(u unread) bool {
		if u.since.After(begun) {
			return false
		}
		_, span := t.tracer.Start(u.parent, "read "+endpoint, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(begun),
			trace.WithAttributes(attribute.String("http.route", "/v1/"+endpoint), attribute.Int("http.response.status_code", status)))
		span.End(trace.WithTimestamp(now))
		t.count.Add(-1)
		return true
	})
}
