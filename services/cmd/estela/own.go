package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// ownership is the warehouse and the Redis of a command that changes what belongs to whom or
// how it is stored. Nothing else may run on the data directory.
type ownership struct {
	store *warehouse.Warehouse
	redis *stream.Client
	house event.Warehouse
	local *localRedis // nil where --redis names one
}

// takeHold opens both, and brings the tables of the datasets up to their contracts.
func (g *Globals) takeHold(ctx context.Context, all []*dataset, s *streams) (*ownership, error) {
	running, err := readRunFile(ctx, g.DataDir)
	if err != nil {
		return nil, err
	}
	if running != nil {
		return nil, refusedError{fmt.Errorf("estela runs in %s, as process %d: stop it first", g.DataDir, running.PID)}
	}
	if err := g.makeDataDir(); err != nil {
		return nil, err
	}
	o, log := &ownership{}, g.logger(s)
	if err := o.open(ctx, g, all, log); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *ownership) open(ctx context.Context, g *Globals, all []*dataset, log *slog.Logger) (err error) {
	if o.store, err = g.openWarehouse(ctx, all, false, log); err != nil {
		return err
	}
	if o.house, err = describe(ctx, o.store); err != nil {
		return err
	}
	url := g.Redis
	if url == "" {
		if o.local, err = o.own(ctx, g.DataDir, log); err != nil {
			return err
		}
		url = o.local.url
	}
	o.redis, err = g.openRedis(ctx, url, log)
	return err
}

// own is the Redis of the 'estela up' that ran on the data directory: its redis-server, or an
// embedded one, of which nothing is left, if all that is stored came from such. Anything else
// might be another than the one that the worker is given.
func (o *ownership) own(ctx context.Context, dataDir string, log *slog.Logger) (*localRedis, error) {
	if _, err := os.Stat(filepath.Join(dataDir, "redis")); err == nil {
		return startRedis(ctx, dataDir, log)
	}
	positions, err := o.store.Positions(ctx)
	if err != nil {
		return nil, err
	}
	if len(positions) == 0 || slices.ContainsFunc(positions, func(p event.Position) bool { return p.RunID != "" && !stream.IsEmbedded(p.RunID) }) {
		return nil, usageError{errors.New("no Redis: give --redis URL, the one that the worker is given")}
	}
	return startEmbedded()
}

func (o *ownership) close() error {
	var errs []error
	if o.store != nil {
		errs = append(errs, o.store.Close())
	}
	if o.redis != nil {
		errs = append(errs, o.redis.Close())
	}
	if o.local != nil {
		o.local.stop()
	}
	return errors.Join(errs...)
}

// leased refuses while a worker reads one of the shards.
func leased(dataset string, streams []stream.Summary) error {
	for _, s := range streams {
		if s.Lease != "" {
			return refusedError{fmt.Errorf("a worker of %s still holds the lease of %s: stop it first; one that was killed is forgotten within %s",
				warehouseName(s.Owner), stream.Key(dataset, s.Shard), leaseTTL)}
		}
	}
	return nil
}

func warehouseName(w event.Warehouse) string {
	if w.Identity == "" {
		return "a warehouse that is not noted"
	}
	return w.String()
}
