package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

// leaseTTL is the life of a shard's lease; it is renewed three times in it.
const leaseTTL = 15 * time.Second

// node is what a serving process is made of: the parts that know nothing of
// each other, held together.
type node struct {
	g        *Globals
	log      *slog.Logger
	datasets []*dataset
	metrics  *telemetry.Metrics
	tracing  *telemetry.Tracing   // nil where no traces are sent
	redis    *stream.Client       // nil in an API apart
	store    *warehouse.Warehouse // never nil
	worker   *worker.Worker       // nil in an API apart
	owner    string               // the worker's token on leases and the list of workers
	house    event.Warehouse      // the warehouse as it is noted beside leases
	stored   *inventory           // what was in it at the start of the worker
}

// memorySize is a size as DuckDB reads it.
var memorySize = regexp.MustCompile(`^[0-9]+(\.[0-9]+)? ?[KMGT]i?B$`)

// location is the warehouse that the flags name.
func (g *Globals) location() string {
	if g.Warehouse != "" {
		return g.Warehouse
	}
	return filepath.Join(g.DataDir, "estela.duckdb")
}

// openWarehouse opens the warehouse that the flags name and brings its tables up
// to the contracts.
func (g *Globals) openWarehouse(ctx context.Context, all []*dataset, readOnly bool, log *slog.Logger) (*warehouse.Warehouse, error) {
	if !memorySize.MatchString(g.Memory) {
		return nil, usageError{fmt.Errorf("--memory %q: give a size such as 512MB or 2GB", g.Memory)}
	}
	if err := checkSQL(ctx, all); err != nil { // before a view is made
		return nil, err
	}
	if !memorySize.MatchString(g.Spill) {
		return nil, usageError{fmt.Errorf("--spill %q: give a size such as 512MB or 4GB", g.Spill)}
	}
	w, err := warehouse.Open(ctx, warehouse.Config{
		Location: g.location(), Token: os.Getenv("MOTHERDUCK_TOKEN"), MemoryLimit: g.Memory, SpillLimit: g.Spill, ReadOnly: readOnly, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if err := w.Register(ctx, d.Contract, d.views, d.references); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// openRedis connects to the server at url, waits until it has loaded its data and refuses
// one that could lose events.
func (f *redisFlags) openRedis(ctx context.Context, url string, log *slog.Logger) (*stream.Client, error) {
	cfg, err := f.config(ctx, url, log)
	if err != nil {
		return nil, err
	}
	client, err := stream.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := client.AwaitLoaded(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if err := client.Check(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// addWorker makes the worker that carries every shard of every dataset, unless one of them is
// another warehouse's.
func (n *node) addWorker(ctx context.Context, cfg worker.Config) error {
	if err := n.bind(ctx); err != nil {
		return err
	}
	n.owner = rand.Text()
	cfg.Contracts = contractsOf(n.datasets)
	cfg.Sink, cfg.Observer, cfg.Logger = n.store, n.metrics, n.log
	cfg.Renew = leaseTTL / 3
	cfg.Source = func(c *contract.Contract, shard int) worker.Source {
		return n.redis.Shard(c.Name, shard, n.owner, stream.ShardConfig{
			Lease: leaseTTL, KeepFor: time.Hour, KeepMax: 100_000, Warehouse: n.house,
		})
	}
	cfg.Live = n.live
	if n.store.Remote() && cfg.CommitEvery == 0 {
		cfg.CommitEvery = 5 * time.Second
	}
	n.worker = worker.New(cfg)
	n.metrics.Gauges(n.shards)
	n.metrics.Server(n.server)
	return nil
}

// measured are the metrics of this process.
func (n *node) measured() *telemetry.Metrics {
	m := telemetry.New(names(n.datasets))
	duckdb := warehouse.DuckDBVersion()
	m.Build(telemetry.Build{Version: version(), DuckDB: duckdb, Supported: warehouse.MotherDuckTakes(duckdb)})
	return m
}

// server asks Redis what its metrics are made of.
func (n *node) server(ctx context.Context) (telemetry.Server, error) {
	info, err := n.redis.Info(ctx)
	if err != nil {
		return telemetry.Server{}, err
	}
	state := telemetry.Server{
		Memory: info.UsedMemory, MaxMemory: info.MaxMemory, ClockSkew: info.ClockSkew, Entries: map[string][]int64{},
	}
	for _, d := range n.datasets {
		if state.Entries[d.Name], err = n.redis.Lengths(ctx, d.Name, d.Shards); err != nil {
			return telemetry.Server{}, err
		}
	}
	return state, nil
}

// runWorker runs the worker until ctx ends and takes it off the list, so that
// the others have its share at once.
func (n *node) runWorker(ctx context.Context) error {
	err := n.worker.Run(ctx)
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if e := n.redis.Leave(leave, n.group(), n.owner); e != nil {
		n.log.Warn("not taken off the list of workers, the entry will expire", slog.Any("error", e))
	}
	return err
}

func (n *node) shards() []telemetry.Shard {
	var all []telemetry.Shard
	for _, s := range n.worker.Status() {
		all = append(all, telemetry.Shard{
			Dataset: s.Dataset, Number: s.Shard, Owned: s.Owned, Oldest: s.Oldest, KeyBytes: s.KeyBytes,
		})
	}
	return all
}

// unready lists why this process can't do its work; empty means ready.
func (n *node) unready(ctx context.Context) []string {
	var reasons []string
	if err := n.store.Ping(ctx); err != nil {
		reasons = append(reasons, "warehouse: "+err.Error())
	}
	if n.redis != nil {
		if _, err := n.redis.Info(ctx); err != nil {
			reasons = append(reasons, err.Error())
		}
	}
	if n.worker == nil {
		return reasons
	}
	for _, s := range n.worker.Status() {
		if s.Reason != "" && s.Reason != worker.HeldElsewhere {
			reasons = append(reasons, fmt.Sprintf("%s shard %d: %s", s.Dataset, s.Shard, s.Reason))
		}
	}
	return slices.Compact(reasons)
}

// names are the datasets' names.
func names(all []*dataset) []string {
	out := make([]string, len(all))
	for i, d := range all {
		out[i] = d.Name
	}
	return out
}
