package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/ingest"
	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

// ingestCmd runs a part of 'up' as a process of its own, so that readers can't starve producers.
type ingestCmd struct {
	Listen    string `help:"Address that takes events by POST." default:"127.0.0.1:8081"`
	Keys      string `help:"File of API keys; a request must have one that may write to the dataset (see 'estela key new --write'). Required beyond loopback." placeholder:"FILE"`
	AccessLog string `help:"Requests to log (${enum}); errors have status 400 and above." enum:"all,errors,none" default:"errors"`

	ingestFlags
	opsFlags
}

// ingestFlags are the limits of requests with events.
type ingestFlags struct {
	Body          byteSize      `name:"ingest-body" help:"Largest body of a POST of events, as it is sent." default:"16MiB"`
	Decoded       byteSize      `name:"ingest-decoded" help:"Largest body of a POST of events, without its compression." default:"128MiB"`
	Events        int           `name:"ingest-events" help:"Most events of a POST." default:"1000000"`
	EventSize     byteSize      `name:"ingest-event-size" help:"Largest event of a POST, 1MiB at most." default:"1MiB"`
	Requests      int           `name:"ingest-rate-limit" help:"Most POSTs of events a second of one client: a key or, without keys, an address. 0 is no limit." default:"0"`
	Bytes         int64         `name:"ingest-byte-limit" help:"Most bytes a second of one client's POSTs of events, without their compression. 0 is no limit." default:"0"`
	InFlight      int           `name:"ingest-in-flight" help:"POSTs of events that are read and published at once; one client has at most half of them." default:"256"`
	Waiting       int           `name:"ingest-waiting" help:"POSTs of events that wait until the warehouse has them (?durability=stored)." default:"10000"`
	BodyTimeout   time.Duration `name:"ingest-body-timeout" help:"Time for a whole body of a POST of events." default:"30s"`
	StoredTimeout time.Duration `name:"ingest-stored-timeout" help:"How long a POST of events waits until the warehouse has them; then the answer is 202." default:"30s"`
	SpoolBytes    byteSize      `name:"ingest-spool-bytes" help:"Disk in the temporary directory for the events of large POSTs (above a megabyte), of all clients; one client may use half of it." default:"4GB"`
}

// Run is 'estela ingest'.
func (c *ingestCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	var end cleanup
	defer func() { err = errors.Join(err, end.run()) }()
	all, err := g.load()
	if err != nil {
		return err
	}
	url, err := g.redisURL(ctx)
	if err != nil {
		return err
	}
	// Ports first: one in use fails fast.
	at := &datadir.Process{}
	public, keys, err := c.listen(&at.API, &end)
	if err != nil {
		return err
	}
	private, err := listen(c.OpsListen, "--ops-listen", &at.Ops, &end)
	if err != nil {
		return err
	}
	log := g.logger(s)
	client, err := g.openRedis(ctx, url, log)
	if err != nil {
		return err
	}
	end.add(client.Close)
	taken, err := publishable(ctx, client, all)
	if err != nil {
		return err
	}
	taken = g.postable(taken)
	n := &core{g: g, log: log, datasets: all, metrics: telemetry.New(dataset.Names(all))}
	duckdb := database.Version()
	n.metrics.Build(telemetry.Build{Version: version(), DuckDB: duckdb, Supported: database.MotherDuckTakes(duckdb)})
	parts := group{func(ctx context.Context) error { return n.pushMetrics(ctx, &c.otlpFlags) }}
	to := &streamPublisher{}
	end.add(to.close)
	parts.add(to.open(client))
	posts, err := c.server(ctx, n, taken, to)
	if err != nil {
		return err
	}
	cfg := api.Config{
		Datasets: unread(taken), Logger: log, Observe: n.metrics.Request, Ingest: posts,
		Access: keys, LocalOnly: keys == nil, AccessLog: c.AccessLog, Pages: n.newPages(nil, nil),
	}
	accounting, err := n.newAccounting(to)
	if err != nil {
		return err
	}
	accounting.configure(&cfg)
	app, err := api.New(ctx, cfg)
	if err != nil {
		return err
	}
	w := &watcher{core: n, api: app, streams: s, access: keys}
	ops := operation.Health(func(ctx context.Context) []string {
		if _, err := client.Info(ctx); err != nil {
			return []string{err.Error()}
		}
		return nil
	}, n.metrics.Handler())
	parts.serve(app, public, accounting)
	parts.add(w.run)
	parts.add(func(ctx context.Context) error { return operation.Serve(ctx, private, ops) })
	log.Info("started ingest", slog.String("api", at.API), slog.String("redis", stream.Redact(url)), slog.String("ops", at.Ops))
	return parts.run(ctx)
}

// listen opens the port and reads the keys, without which it serves on loopback only.
func (c *ingestCmd) listen(at *string, end *cleanup) (net.Listener, *access.Authenticator, error) {
	l, err := listen(c.Listen, "--listen", at, end)
	if err != nil {
		return nil, nil, err
	}
	if c.Keys == "" {
		if !isLoopback(l) {
			return nil, nil, fault.Usagef("listen on %s: anyone who reaches it could write; give --keys FILE, or listen on 127.0.0.1", c.Listen)
		}
		return l, nil, nil
	}
	keys, err := loadAccess(c.Keys, tokenKeyFlags{})
	return l, keys, err
}

// unread are datasets without endpoints: nobody reads from this process.
func unread(contracts []*contract.Contract) []endpoint.Dataset {
	all := make([]endpoint.Dataset, len(contracts))
	for i, k := range contracts {
		all[i] = endpoint.Dataset{Name: k.Name, Description: k.Description}
	}
	return all
}

// publishable returns the contracts of the datasets to whose streams events may be published. It fails for one
// that breaks what the workers store by, or has columns that they don't know yet.
func publishable(ctx context.Context, client *stream.Client, all []*dataset.Dataset) (taken []*contract.Contract, err error) {
	for _, d := range all {
		if !stream.CanPublish(d.Contract) {
			continue
		}
		if err := checkPublishable(ctx, client, d); err != nil {
			return nil, err
		}
		lacking, err := unknownColumns(ctx, client, d)
		if err != nil {
			return nil, err
		}
		if len(lacking) > 0 {
			return nil, fault.Refusedf("%s: the running worker does not store %s: it was started with an earlier contract; restart 'estela up' or 'estela worker' first",
				d.Name, d.Columns[lacking[0]].Name)
		}
		taken = append(taken, d.Contract)
	}
	return taken, nil
}

// server returns the server of POST with the limits of the flags.
func (f *ingestFlags) server(ctx context.Context, c *core, contracts []*contract.Contract, to ingest.Publisher) (*ingest.Server, error) {
	s, err := ingest.New(ctx, ingest.Config{
		Contracts: contracts, Publisher: to, Observer: c.metrics, Logger: c.log,
		MaxBody: int64(f.Body), MaxDecoded: int64(f.Decoded), MaxEvents: f.Events, MaxLine: int(f.EventSize),
		Rate: f.Requests, Bytes: f.Bytes, MaxInFlight: f.InFlight, MaxWaiting: f.Waiting,
		BodyTimeout: f.BodyTimeout, StoredTimeout: f.StoredTimeout, SpoolBytes: int64(f.SpoolBytes),
	})
	if err != nil {
		return nil, err
	}
	c.metrics.Posts(func() telemetry.Posts {
		p := telemetry.Posts{MaxInFlight: f.InFlight, MaxWaiting: f.Waiting}
		p.InFlight, p.Waiting = s.Load()
		return p
	})
	return s, nil
}

// streamPublisher publishes to the streams of a server, once it is open.
type streamPublisher struct {
	opened atomic.Pointer[openPublisher]
}

type openPublisher struct {
	*stream.Appender
	*stream.StoredWatcher
}

// open begins to publish to the client's server. What it returns runs beside the server of POST, and close
// ends both.
func (p *streamPublisher) open(client *stream.Client) func(context.Context) error {
	to := &openPublisher{client.Appender(), client.StoredWatcher()}
	p.opened.Store(to)
	return func(ctx context.Context) error { to.Run(ctx); return nil }
}

func (p *streamPublisher) close() error {
	if to := p.opened.Load(); to != nil {
		to.Close()
	}
	return nil
}

// publishWith publishes to the engine's server once it has started.
func (p *streamPublisher) publishWith(ctx context.Context, starting *startingEngine) error {
	e, err := starting.await(ctx)
	if err != nil {
		return nil //nolint:nilerr // the worker's part returns it
	}
	return p.open(e.redis)(ctx)
}

var errNotOpen = errors.New("the streams are not open yet")

// Append implements ingest.Publisher.
func (p *streamPublisher) Append(k *contract.Contract, additions []event.Addition) error {
	if to := p.opened.Load(); to != nil {
		return to.Append(k, additions)
	}
	return errNotOpen
}

// Server implements ingest.Publisher.
func (p *streamPublisher) Server(ctx context.Context) (string, error) {
	if to := p.opened.Load(); to != nil {
		return to.Server(ctx)
	}
	return "", errNotOpen
}

// Await implements ingest.Publisher.
func (p *streamPublisher) Await(ctx context.Context, server string, k *contract.Contract, shard int, id event.ID) (event.ID, error) {
	if to := p.opened.Load(); to != nil {
		return to.Await(ctx, server, k, shard, id)
	}
	return event.ID{}, errNotOpen
}
