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
	// traceInterval is how often a producer samples an event: one trace a second shows as much
	// as all would, at any load.
	traceInterval = time.Second
	// maxUnread is the number of a dataset's commits that wait for their first read.
	maxUnread = 16
)

// Tracing exports spans of sampled events: publish, store with commit, and the first read that
// could see the event, all in the trace whose context is in the stream entry (W3C traceparent).
// A nil Tracing does nothing.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer

	mu     sync.Mutex
	unread map[string][]unread
	count  atomic.Int64 // of all unread, so that most requests take no lock
}

// unread is a commit that no request has read yet.
type unread struct {
	parent context.Context //nolint:containedctx // the span's, not a call's
	since  time.Time
}

// NewTracing exports spans by OTLP, configured as Push is. Events are sampled where they are
// published.
func NewTracing(ctx context.Context, client *http.Client) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("make OTLP exporter: %w", err)
	}
	res, err := processResource(ctx)
	if err != nil {
		return nil, err
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(res),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
	return &Tracing{
		provider: provider, tracer: provider.Tracer("github.com/estela-dev/estela"), unread: map[string][]unread{},
	}, nil
}

// Stop flushes and closes the exporter.
func (t *Tracing) Stop(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Publishing samples a dataset's events, at most one a second. The function returns the context
// to send with an event, empty if it is not sampled, and ends its span with acked.
func (t *Tracing) Publishing(ctx context.Context, dataset string) func() (traceparent string, acked func()) {
	if t == nil {
		return nil
	}
	var last time.Time
	return func() (string, func()) {
		if time.Since(last) < traceInterval {
			return "", nil
		}
		last = time.Now()
		ctx, span := t.tracer.Start(ctx, "publish "+dataset, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindProducer),
			trace.WithAttributes(messagingAttributes(dataset)...))
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		return carrier["traceparent"], func() { span.End() }
	}
}

func messagingAttributes(dataset string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "redis"), attribute.String("messaging.destination.name", dataset),
	}
}

// parentContext returns the span context of an entry.
func parentContext(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// stored exports the store and commit spans of the batch's traced events.
func (t *Tracing) stored(ctx context.Context, dataset string, b *contract.Batch, took time.Duration, now time.Time) {
	if t == nil {
		return
	}
	for _, traced := range b.Traces {
		parent := parentContext(ctx, traced.Parent)
		if !trace.SpanContextFromContext(parent).IsValid() {
			continue // else a new trace would begin
		}
		own, span := t.tracer.Start(parent, "store "+dataset, trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithTimestamp(time.UnixMilli(int64(traced.ID.MS))),
			trace.WithAttributes(append(messagingAttributes(dataset),
				attribute.String("messaging.message.id", traced.ID.String()), attribute.Int("estela.shard", b.Shard),
				attribute.Int("messaging.batch.message_count", b.Rows+len(b.Rejects)+b.Duplicates))...))
		_, commit := t.tracer.Start(own, "commit "+dataset, trace.WithTimestamp(now.Add(-took)),
			trace.WithAttributes(attribute.Int("estela.rows", b.Rows), attribute.Int("estela.rejected", len(b.Rejects)), attribute.Int("estela.duplicates", b.Duplicates)))
		commit.End(trace.WithTimestamp(now))
		span.End(trace.WithTimestamp(now))
		t.Readable(ctx, dataset, traced.Parent, now)
	}
}

// Readable marks an event with this context as queryable since then: the next request for its
// dataset is its first read.
func (t *Tracing) Readable(ctx context.Context, dataset, traceparent string, since time.Time) {
	parent := parentContext(ctx, traceparent)
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

// read exports the read span of the events for which the request is the first read.
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
