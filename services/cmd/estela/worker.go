package main

import (
	"context"
	"log/slog"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/redisserver"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

// workerCmd and apiCmd run the parts of 'up' as processes of their own, which
// share a MotherDuck database (a DuckDB file admits one process).
type workerCmd struct {
	workerFlags
	opsFlags
}

type workerFlags struct {
	AcceptLoss bool `help:"Continue where a stream has lost events that were not stored."`
}

// publishNothing is process.publish where only other processes publish.
func publishNothing(context.Context, *engine, *telemetry.Tracing, bool) error { return nil }

// Run is 'estela worker'.
func (c *workerCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	url, err := g.redisURL(ctx)
	if err != nil {
		return err
	}
	p := &process{ops: &c.opsFlags, worker: &c.workerFlags, redis: url, publish: publishNothing}
	p.started = func(n *core, at *datadir.Process, _ *redisserver.Server) {
		n.log.Info("started worker",
			slog.String("redis", stream.Redact(url)), slog.String("warehouse", n.store.Location()), slog.String("ops", at.Ops))
	}
	return p.run(ctx, g, s)
}
