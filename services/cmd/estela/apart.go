package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

// workerCmd and apiCmd run the parts of 'up' as processes of their own, which
// share a MotherDuck database (a DuckDB file admits one process).
type workerCmd struct {
	workerFlags
	opsFlags
}

type apiCmd struct {
	listenFlags
}

// Run is 'estela worker'.
func (c *workerCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	n := &node{g: g, log: g.logger(s)}
	if n.datasets, err = g.datasets(); err != nil {
		return err
	}
	url, err := g.redisURL(ctx)
	if err != nil {
		return err
	}
	if err := g.claimDataDir(ctx); err != nil {
		return err
	}
	var end cleanup
	defer func() { err = errors.Join(err, end.run()) }()
	ops, err := listen(c.OpsListen, "--ops-listen")
	if err != nil {
		return err
	}
	end.add(closing(ops))
	if n.redis, err = g.openRedis(ctx, url, n.log); err != nil {
		return err
	}
	end.add(n.redis.Close)
	if n.store, err = g.openWarehouse(ctx, n.datasets, false, n.log); err != nil {
		return err
	}
	end.add(n.store.Close)
	control, remove, err := listenControl(g.DataDir)
	if err != nil {
		return err
	}
	end.add(func() error { remove(); return nil })
	n.metrics = n.measured()
	if err := n.trace(ctx, &c.otlpFlags, &end); err != nil {
		return err
	}
	if err := n.addWorker(ctx, worker.Config{AcceptLoss: c.AcceptLoss}); err != nil {
		return err
	}
	run := &runFile{PID: os.Getpid(), Redis: withoutPassword(url), Control: control.Addr().String(), Ops: ops.Addr().String()}
	removeRun, err := run.write(g.DataDir)
	if err != nil {
		return err
	}
	end.add(func() error { removeRun(); return nil })
	n.log.Info("worker runs",
		slog.String("redis", stream.Redact(url)), slog.String("warehouse", n.store.Location()), slog.String("ops", run.Ops))

	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return n.runWorker(ctx) })
	parts.Go(func() error { return n.serveOps(ctx, ops) })
	parts.Go(func() error { return n.pushMetrics(ctx, &c.otlpFlags) })
	parts.Go(func() error { return serve(ctx, control, n.opsHandler()) })
	return parts.Wait()
}

// Run is 'estela api'.
func (c *apiCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	n := &node{g: g, log: g.logger(s)}
	if n.datasets, err = g.datasets(); err != nil {
		return err
	}
	if err := c.checkWatch(g); err != nil {
		return err
	}
	var end cleanup
	defer func() { err = errors.Join(err, end.run()) }()
	l, err := c.open(&end)
	if err != nil {
		return err
	}
	if n.store, err = g.openWarehouse(ctx, n.datasets, true, n.log); err != nil {
		return err
	}
	end.add(n.store.Close)
	n.metrics = n.measured()
	if err := n.trace(ctx, &c.otlpFlags, &end); err != nil {
		return err
	}
	requests := make(chan struct{}, 1)
	app, err := n.newAPI(ctx, c.api, func(cfg *api.Config) {
		if n.tracing != nil {
			cfg.Observe = n.observeAnd(requests)
		}
	})
	if err != nil {
		return err
	}
	n.log.Info("api runs",
		slog.Any("api", l.api.Addr()), slog.String("warehouse", n.store.Location()), slog.Any("ops", l.ops.Addr()))
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return serveAPI(ctx, app, l.api) })
	parts.Go(func() error { return n.watch(ctx, &c.listenFlags, app) })
	parts.Go(func() error { return n.watchCommits(ctx, requests, readableEvery) })
	parts.Go(func() error { return n.serveOps(ctx, l.ops) })
	parts.Go(func() error { return n.pushMetrics(ctx, &c.otlpFlags) })
	return parts.Wait()
}

// serveOps serves health and metrics on a listener that others may reach.
func (n *node) serveOps(ctx context.Context, l net.Listener) error {
	return serve(ctx, l, guarded(n.opsHandler(), os.Getenv("ESTELA_OPS_TOKEN")))
}

// newAPI makes the API and checks every endpoint against the tables.
func (n *node) newAPI(ctx context.Context, change ...func(*api.Config)) (*api.Server, error) {
	cfg := api.Config{Datasets: apiDatasets(n.datasets), Reader: n.store, Logger: n.log, Observe: n.metrics.Request}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if cfg.Memory, err = n.g.watchMemory(); err != nil {
		return nil, err
	}
	app, err := api.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return app, app.Check(ctx)
}

func apiDatasets(all []*dataset) []endpoint.Dataset {
	served := make([]endpoint.Dataset, len(all))
	for i, d := range all {
		served[i] = endpoint.Dataset{
			Name: d.Name, Description: d.Description, Endpoints: d.endpoints, Views: d.views, Tables: slices.Sorted(maps.Keys(d.references)), Columns: d.Columns,
			System: warehouse.SystemColumns(),
		}
	}
	return served
}

// serveAPI answers until ctx ends, then lets requests finish.
func serveAPI(ctx context.Context, app *api.Server, l net.Listener) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return app.Serve(l) })
	parts.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		return app.Shutdown(grace)
	})
	return parts.Wait()
}
