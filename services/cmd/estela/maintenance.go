package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/redisserver"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// maintenance is the warehouse and the Redis of a command that changes the ownership of streams or
// a contract. No other process may run on the data directory.
type maintenance struct {
	store    *warehouse.Warehouse
	redis    *stream.Client
	identity event.Warehouse
	end      cleanup
}

// maintenance opens both and migrates the datasets' tables to their contracts.
func (g *Globals) maintenance(ctx context.Context, all []*dataset.Dataset, s *streams) (m *maintenance, err error) {
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil {
		return nil, err
	}
	if running != nil {
		return nil, fault.Refusedf("estela runs in %s, as process %d: stop it first", g.DataDir, running.PID)
	}
	if err := datadir.Make(g.DataDir); err != nil {
		return nil, err
	}
	var end cleanup
	defer func() {
		if err != nil {
			err = errors.Join(err, end.run())
		}
	}()
	log := g.logger(s)
	store, err := g.openWarehouse(ctx, all, false, log)
	if err != nil {
		return nil, err
	}
	end.add(store.Close)
	identity, err := inventory.Identify(ctx, store)
	if err != nil {
		return nil, err
	}
	server := redisserver.Remote(g.Redis)
	if g.Redis == "" {
		if server, err = ownRedis(ctx, store, g.DataDir, log); err != nil {
			return nil, err
		}
	}
	end.add(func() error { server.Stop(); return nil })
	if err := server.Await(ctx); err != nil {
		return nil, err
	}
	redis, err := g.openRedis(ctx, server.URL, log)
	if err != nil {
		return nil, err
	}
	end.add(redis.Close)
	return &maintenance{store, redis, identity, end}, nil
}

// ownRedis starts the Redis of the 'estela up' that ran on the data directory: its redis-server, or
// an empty embedded one if every stored event came from an embedded one. In any other case --redis
// is required, for the worker's server is unknown.
func ownRedis(ctx context.Context, store *warehouse.Warehouse, dataDir string, log *slog.Logger) (*redisserver.Server, error) {
	if _, err := os.Stat(filepath.Join(dataDir, "redis")); err == nil {
		return redisserver.Start(ctx, dataDir, log)
	}
	positions, err := store.Positions(ctx)
	if err != nil {
		return nil, err
	}
	if len(positions) == 0 || slices.ContainsFunc(positions, func(p event.Position) bool { return p.RunID != "" && !stream.IsEmbedded(p.RunID) }) {
		return nil, fault.Usagef("no Redis: give --redis URL, that of the worker")
	}
	return redisserver.StartEmbedded(ctx, dataDir)
}

// checkNoLease fails while a worker owns one of the shards.
func checkNoLease(k *contract.Contract, streams []stream.Summary) error {
	for _, s := range streams {
		if s.Lease != "" {
			return fault.Refusedf("a worker of %s still has the lease of %s: stop it first; the lease of one that was killed expires within %s",
				warehouseName(s.Owner), stream.Key(k, s.Shard), leaseTTL)
		}
	}
	return nil
}

func warehouseName(w event.Warehouse) string {
	if w.Identity == "" {
		return "an unknown warehouse"
	}
	return w.String()
}
