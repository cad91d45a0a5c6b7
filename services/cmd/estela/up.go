package main

import (
	"context"
	"io"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/redisserver"
	"github.com/estela-dev/estela/services/internal/stream"
)

type upCmd struct {
	NoSample bool `help:"Don't publish the datasets' samples."`
	Rate     int  `help:"Events a second of a sample; 0 is no limit." default:"5000"`

	workerFlags
	listenFlags
	ingestFlags
}

// Run is 'estela up'.
func (c *upCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	if err := c.check(g); err != nil {
		return err
	}
	p := &process{ops: &c.opsFlags, api: &c.listenFlags, ingest: &c.ingestFlags, worker: &c.workerFlags, redis: g.Redis, publish: publishNothing}
	line, s := newStatusLine(s)
	if !c.NoSample {
		p.publish = (&sampler{rate: c.Rate, s: s}).publish
	}
	var page string
	p.started = func(n *core, at *datadir.Process, redis *redisserver.Server) {
		page = "http://" + at.API + "/"
		printStartup(s.out, n, at, redis)
	}
	if line != nil {
		p.beside = func(ctx context.Context, e *engine) error {
			return line.follow(ctx, func() string {
				reason, rejects := e.rejects.mostFrequent()
				return pipelineStatus(e.worker.Status(), page, reason, rejects)
			})
		}
	}
	return p.run(ctx, g, s)
}

// printStartup prints the addresses of every part and an example request.
func printStartup(out io.Writer, c *core, at *datadir.Process, redis *redisserver.Server) {
	say(out, "Estela %s", version())
	say(out, "  Redis      %s", redis.Kind)
	if redis.URL != redis.Kind {
		say(out, "             %s", stream.Redact(redis.URL))
	}
	say(out, "  warehouse  %s", c.store.Location())
	say(out, "  page       http://%s/", at.API)
	say(out, "  API        http://%s/v1  /docs", at.API)
	say(out, "  ops        http://%s/readyz  /metrics", at.Ops)
	if path := dataset.Example(c.datasets); path != "" {
		say(out, "\nTry:  curl -s 'http://%s%s'\n", at.API, path)
	}
}
