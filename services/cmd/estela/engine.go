package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/worker"
)

// leaseTTL is the time to live of a shard's lease; it is renewed every third of it.
const leaseTTL = 15 * time.Second

// engine is a worker with the streams that it reads and the warehouse that it commits to.
type engine struct {
	core   *core
	redis  *stream.Client
	owner  string               // the worker's token on leases and in the membership
	known  *inventory.Inventory // before the worker began
	worker *worker.Worker
	// rejects are those of this process, by reason.
	rejects *rejectReasons
}

// newEngine claims every shard of every dataset for this warehouse, registers the contracts for
// producers and creates the worker. It fails if another warehouse has claimed a shard. Data that no
// worker reads is logged.
func newEngine(ctx context.Context, c *core, redis *stream.Client, acceptLoss bool) (*engine, error) {
	known, err := inventory.Take(ctx, c.store)
	if err != nil {
		return nil, err
	}
	e := &engine{core: c, redis: redis, owner: rand.Text(), known: known, rejects: newRejectReasons(c.metrics)}
	contracts := dataset.Contracts(c.datasets)
	if err := redis.ClaimShards(ctx, contracts, known.Warehouse); err != nil {
		return nil, err
	}
	if err := e.registerContracts(ctx, true); err != nil {
		return nil, err
	}
	for _, one := range contracts {
		if len(one.Key) == 0 {
			c.log.Info("dataset has no key, so an event that is sent twice is stored twice", slog.String("dataset", one.Name))
		}
	}
	left, err := known.Leftovers(ctx, contracts, redis)
	for _, l := range left {
		c.log.Warn("data without a worker", slog.String("dataset", l.Dataset), slog.String("found", l.Found), slog.String("hint", l.Fix))
	}
	if err != nil {
		return nil, err
	}
	cfg := worker.Config{
		Contracts: contracts, Sink: c.store, Observer: e.rejects, Logger: c.log,
		Renew: leaseTTL / 3, Live: e.live, AcceptLoss: acceptLoss,
		Source: func(k *contract.Contract, shard int) worker.Source {
			return redis.Shard(k, shard, e.owner, stream.ShardConfig{
				Lease: leaseTTL, KeepFor: time.Hour, KeepMax: 100_000, Warehouse: known.Warehouse,
			})
		},
	}
	if c.store.Remote() {
		cfg.CommitEvery = 5 * time.Second
	}
	e.worker = worker.New(cfg)
	return e, nil
}

// registerContracts registers the contracts in Redis, for producers.
func (e *engine) registerContracts(ctx context.Context, replace bool) error {
	for _, d := range e.core.datasets {
		if err := e.redis.RegisterContract(ctx, d.Contract, e.known.Versions(d.Name), replace); err != nil {
			return err
		}
	}
	return nil
}

// membership returns the name of the group of workers that share the shards.
func (e *engine) membership() string {
	all := dataset.Names(e.core.datasets)
	slices.Sort(all)
	return e.known.Warehouse.Identity + ":" + strings.Join(all, ",")
}

// live sends a heartbeat and counts the live workers. It registers the contracts again, because a
// FLUSHALL removes them.
func (e *engine) live(ctx context.Context) (int, error) {
	if err := e.registerContracts(ctx, false); err != nil {
		return 0, err
	}
	return e.redis.Heartbeat(ctx, e.membership(), e.owner, leaseTTL)
}

// run runs the worker until ctx ends and then removes it from the membership, so that the others
// take over its shards at once.
func (e *engine) run(ctx context.Context) error {
	err := e.worker.Run(ctx)
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := e.redis.Leave(leave, e.membership(), e.owner); err != nil {
		e.core.log.Warn("deregister worker failed, its entry will expire", slog.Any("error", err))
	}
	return err
}

// awaitDrained waits until all published events are committed: the embedded Redis loses the rest when
// the process ends, which is an error.
func (e *engine) awaitDrained(ctx context.Context) error {
	var errs []error
	for _, d := range e.core.datasets {
		if err := e.drain(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("events of %s that were published are not stored, and are lost with the embedded Redis; "+
				"publish them again, what is stored is dropped (install redis-server to keep them): %w", d.Name, err))
		}
	}
	return errors.Join(errs...)
}

// drain waits until the dataset's streams are committed, at most stopGrace after the end of ctx.
func (e *engine) drain(ctx context.Context, d *dataset.Dataset) error {
	return e.worker.Drained(intake.WithGrace(ctx, stopGrace), d.Contract)
}

// server collects Redis' metrics.
func (e *engine) server(ctx context.Context) (telemetry.Redis, error) {
	info, err := e.redis.Info(ctx)
	if err != nil {
		return telemetry.Redis{}, err
	}
	state := telemetry.Redis{
		Memory: info.UsedMemory, MaxMemory: info.MaxMemory, ClockSkew: info.ClockSkew, Entries: map[string][]int64{},
	}
	for _, d := range e.core.datasets {
		if d.Stream != nil {
			continue // its owner trims it: its length says nothing of this pipeline
		}
		if state.Entries[d.Name], err = e.redis.Lengths(ctx, d.Contract); err != nil {
			return telemetry.Redis{}, err
		}
	}
	return state, nil
}

// shards collects the metrics of this process' shards.
func (e *engine) shards() []telemetry.Shard {
	var all []telemetry.Shard
	for _, s := range e.worker.Status() {
		all = append(all, telemetry.Shard{
			Dataset: s.Dataset, Number: s.Shard, Owned: s.Owned, Oldest: s.Oldest, KeyBytes: s.KeyBytes,
		})
	}
	return all
}

// Unready implements operation.Pipeline.
func (e *engine) Unready(ctx context.Context) []string {
	reasons := (&onDemand{e.core}).Unready(ctx)
	if _, err := e.redis.Info(ctx); err != nil {
		reasons = append(reasons, err.Error())
	}
	for _, s := range e.worker.Status() {
		if s.Failing() {
			reasons = append(reasons, fmt.Sprintf("%s shard %d: %s", s.Dataset, s.Shard, s.Reason))
		}
	}
	return slices.Compact(reasons)
}

// Redis implements operation.Pipeline.
func (e *engine) Redis(context.Context) (*stream.Client, func(), error) {
	return e.redis, func() {}, nil
}

// Worker implements operation.Pipeline.
func (e *engine) Worker(context.Context) (*worker.Worker, func() error, error) {
	return e.worker, func() error { return nil }, nil
}

// Commit implements operation.Pipeline.
func (e *engine) Commit(ctx context.Context, b *contract.Batch) error {
	return worker.Store(ctx, e.worker, e.core.store, b)
}

// onDemand is the pipeline of a process without a worker: it connects to Redis and starts a worker for
// one request.
type onDemand struct{ core *core }

// Unready implements operation.Pipeline.
func (d *onDemand) Unready(ctx context.Context) []string {
	if err := d.core.store.Ping(ctx); err != nil {
		return []string{"warehouse: " + err.Error()}
	}
	return nil
}

// Redis implements operation.Pipeline.
func (d *onDemand) Redis(ctx context.Context) (*stream.Client, func(), error) {
	url, err := d.core.g.redisURL(ctx)
	if err != nil {
		return nil, nil, err
	}
	client, err := d.core.g.openRedis(ctx, url, d.core.log)
	if err != nil {
		return nil, nil, err
	}
	return client, func() { _ = client.Close() }, nil
}

// Worker implements operation.Pipeline.
func (d *onDemand) Worker(ctx context.Context) (*worker.Worker, func() error, error) {
	client, release, err := d.Redis(ctx)
	if err != nil {
		return nil, nil, err
	}
	e, err := newEngine(ctx, d.core, client, false)
	if err != nil {
		release()
		return nil, nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- e.run(running) }()
	return e.worker, func() error {
		defer release()
		cancel()
		return <-ended
	}, nil
}

// Commit implements operation.Pipeline.
func (d *onDemand) Commit(ctx context.Context, b *contract.Batch) error {
	return worker.Store(ctx, nil, d.core.store, b)
}
