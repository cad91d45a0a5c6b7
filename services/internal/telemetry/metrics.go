// Package telemetry holds the metrics of the pipeline, named by Prometheus'
// conventions: base units, a unit suffix, bounded labels.
package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/estela-dev/estela/services/internal/contract"
)

// Metrics are the pipeline's metrics. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	// promises has the metrics that objectives are made of: gathering it asks no Redis.
	promises *prometheus.Registry

	entries, events, retries, reconciled, lost, ahead *prometheus.CounterVec
	batchRows, commitSeconds                          *prometheus.HistogramVec
	freshness                                         *freshness
	requests, acceptSeconds                           *prometheus.HistogramVec
	answered, posts, posted, postedBytes              *prometheus.CounterVec
	requestSeries                                     sync.Map // requestLabels -> *requestSeries
	tracing                                           *Tracing
}

// New returns the metrics of the given datasets, each series initialised, in their own registry.
func New(datasets []string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), promises: prometheus.NewRegistry(),
		entries: counter("estela_stream_entries_read_total",
			"Stream entries read, each with one event or a batch of them."),
		events: counter("estela_events_total",
			"Events settled, by outcome: stored, rejected or duplicate.", "outcome"),
		retries: counter("estela_commit_retries_total",
			"Times that the warehouse refused and was asked again."),
		reconciled: counter("estela_stream_entries_reconciled_total",
			"Stream entries received, of those that the server has counted as added."),
		lost: counter("estela_stream_entries_lost_total",
			"Stream entries that were added and gone before they were read; at least so many."),
		ahead: counter("estela_stream_entries_ahead_total",
			"Stream entries whose IDs are ahead of the server's clock by more than a minute."),
		batchRows: histogram("estela_commit_rows",
			"Rows stored by one commit.", prometheus.ExponentialBuckets(1, 4, 10), "dataset"),
		commitSeconds: histogram("estela_commit_duration_seconds",
			"Time of one commit, dedupe and retries included.", prometheus.ExponentialBuckets(0.001, 2, 15), "dataset"),
		freshness: newFreshness(datasets),
		requests: histogram("estela_http_request_duration_seconds",
			"Time to answer a request, by endpoint and status.",
			prometheus.ExponentialBuckets(0.0005, 2, 15), "endpoint", "status"),
		// Beside the histogram's count, for Cloud Monitoring takes no histogram as a ratio.
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "estela_http_requests_total", Help: "Requests answered, by endpoint and status.",
		}, []string{"endpoint", "status"}),
		posts: counter("estela_ingest_requests_total",
			"POSTs of events, by the status of the answer and the kind of its problem, empty without one.", "status", "problem"),
		acceptSeconds: histogram("estela_ingest_accept_duration_seconds",
			"Time from a POST of events to Redis' having them all. Waiting until they are stored is not part of it.",
			prometheus.ExponentialBuckets(0.0005, 2, 15), "dataset"),
		posted: counter("estela_ingest_events_total",
			"Events published by POST, by what they are: valid, or invalid and to become rejects.", "outcome"),
		postedBytes: counter("estela_ingest_bytes_total",
			"Bytes of the bodies of POSTs that were published, without their compression."),
	}
	for _, d := range datasets {
		for _, c := range []*prometheus.CounterVec{m.entries, m.retries, m.reconciled, m.lost, m.ahead, m.postedBytes} {
			c.WithLabelValues(d)
		}
		for _, outcome := range []string{"stored", "rejected", "duplicate"} {
			m.events.WithLabelValues(d, outcome)
		}
		for _, outcome := range []string{"valid", "invalid"} {
			m.posted.WithLabelValues(d, outcome)
		}
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.entries, m.events, m.retries, m.reconciled, m.lost, m.ahead, m.batchRows, m.commitSeconds, m.freshness, m.requests, m.answered,
		m.posts, m.acceptSeconds, m.posted, m.postedBytes)
	m.promises.MustRegister(m.events, m.reconciled, m.lost, m.freshness, m.requests, m.answered)
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help},
		append([]string{"dataset"}, labels...))
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Handler serves the metrics in Prometheus' text format, or as OpenMetrics with exemplars if the
// scraper accepts it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Read counts stream entries read.
func (m *Metrics) Read(dataset string, entries int) {
	m.entries.WithLabelValues(dataset).Add(float64(entries))
}

// Committed records a committed batch from the stream.
func (m *Metrics) Committed(dataset string, b *contract.Batch, took time.Duration) {
	m.Stored(dataset, b, took)
	now := time.Now()
	m.freshness.observe(dataset, b.MS[:b.Rows], now)
	ctx := context.Background() //nolint:forbidigo // the span contexts come from the entries
	for _, traced := range b.Traces {
		m.freshness.setExemplar(ctx, dataset, traced, now)
	}
	m.tracing.stored(ctx, dataset, b, took, now)
}

// Stored records a committed batch of a backfill or a replay, which has no freshness.
func (m *Metrics) Stored(dataset string, b *contract.Batch, took time.Duration) {
	m.events.WithLabelValues(dataset, "stored").Add(float64(b.Rows))
	m.events.WithLabelValues(dataset, "rejected").Add(float64(len(b.Rejects)))
	m.events.WithLabelValues(dataset, "duplicate").Add(float64(b.Duplicates))
	m.batchRows.WithLabelValues(dataset).Observe(float64(b.Rows))
	m.commitSeconds.WithLabelValues(dataset).Observe(took.Seconds())
}

// Retried counts a retry of a commit.
func (m *Metrics) Retried(dataset string) { m.retries.WithLabelValues(dataset).Inc() }

// Reconciled counts the entries that the server has counted as added: received, and lost.
func (m *Metrics) Reconciled(dataset string, received, lost int64) {
	m.reconciled.WithLabelValues(dataset).Add(float64(received))
	m.lost.WithLabelValues(dataset).Add(float64(lost))
}

// Loss counts entries that were trimmed or deleted before they were stored.
func (m *Metrics) Loss(dataset string, entries int64) {
	m.lost.WithLabelValues(dataset).Add(float64(entries))
}

// Ahead counts entries whose IDs are ahead of the server's clock.
func (m *Metrics) Ahead(dataset string, entries int64) {
	m.ahead.WithLabelValues(dataset).Add(float64(entries))
}

// Request records an answered request. endpoint is the route's label, never the request's path.
func (m *Metrics) Request(endpoint string, status int, seconds float64) {
	known, ok := m.requestSeries.Load(requestLabels{endpoint, status})
	if !ok {
		text := strconv.Itoa(status)
		known, _ = m.requestSeries.LoadOrStore(requestLabels{endpoint, status},
			&requestSeries{m.requests.WithLabelValues(endpoint, text), m.answered.WithLabelValues(endpoint, text)})
	}
	series := known.(*requestSeries) //nolint:forcetypeassert // the map's type
	series.seconds.Observe(seconds)
	series.answered.Inc()
	m.tracing.read(endpoint, status, seconds)
}

// Posted records an answered POST of events to a dataset, with the kind of its problem, "" without one.
func (m *Metrics) Posted(dataset string, status int, problem string) {
	m.posts.WithLabelValues(dataset, strconv.Itoa(status), problem).Inc()
}

// Accepted records the events of a published POST, the invalid ones of them, their bytes, and the time from the
// request until Redis had them.
func (m *Metrics) Accepted(dataset string, events, invalid int, bytes int64, took time.Duration) {
	m.acceptSeconds.WithLabelValues(dataset).Observe(took.Seconds())
	m.posted.WithLabelValues(dataset, "valid").Add(float64(events - invalid))
	m.posted.WithLabelValues(dataset, "invalid").Add(float64(invalid))
	m.postedBytes.WithLabelValues(dataset).Add(float64(bytes))
}

// requestSeries are the series of requests with the same labels.
type requestSeries struct {
	seconds  prometheus.Observer
	answered prometheus.Counter
}

// requestLabels are the labels of a series of requests, whose lookup by labels takes longer than
// Observe.
type requestLabels struct {
	endpoint string
	status   int
}

// Trace exports spans of traced events. It must be called before anything is recorded.
func (m *Metrics) Trace(t *Tracing) { m.tracing = t }

// Usage collects at every scrape how many minutes of usage wait for Redis, and how many requests were
// counted and given up.
func (m *Metrics) Usage(pending func() int, lost func() int64) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "estela_usage_pending_minutes", Help: "Minutes of usage that were counted and wait for Redis.",
		}, func() float64 { return float64(pending()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "estela_usage_lost_requests_total", Help: "Requests that were counted and are missing in the usage, because Redis was gone for too long.",
		}, func() float64 { return float64(lost()) }))
}

// Gauges collects the shards' state with read at every scrape.
func (m *Metrics) Gauges(read func() []Shard) { m.registry.MustRegister(&shardCollector{read: read}) }
