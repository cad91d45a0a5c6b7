package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// ownership is the warehouse and the Redis of a command that changes what belongs to whom or
// how it is stored. Nothing else may run on the data directory.
type ownership struct {
	store *warehouse.Warehouse
	redis *stream.Client
	house contract.Warehouse
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
	url := g.Redis
	if url == "" {
		if _, err := os.Stat(filepath.Join(g.DataDir, "redis")); err != nil {
			return usageError{errors.New("no Redis: give --redis URL, the one that the worker is given")}
		}
		if o.local, err = startRedis(ctx, g.DataDir, log); err != nil { // that of 'estela up', which does not run
			return err
		}
		url = o.local.url
	}
	if o.redis, err = g.openRedis(ctx, url, log); err != nil {
		return err
	}
	if o.store, err = g.openWarehouse(ctx, all, false, log); err != nil {
		return err
	}
	o.house, err = describe(ctx, o.store)
	return err
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

func warehouseName(w contract.Warehouse) string {
	if w.Identity == "" {
		return "a warehouse that is not noted"
	}
	return w.String()
}
