package telemetry

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// redisTimeout is how long a scrape waits for Redis.
const redisTimeout = time.Second

// Redis is Redis' state at a scrape.
type Redis struct {
	// Memory is used, MaxMemory the limit, in bytes; MaxMemory 0: no limit.
	Memory, MaxMemory int64
	// ClockSkew is Redis' clock minus ours.
	ClockSkew time.Duration
	// Entries are the lengths of the streams, by dataset and shard.
	Entries map[string][]int64
}

// Build is the version of this binary.
type Build struct {
	Version, DuckDB string
	// Supported is true if MotherDuck accepts clients with this DuckDB.
	Supported bool
}

// Redis collects Redis' state with read at every scrape. After an error only
// estela_redis_up is exported, as 0.
func (m *Metrics) Redis(read func(ctx context.Context) (Redis, error)) {
	m.registry.MustRegister(&redisCollector{read: read})
}

// Build registers the version metrics.
func (m *Metrics) Build(b Build) {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "estela_build_info", Help: "What is built in; 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "duckdb": b.DuckDB},
	})
	info.Set(1)
	supported := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "estela_motherduck_client_supported", Help: "1 if MotherDuck takes the DuckDB that is built in.",
	})
	if b.Supported {
		supported.Set(1)
	}
	m.registry.MustRegister(info, supported)
}

// redisCollector implements prometheus.Collector.
type redisCollector struct {
	read func(ctx context.Context) (Redis, error)
}

var (
	upDesc  = prometheus.NewDesc("estela_redis_up", "1 if Redis answered.", nil, nil)
	memDesc = prometheus.NewDesc("estela_redis_memory_bytes", "Memory that Redis uses.", nil, nil)
	maxDesc = prometheus.NewDesc("estela_redis_memory_max_bytes",
		"Memory that Redis may use; 0 without a limit.", nil, nil)
	skewDesc = prometheus.NewDesc("estela_redis_clock_skew_seconds",
		"Redis' clock minus this machine's: freshness is measured between the two.", nil, nil)
	entriesDesc = prometheus.NewDesc("estela_stream_entries",
		"Entries in the stream, committed ones that are kept for a while included.", shardLabels, nil)
)

// Describe implements prometheus.Collector.
func (s *redisCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{upDesc, memDesc, maxDesc, skewDesc, entriesDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *redisCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout) //nolint:forbidigo // a scrape has no context
	defer cancel()
	state, err := s.read(ctx)
	if err != nil {
		gauge(upDesc, 0)
		return
	}
	gauge(upDesc, 1)
	gauge(memDesc, float64(state.Memory))
	gauge(maxDesc, float64(state.MaxMemory))
	gauge(skewDesc, state.ClockSkew.Seconds())
	for dataset, lengths := range state.Entries {
		for shard, n := range lengths {
			gauge(entriesDesc, float64(n), dataset, strconv.Itoa(shard))
		}
	}
}
