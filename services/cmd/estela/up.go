package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/worker"
)

type upCmd struct {
	listenFlags
	workerFlags

	NoSample bool `help:"Don't publish the datasets' samples."`
	Rate     int  `help:"Events a second at which a sample is published; 0 is as fast as it goes." default:"5000"`
}

type listenFlags struct {
	opsFlags

	Listen    string   `help:"Address of the API." default:"127.0.0.1:8080"`
	Anonymous bool     `help:"Let anyone read who reaches the API, beyond loopback and under any name."`
	Keys      string   `help:"File of the API keys of which a request must bear one (see 'estela key new'). It is read again when it changes; without it no key is good." placeholder:"FILE"`
	RateLimit int      `help:"Requests a second that one client may make: a key, or without keys an address. 0 is any number." default:"0"`
	CORS      []string `name:"cors" help:"Web origin whose pages may read answers; may be given several times. Default: none." placeholder:"ORIGIN"`
	Spool     byteSize `name:"spool-bytes" help:"What large answers that are made or read may take in the temporary directory, all together; one client's half of it." default:"4GB"`
	AccessLog string   `help:"Which requests are logged (${enum}); errors are those of status 400 and above." enum:"all,errors,none" default:"errors"`
	Watch     bool     `help:"Serve edited endpoints of --data within a second; a broken edit leaves the last good one."`

	keys *api.Keys
}

type opsFlags struct {
	otlpFlags

	OpsListen string `help:"Address of /livez, /readyz and /metrics; keep it private. The token in ESTELA_OPS_TOKEN opens /ops/ on it." default:"127.0.0.1:9090"`
}

type workerFlags struct {
	AcceptLoss bool `help:"Go on where a stream no longer holds events that are not stored."`
}

// Run is 'estela up'. The order: what can be refused first, then what others
// need, the listeners last but before anything is promised on the terminal.
func (c *upCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	n := &node{g: g, log: g.logger(s)}
	if n.datasets, err = g.datasets(); err != nil {
		return err
	}
	if err := c.checkWatch(g); err != nil {
		return err
	}
	if err := g.claimDataDir(ctx); err != nil {
		return err
	}
	var end cleanup
	defer func() { err = errors.Join(err, end.run()) }()

	listeners, err := c.open(&end)
	if err != nil {
		return err
	}
	// The warehouse first: it is what another process may hold.
	if n.store, err = g.openWarehouse(ctx, n.datasets, false, n.log); err != nil {
		return err
	}
	end.add(n.store.Close)

	run := &runFile{PID: os.Getpid(), API: listeners.api.Addr().String(), Ops: listeners.ops.Addr().String()}
	control, removeControl, err := listenControl(g.DataDir)
	if err != nil {
		return err
	}
	end.add(func() error { removeControl(); return nil })
	run.Control = control.Addr().String()
	listeners.control = control

	n.metrics = n.measured()
	if err := n.trace(ctx, &c.otlpFlags, &end); err != nil {
		return err
	}
	if listeners.app, err = n.newAPI(ctx, c.api); err != nil {
		return err
	}

	local := &localRedis{url: g.Redis, kind: stream.Redact(g.Redis), stop: func() {}, keep: nothingToKeep}
	if g.Redis == "" {
		if local, err = startRedis(ctx, g.DataDir, n.log); err != nil {
			return err
		}
	}
	end.add(func() error { local.stop(); return nil })
	run.Redis = withoutPassword(local.url)
	if n.redis, err = g.openRedis(ctx, local.url, n.log); err != nil {
		return err
	}
	end.add(n.redis.Close)

	if err := n.addWorker(ctx, worker.Config{AcceptLoss: c.AcceptLoss}); err != nil {
		return err
	}
	remove, err := run.write(g.DataDir)
	if err != nil {
		return err
	}
	end.add(func() error { remove(); return nil })
	c.greet(s, n, run, local)
	return c.serve(ctx, s, n, local, listeners)
}

// serve runs the parts until ctx ends or one of them fails. The worker stops
// after the publishing, so that what was published is stored.
func (c *upCmd) serve(ctx context.Context, s *streams, n *node, local *localRedis, l *listeners) error {
	g, ctx := errgroup.WithContext(ctx)
	working, stopWorker := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer stopWorker()
		if err := c.publishSamples(ctx, s, n, local.embedded); err != nil {
			return err
		}
		<-ctx.Done()
		if local.embedded {
			n.awaitDrained(ctx)
		}
		return nil
	})
	g.Go(func() error { return local.keep(ctx) })
	g.Go(func() error { return n.runWorker(working) })
	g.Go(func() error { return serveAPI(ctx, l.app, l.api) })
	g.Go(func() error { return n.watch(ctx, &c.listenFlags, l.app) })
	g.Go(func() error { return n.serveOps(ctx, l.ops) })
	g.Go(func() error { return n.pushMetrics(ctx, &c.otlpFlags) })
	g.Go(func() error { return serve(ctx, l.control, n.opsHandler()) })
	return g.Wait()
}

// listeners are where a process answers, and the API that does.
type listeners struct {
	api, ops, control net.Listener
	app               *api.Server
}

// api sets what the flags say of the API.
func (f *listenFlags) api(cfg *api.Config) {
	cfg.LocalOnly = !f.Anonymous && f.Keys == "" // then it listens on loopback: see open
	cfg.Keys, cfg.Rate, cfg.Origins, cfg.AccessLog = f.keys, f.RateLimit, f.CORS, f.AccessLog
	cfg.SpoolBytes = int64(f.Spool)
}

func (f *listenFlags) open(end *cleanup) (*listeners, error) {
	l := &listeners{}
	var err error
	if l.api, err = listen(f.Listen, "--listen"); err != nil {
		return nil, err
	}
	end.add(closing(l.api))
	if f.Keys != "" && f.Anonymous {
		return nil, usageError{errors.New("--keys and --anonymous contradict each other: leave one out")}
	}
	if at, ok := l.api.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && !f.Anonymous && f.Keys == "" {
		return nil, usageError{fmt.Errorf(
			"listen on %s: anyone who reaches it could read everything; give --keys FILE, or say --anonymous if that is meant, or listen on 127.0.0.1", f.Listen)}
	}
	if err := f.loadKeys(); err != nil {
		return nil, err
	}
	if l.ops, err = listen(f.OpsListen, "--ops-listen"); err != nil {
		return nil, err
	}
	end.add(closing(l.ops))
	return l, nil
}

func closing(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("close listener: %w", err)
		}
		return nil
	}
}

// greet says what runs where, and one thing to try.
func (c *upCmd) greet(s *streams, n *node, run *runFile, local *localRedis) {
	say(s.out, "Estela %s", version())
	say(s.out, "  Redis      %s", local.kind)
	if local.url != local.kind {
		say(s.out, "             %s", stream.Redact(local.url))
	}
	say(s.out, "  warehouse  %s", n.store.Location())
	say(s.out, "  API        http://%s/v1  /docs", run.API)
	say(s.out, "  ops        http://%s/readyz  /metrics", run.Ops)
	if d := showcase(n.datasets); d != nil {
		say(s.out, "\nTry:  curl -s 'http://%s%s'\n", run.API, d.tryPath())
	}
}

// tryPath is an endpoint that answers without being told anything; if there is
// one, the first that the dataset's team would draw.
func (d *dataset) tryPath() string {
	path := "/v1"
	for _, e := range d.endpoints {
		if needsParams(e) {
			continue
		}
		if e.Chart != nil {
			return "/v1/" + d.Name + "/" + e.Name
		}
		if path == "/v1" {
			path += "/" + d.Name + "/" + e.Name
		}
	}
	return path
}

// showcase is the dataset to try first: one with a sample, which has something to show.
func showcase(all []*dataset) (chosen *dataset) {
	for _, d := range all {
		switch {
		case len(d.endpoints) == 0:
		case d.sample != "":
			return d
		case chosen == nil:
			chosen = d
		}
	}
	return chosen
}

func needsParams(e endpoint.Endpoint) bool {
	for _, p := range e.Params {
		if p.Required {
			return true
		}
	}
	return false
}

// awaitDrained waits until all that was published is committed, for the embedded
// Redis takes the rest with it.
func (n *node) awaitDrained(ctx context.Context) {
	for _, d := range n.datasets {
		if err := n.drained(ctx, d); err != nil {
			n.log.Warn("not all that was published is stored", slog.String("dataset", d.Name), slog.Any("error", err))
		}
	}
}

// drained waits until what the dataset's streams hold is committed; once ctx has
// ended, stopGrace longer at most.
func (n *node) drained(ctx context.Context, d *dataset) error {
	bounded, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, cancel) })()
	return n.worker.Drained(bounded, d.Contract)
}

// cleanup runs what was added, last first.
type cleanup []func() error

func (c *cleanup) add(f func() error) { *c = append(*c, f) }

func (c *cleanup) run() error {
	var errs []error
	for _, f := range slices.Backward(*c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
