package telemetry

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/estela-dev/estela/services/internal/event"
)

// Shard is the state of one shard at a scrape.
type Shard struct {
	Dataset string
	Number  int
	Owned   bool
	// Oldest is the age of the oldest uncommitted event.
	Oldest   time.Duration
	KeyBytes int
}

// shardCollector implements prometheus.Collector.
type shardCollector struct{ read func() []Shard }

var shardLabels = []string{"dataset", "shard"}

var (
	oldestDesc = prometheus.NewDesc("estela_oldest_uncommitted_seconds",
		"Age of the oldest event that was or should have been read and is not committed.", shardLabels, nil)
	ownedDesc = prometheus.NewDesc("estela_shard_owned",
		"1 while this process owns the shard.", shardLabels, nil)
	keysDesc = prometheus.NewDesc("estela_dedupe_keys_bytes",
		"Memory of the keys in the dedupe window.", shardLabels, nil)
)

// Describe implements prometheus.Collector.
func (g *shardCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- oldestDesc
	ch <- ownedDesc
	ch <- keysDesc
}

// Collect implements prometheus.Collector.
func (g *shardCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range g.read() {
		owned := 0.0
		if s.Owned {
			owned = 1
		}
		shard := strconv.Itoa(s.Number)
		ch <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, s.Oldest.Seconds(), s.Dataset, shard)
		ch <- prometheus.MustNewConstMetric(ownedDesc, prometheus.GaugeValue, owned, s.Dataset, shard)
		ch <- prometheus.MustNewConstMetric(keysDesc, prometheus.GaugeValue, float64(s.KeyBytes), s.Dataset, shard)
	}
}

// Posts are the POSTs of events that are being served, at a scrape.
type Posts struct {
	// InFlight are read, checked or published; Waiting wait, or will, until their events are stored.
	InFlight, Waiting int
	// MaxInFlight and MaxWaiting are how many the process takes on.
	MaxInFlight, MaxWaiting int
}

// Posts collects the POSTs that are being served with read at every scrape.
func (m *Metrics) Posts(read func() Posts) {
	gauge := func(name, help string, value func(Posts) int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(read())) }))
	}
	gauge("estela_ingest_in_flight", "POSTs of events that are read, checked or published.", func(p Posts) int { return p.InFlight })
	gauge("estela_ingest_in_flight_max", "POSTs of events that may be in flight; one more is refused.", func(p Posts) int { return p.MaxInFlight })
	gauge("estela_ingest_waiting", "POSTs of events that wait, or will, until their events are stored.", func(p Posts) int { return p.Waiting })
	gauge("estela_ingest_waiting_max", "POSTs of events that may wait; one more is refused.", func(p Posts) int { return p.MaxWaiting })
}

// freshnessBounds are the upper bounds of the freshness histogram in seconds.
var freshnessBounds = []float64{
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600,
}

// freshness is the histogram of the time from publishing to being queryable. It observes a
// whole batch at once: the client library's histogram observes one value at a time, which at a
// million events a second would take a tenth of a core.
type freshness struct {
	desc *prometheus.Desc

	mu      sync.Mutex
	byName  map[string]*buckets
	ordered []string
}

type buckets struct {
	counts []uint64 // by bound, not cumulative; the last is above all bounds
	count  uint64
	sum    float64
	// exemplars are the newest, by bucket.
	exemplars map[int]prometheus.Exemplar
}

func newFreshness(datasets []string) *freshness {
	f := &freshness{
		desc: prometheus.NewDesc("estela_freshness_seconds",
			"Time from an event's publishing (the stream's clock) to its being queryable.", []string{"dataset"}, nil),
		byName: map[string]*buckets{}, ordered: datasets,
	}
	for _, d := range datasets {
		f.byName[d] = &buckets{counts: make([]uint64, len(freshnessBounds)+1), exemplars: map[int]prometheus.Exemplar{}}
	}
	return f
}

// observe counts events published at the given stream times (milliseconds),
// which come in runs of the same value.
func (f *freshness) observe(dataset string, publishedMS []uint64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.byName[dataset]
	for len(publishedMS) > 0 {
		ms, n := publishedMS[0], 1
		for n < len(publishedMS) && publishedMS[n] == ms {
			n++
		}
		publishedMS = publishedMS[n:]
		age, i := bucketOf(ms, now)
		b.counts[i] += uint64(n)
		b.count += uint64(n)
		b.sum += age * float64(n)
	}
}

// Freshness returns how many events of the dataset were queryable within each bound, in seconds, and not within the one
// before; the last are those above all bounds.
func (m *Metrics) Freshness(dataset string) (bounds []float64, events []uint64) {
	m.freshness.mu.Lock()
	defer m.freshness.mu.Unlock()
	return freshnessBounds, slices.Clone(m.freshness.byName[dataset].counts)
}

// bucketOf returns the age of an event in seconds and its bucket.
func bucketOf(ms uint64, now time.Time) (age float64, bucket int) {
	age = max(0, now.Sub(time.UnixMilli(int64(ms))).Seconds())
	bucket, _ = slices.BinarySearch(freshnessBounds, age)
	return age, bucket
}

// setExemplar makes an event with a trace the exemplar of its bucket.
func (f *freshness) setExemplar(ctx context.Context, dataset string, traced event.Traced, now time.Time) {
	id := trace.SpanContextFromContext(parentContext(ctx, traced.Parent)).TraceID()
	if !id.IsValid() {
		return
	}
	age, i := bucketOf(traced.ID.MS, now)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byName[dataset].exemplars[i] = prometheus.Exemplar{
		Value: age, Timestamp: now, Labels: prometheus.Labels{"trace_id": id.String()},
	}
}

// Describe implements prometheus.Collector.
func (f *freshness) Describe(ch chan<- *prometheus.Desc) { ch <- f.desc }

// Collect implements prometheus.Collector.
func (f *freshness) Collect(ch chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.ordered {
		b := f.byName[d]
		cumulative := make(map[float64]uint64, len(freshnessBounds))
		total := uint64(0)
		for i, bound := range freshnessBounds {
			total += b.counts[i]
			cumulative[bound] = total
		}
		m := prometheus.MustNewConstHistogram(f.desc, b.count, b.sum, cumulative, d)
		if len(b.exemplars) > 0 {
			m = prometheus.MustNewMetricWithExemplars(m, slices.Collect(maps.Values(b.exemplars))...)
		}
		ch <- m
	}
}
