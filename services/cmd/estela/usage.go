package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/usage"
)

// usageGrace is how long the last minute's usage may take to be published when the process stops.
const usageGrace = 2 * time.Second

// accounting counts what this process answers, and publishes it. Nil, without --usage, does nothing.
type accounting struct {
	meter *usage.Meter
	// ended is closed once the last minute is published, or given up.
	ended chan struct{}
}

// newAccounting returns the accounting of --usage, which publishes to the streams; nil without that flag.
func (c *core) newAccounting(to usage.Publisher) (*accounting, error) {
	if !c.g.Usage {
		return nil, nil
	}
	d, err := dataset.Pick(c.datasets, dataset.Usage)
	if err != nil {
		return nil, err
	}
	a := &accounting{usage.New(d.Contract, to, c.log), make(chan struct{})}
	c.metrics.Usage(a.meter.Pending, a.meter.Lost)
	return a, nil
}

func (a *accounting) configure(cfg *api.Config) {
	if a != nil {
		cfg.Account = func(one api.Answer) { a.meter.Add(usage.Answer(one)) }
	}
}

// run publishes each minute until ctx ends, and the rest once nothing is served any more.
func (a *accounting) run(ctx context.Context, served <-chan struct{}) error {
	if a == nil {
		return nil
	}
	defer close(a.ended)
	a.meter.Run(ctx)
	<-served
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), usageGrace)
	defer cancel()
	a.meter.Close(grace)
	return nil
}

// store waits until the worker, which is about to stop, has stored what was published at last.
func (a *accounting) store(ctx context.Context, e *engine) {
	if a == nil {
		return
	}
	<-a.ended
	d, err := dataset.Pick(e.core.datasets, dataset.Usage)
	if err == nil {
		err = e.drain(ctx, d)
	}
	if err != nil {
		e.core.log.Warn("the last usage is in Redis and not stored yet: the next start stores it", slog.Any("error", err))
	}
}

// openUsage publishes to the Redis of the flags, for an API without a worker.
func (c *core) openUsage(ctx context.Context, to *streamPublisher, parts *group, end *cleanup) error {
	if !c.g.Usage {
		return nil
	}
	client, err := c.g.openRedis(ctx, c.g.Redis, c.log)
	if err != nil {
		return err
	}
	end.add(client.Close)
	d, err := dataset.Pick(c.datasets, dataset.Usage)
	if err != nil {
		return err
	}
	if err := checkPublishable(ctx, client, d); err != nil {
		return err
	}
	end.add(to.close)
	parts.add(to.open(client))
	return nil
}

// checkUsage refuses --usage without a Redis to publish to.
func (g *Globals) checkUsage() error {
	if g.Usage && g.Redis == "" {
		return fault.Usagef("--usage publishes to the Redis that the worker reads: give its URL with --redis, or leave --usage out")
	}
	return nil
}

// postable returns the contracts of those that may take events by POST: not the one that this program counts
// itself, for whoever could write to it could write what others are billed.
func (g *Globals) postable(all []*contract.Contract) []*contract.Contract {
	return slices.DeleteFunc(all, func(k *contract.Contract) bool { return g.Usage && k.Name == dataset.Usage })
}
