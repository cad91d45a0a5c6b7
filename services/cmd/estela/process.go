package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/redisserver"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// stopGrace is how long requests in flight may take when the process stops.
const stopGrace = 5 * time.Second

// process is the configuration of 'up', 'worker' and 'api'.
type process struct {
	ops *opsFlags
	// api and worker are nil in a process without the one or the other.
	api    *listenFlags
	worker *workerFlags
	// ingest is nil in a process that takes no events by POST.
	ingest *ingestFlags
	// starting is the worker, once run has opened the warehouse.
	starting *startingEngine
	// redis is the URL of the worker's server; empty starts one.
	redis string
	// publish runs once beside the worker, which outlives it.
	publish func(ctx context.Context, e *engine, tracing *telemetry.Tracing, embedded bool) error
	// beside runs beside the worker until its context ends; nil without.
	beside func(ctx context.Context, e *engine) error
	// accounting is nil without --usage, and without an API.
	accounting *accounting
	// started is called before the parts run; the worker may still have to wait for its Redis.
	started func(*core, *datadir.Process, *redisserver.Server)
}

// run starts the parts of the process in order, the worker behind the others, then runs them until ctx ends or one of them fails.
func (p *process) run(ctx context.Context, g *Globals, s *streams) (err error) {
	var end cleanup
	defer func() { err = errors.Join(err, end.run()) }()

	// The files first: their errors are found before anything is changed.
	all, err := g.load()
	if err != nil {
		return err
	}
	// An API alone shares the data directory and leaves nothing there.
	if p.worker != nil {
		if err := datadir.Prepare(ctx, g.DataDir); err != nil {
			return err
		}
	}
	// Ports before the warehouse, though they serve last: a port in use fails fast.
	at := &datadir.Process{PID: os.Getpid()}
	var public net.Listener
	if p.api != nil {
		if public, err = p.api.listen(&at.API, &end); err != nil {
			return err
		}
	}
	private, err := listen(p.ops.OpsListen, "--ops-listen", &at.Ops, &end)
	if err != nil {
		return err
	}
	// The warehouse before Redis: another process may have it open.
	c, err := newCore(ctx, g, all, p.worker == nil, g.logger(s))
	if err != nil {
		return err
	}
	end.add(c.store.Close)
	if g.here {
		c.log.Info("using the datasets of the current directory", slog.String("datasets", strings.Join(dataset.Names(all), ", ")))
	}
	// Tracing before anything that is traced.
	tracing, err := p.ops.tracing(ctx, c.log, &end)
	if err != nil {
		return err
	}
	c.metrics.Trace(tracing)
	parts := group{func(ctx context.Context) error { return c.pushMetrics(ctx, &p.ops.otlpFlags) }}
	// The API checks every endpoint against the tables: no stream is touched if one is wrong.
	posts := &streamPublisher{}
	p.starting = newStartingEngine(c)
	if p.api != nil {
		if err := p.addAPI(ctx, c, s, tracing, public, posts, &parts, &end); err != nil {
			return err
		}
	}
	// The worker last: from then on the streams belong to this warehouse.
	server, pipeline := redisserver.Remote(p.redis), operation.Pipeline(&onDemand{c})
	if p.worker != nil {
		if server, err = p.addWorker(ctx, c, tracing, &parts, &end); err != nil {
			return err
		}
		pipeline = p.starting
		if p.ingest != nil {
			end.add(posts.close)
			parts.add(func(ctx context.Context) error { return posts.publishWith(ctx, p.starting) })
		}
	}
	// Other commands find the process only now that it can serve them, or have them wait for the worker.
	ops := (&operation.Server{Datasets: all, Store: c.store, Metrics: c.metrics, Pipeline: pipeline}).Handler()
	parts.add(func(ctx context.Context) error {
		return operation.Serve(ctx, private, operation.RequireToken(ops, os.Getenv("ESTELA_OPS_TOKEN")))
	})
	if p.worker != nil {
		at.Redis = withoutPassword(server.URL)
		if err := addControl(g.DataDir, at, ops, &parts, &end); err != nil {
			return err
		}
	}
	p.started(c, at, server)
	return parts.run(ctx)
}

// addAPI adds the API and the watcher that reloads its files.
func (p *process) addAPI(
	ctx context.Context, c *core, s *streams, tracing *telemetry.Tracing, l net.Listener, posts *streamPublisher, parts *group, end *cleanup,
) (err error) {
	if p.accounting, err = c.newAccounting(posts); err != nil {
		return err
	}
	if p.worker == nil {
		if err := c.openUsage(ctx, posts, parts, end); err != nil {
			return err
		}
	}
	observe := c.metrics.Request
	if p.worker == nil && tracing != nil { // there is no worker to report commits
		requests := make(chan struct{}, 1)
		observe = notifying(observe, requests)
		parts.add(func(ctx context.Context) error { return c.watchCommits(ctx, tracing, requests, readableEvery) })
	}
	var taken api.Ingest
	if p.ingest != nil && p.api.mayWrite(l) {
		server, err := p.ingest.server(ctx, c, c.g.postable(dataset.Contracts(c.datasets)), posts)
		if err != nil {
			return err
		}
		taken = server
	}
	pages := c.newPages(nil, c.seenStreams(&onDemand{c}, func() string { return p.redis }))
	if p.worker != nil {
		pages = c.newPages(p.starting, c.seenStreams(p.starting, p.starting.url))
	}
	parts.add(pages.Run)
	app, err := c.newAPI(ctx, func(cfg *api.Config) {
		p.api.configure(cfg)
		p.accounting.configure(cfg)
		cfg.Observe, cfg.Ingest, cfg.Pages = observe, taken, pages
	})
	if err != nil {
		return err
	}
	w := &watcher{core: c, api: app, streams: s, files: p.api.Watch, access: p.api.access, writes: p.worker != nil}
	parts.serve(app, l, p.accounting)
	parts.add(w.run)
	return nil
}

// addWorker adds the worker and, if no URL is given, starts a redis-server. That one may have much to
// load, so the worker starts behind what the process serves.
func (p *process) addWorker(
	ctx context.Context, c *core, tracing *telemetry.Tracing, parts *group, end *cleanup,
) (*redisserver.Server, error) {
	server := redisserver.Remote(p.redis)
	if p.redis == "" {
		var err error
		if server, err = redisserver.Start(ctx, c.g.DataDir, c.log); err != nil {
			return nil, err
		}
	}
	end.add(func() error { server.Stop(); return nil })
	start := func(ctx context.Context) { p.starting.start(ctx, server, p.worker.AcceptLoss, end) }
	if p.redis == "" {
		parts.add(func(ctx context.Context) error { start(ctx); return nil })
	} else if start(ctx); p.starting.err != nil {
		return nil, p.starting.err
	}
	parts.add(func(ctx context.Context) error {
		e, err := p.starting.await(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped before it had started
		}
		if err != nil {
			return err
		}
		return p.work(ctx, e, server, tracing)
	})
	return server, nil
}

// work runs the worker, p.publish and what is beside them until ctx ends.
func (p *process) work(ctx context.Context, e *engine, server *redisserver.Server, tracing *telemetry.Tracing) error {
	outer := ctx
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	parts := group{server.Supervise}
	if p.beside != nil {
		parts.add(func(ctx context.Context) error { return p.beside(ctx, e) })
	}
	parts.add(func(context.Context) error { return e.run(working) })
	parts.add(func(ctx context.Context) error {
		defer stop() // after the publishing, so that what was published is stored
		if err := p.publish(ctx, e, tracing, server.Seal != nil); err != nil {
			return err
		}
		<-ctx.Done()
		if outer.Err() != nil { // else only the worker fails, and the API still serves
			p.accounting.store(ctx, e)
		}
		if server.Seal != nil {
			server.Seal()
			return e.awaitDrained(ctx)
		}
		return nil
	})
	return parts.run(ctx)
}

// addControl adds the control socket and registers the process in its data directory.
func addControl(dataDir string, at *datadir.Process, ops http.Handler, parts *group, end *cleanup) error {
	l, remove, err := operation.Listen(dataDir)
	if err != nil {
		return err
	}
	end.add(func() error { remove(); return nil })
	parts.add(func(ctx context.Context) error { return operation.Serve(ctx, l, ops) })
	at.Control = l.Addr().String()
	forget, err := at.Register(dataDir)
	if err != nil {
		return err
	}
	end.add(forget)
	return nil
}

// core is what every process with an open warehouse shares.
type core struct {
	g        *Globals
	log      *slog.Logger
	datasets []*dataset.Dataset
	store    *warehouse.Warehouse
	metrics  *telemetry.Metrics
	// edited is the outcome of the last reload of the files.
	edited edits
}

// newCore opens the warehouse of the flags and registers the datasets.
func newCore(ctx context.Context, g *Globals, all []*dataset.Dataset, readOnly bool, log *slog.Logger) (*core, error) {
	store, err := g.openWarehouse(ctx, all, readOnly, log)
	if err != nil {
		return nil, err
	}
	m := telemetry.New(dataset.Names(all))
	duckdb := database.Version()
	m.Build(telemetry.Build{Version: version(), DuckDB: duckdb, Supported: database.MotherDuckTakes(duckdb)})
	return &core{g: g, log: log, datasets: all, store: store, metrics: m}, nil
}

// newAPI creates the API and checks every endpoint against the tables.
func (c *core) newAPI(ctx context.Context, configure func(*api.Config)) (*api.Server, error) {
	cfg := api.Config{Datasets: served(c.datasets), Reader: c.store, Logger: c.log, Observe: c.metrics.Request}
	configure(&cfg)
	var err error
	if cfg.Memory, err = c.g.watchMemory(); err != nil {
		return nil, err
	}
	app, err := api.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return app, app.Check(ctx)
}

// serveAPI serves until ctx ends, then drains requests in flight.
func serveAPI(ctx context.Context, app *api.Server, l net.Listener) error {
	parts := group{func(context.Context) error { return app.Serve(l) }}
	parts.add(func(ctx context.Context) error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		return app.Shutdown(grace)
	})
	return parts.run(ctx)
}

// group is a list of functions that run concurrently until their context ends.
type group []func(context.Context) error

func (g *group) add(f func(context.Context) error) { *g = append(*g, f) }

// serve adds the API, and the accounting of what it answers.
func (g *group) serve(app *api.Server, l net.Listener, a *accounting) {
	served := make(chan struct{})
	g.add(func(ctx context.Context) error {
		defer close(served)
		return serveAPI(ctx, app, l)
	})
	g.add(func(ctx context.Context) error { return a.run(ctx, served) })
}

// run returns when all have ended. The first error cancels the others.
func (g *group) run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	for _, f := range *g {
		parts.Go(func() error { return f(ctx) })
	}
	return parts.Wait()
}

// cleanup is a list of deferred functions, which run last first.
type cleanup []func() error

func (c *cleanup) add(f func() error) { *c = append(*c, f) }

func (c *cleanup) run() error {
	var errs []error
	for _, f := range slices.Backward(*c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
