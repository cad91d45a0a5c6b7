package main

import (
	"context"
	"crypto/rand"
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

// leaseTTL is the life of a shard's lease; it is renewed three times in it.
const leaseTTL = 15 * time.Second

// engine is a worker with the streams that it reads and the warehouse that it commits to.
type engine struct {
	core   *core
	redis  *stream.Client
	owner  string               // the worker's token on leases and in the membership
	known  *inventory.Inventory // before the worker began
	worker *worker.Worker
}

// newEngine makes the worker of every shard of every dataset, unless one of them is another
// warehouse's, and registers the contracts for producers. What no worker reads is logged.
func newEngine(ctx context.Context, c *core, redis *stream.Client, acceptLoss bool) (*engine, error) {
	known, err := inventory.Take(ctx, c.store)
	if err != nil {
		return nil, err
	}
	e := &engine{core: c, redis: redis, owner: rand.Text(), known: known}
	contracts := dataset.Contracts(c.datasets)
	if err := redis.ClaimShards(ctx, contracts, known.Warehouse); err != nil {
		return nil, err
	}
	if err := e.registerContracts(ctx, true); err != nil {
		return nil, err
	}
	left, err := known.Leftovers(ctx, contracts, redis)
	for _, l := range left {
		c.log.Warn("no worker reads this", slog.String("dataset", l.Dataset), slog.String("found", l.Found), slog.String("hint", l.Fix))
	}
	if err != nil {
		return nil, err
	}
	cfg := worker.Config{
		Contracts: contracts, Sink: c.store, Observer: c.metrics, Logger: c.log,
		Renew: leaseTTL / 3, Live: e.live, AcceptLoss: acceptLoss,
		Source: func(k *contract.Contract, shard int) worker.Source {
			return redis.Shard(k.Name, shard, e.owner, stream.ShardConfig{
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

// registerContracts lets producers know by what the datasets are stored.
func (e *engine) registerContracts(ctx context.Context, replace bool) error {
	for _, d := range e.core.datasets {
		if err := e.redis.RegisterContract(ctx, d.Contract, e.known.Versions(d.Name), replace); err != nil {
			return err
		}
	}
	return nil
}

// membership names the workers among which the shards are balanced.
func (e *engine) membership() string {
	all := dataset.Names(e.core.datasets)
	slices.Sort(all)
	return e.known.Warehouse.Identity + ":" + strings.Join(all, ",")
}

// live sends a heartbeat and counts the live workers. A FLUSHALL takes the contracts along with
// the membership: they are registered again.
func (e *engine) live(ctx context.Context) (int, error) {
	if err := e.registerContracts(ctx, false); err != nil {
		return 0, err
	}
	return e.redis.Heartbeat(ctx, e.membership(), e.owner, leaseTTL)
}

// run runs the worker until ctx ends and leaves the membership, so that the others take over
// its shards at once.
func (e *engine) run(ctx context.Context) error {
	err := e.worker.Run(ctx)
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := e.redis.Leave(leave, e.membership(), e.owner); err != nil {
		e.core.log.Warn("leaving the membership failed, the entry will expire", slog.Any("error", err))
	}
	return err
}

// awaitDrained waits until all that was published is committed, for the embedded
// Redis takes the rest with it.
func (e *engine) awaitDrained(ctx context.Context) {
	for _, d := range e.core.datasets {
		if err := e.drain(ctx, d); err != nil {
			e.core.log.Warn("not all that was published is stored", slog.String("dataset", d.Name), slog.Any("error", err))
		}
	}
}

// drain waits until what the dataset's streams hold is committed; once ctx has
// ended, stopGrace longer at most.
func (e *engine) drain(ctx context.Context, d *dataset.Dataset) error {
	return e.worker.Drained(intake.Lasting(ctx, stopGrace), d.Contract)
}

// server asks Redis what its metrics are made of.
func (e *engine) server(ctx context.Context) (telemetry.Redis, error) {
	info, err := e.redis.Info(ctx)
	if err != nil {
		return telemetry.Redis{}, err
	}
	state := telemetry.Redis{
		Memory: info.UsedMemory, MaxMemory: info.MaxMemory, ClockSkew: info.ClockSkew, Entries: map[string][]int64{},
	}
	for _, d := range e.core.datasets {
		if state.Entries[d.Name], err = e.redis.Lengths(ctx, d.Name, d.Shards); err != nil {
			return telemetry.Redis{}, err
		}
	}
	return state, nil
}

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
	reasons := (&detached{e.core}).Unready(ctx)
	if _, err := e.redis.Info(ctx); err != nil {
		reasons = append(reasons, err.Error())
	}
	for _, s := range e.worker.Status() {
		if s.Reason != "" && s.Reason != worker.HeldElsewhere {
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

// detached is the pipeline of a process without a worker: Redis and worker live as long as the
// request that needs them.
type detached struct{ core *core }

// Unready implements operation.Pipeline.
func (d *detached) Unready(ctx context.Context) []string {
	if err := d.core.store.Ping(ctx); err != nil {
		return []string{"warehouse: " + err.Error()}
	}
	return nil
}

// Redis implements operation.Pipeline.
func (d *detached) Redis(ctx context.Context) (*stream.Client, func(), error) {
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
func (d *detached) Worker(ctx context.Context) (*worker.Worker, func() error, error) {
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
func (d *detached) Commit(ctx context.Context, b *contract.Batch) error {
	return worker.Store(ctx, nil, d.core.store, b)
}
