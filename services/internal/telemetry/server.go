package telemetry

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// serverTimeout bounds what a scrape waits for Redis.
const serverTimeout = time.Second

// Server is what Redis says at a scrape.
type Server struct {
	// Memory is what is used, MaxMemory what may be, in bytes; MaxMemory 0 is without a
	// limit.
	Memory, MaxMemory int64
	// ClockSkew is Redis' clock minus ours.
	ClockSkew time.Duration
	// Entries are the lengths of the streams, by dataset and shard.
	Entries map[string][]int64
}

// Build is what is built in.
type Build struct {
	Version, DuckDB string
	// Supported says whether MotherDuck takes this DuckDB.
	Supported bool
}

// Server calls read at every scrape. After an error Redis counts as down and says
// nothing else.
func (m *Metrics) Server(read func(ctx context.Context) (Server, error)) {
	m.registry.MustRegister(&server{read: read})
}

// Build registers what is built in.
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

// server reads Redis' state when asked.
type server struct {
	read func(ctx context.Context) (Server, error)
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
func (s *server) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{upDesc, memDesc, maxDesc, skewDesc, entriesDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *server) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), serverTimeout) //nolint:forbidigo // a scrape has no other
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
