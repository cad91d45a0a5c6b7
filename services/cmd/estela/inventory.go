package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// inventory is what a warehouse knows, whatever the flags say.
type inventory struct {
	Warehouse event.Warehouse        `json:"warehouse"`
	Datasets  []warehouse.Registered `json:"datasets"`
	Positions []event.Position       `json:"positions"`
}

func takeInventory(ctx context.Context, w *warehouse.Warehouse) (*inventory, error) {
	var all inventory
	var err error
	if all.Warehouse, err = describe(ctx, w); err != nil {
		return nil, err
	}
	if all.Datasets, err = w.Registered(ctx); err != nil {
		return nil, err
	}
	all.Positions, err = w.Positions(ctx)
	return &all, err
}

// showInventory answers with the contracts by which this process's warehouse stores.
func (n *node) showInventory(w http.ResponseWriter, r *http.Request) {
	all, err := takeInventory(r.Context(), n.store)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, all)
}

// errNoWarehouse says that there is none to look into.
var errNoWarehouse = errors.New("no warehouse")

// inventory looks into the warehouse that the flags name: through the process that holds it
// or, if it is free, by opening it. errNoWarehouse: there is none yet.
func (g *Globals) inventory(ctx context.Context, s *streams) (*inventory, error) {
	location, err := filepath.Abs(g.location())
	if err != nil {
		return nil, fmt.Errorf("find warehouse: %w", err)
	}
	running, err := readRunFile(ctx, g.DataDir)
	if err != nil {
		return nil, err
	}
	if running != nil {
		all := new(inventory)
		c := dialControl(running.Control, func() error { return nil })
		err := errors.Join(c.call(ctx, http.MethodGet, "/ops/contracts", nil, nil, all), c.end())
		if err != nil || g.Warehouse == "" || all.Warehouse.Location == location || all.Warehouse.Location == g.Warehouse {
			return all, err
		}
	}
	if _, err := os.Stat(location); errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(g.Warehouse, "md:") {
		return nil, fmt.Errorf("%w at %s", errNoWarehouse, g.location())
	}
	w, err := g.openWarehouse(ctx, nil, true, g.logger(s))
	if err != nil {
		return nil, err
	}
	all, err := takeInventory(ctx, w)
	return all, errors.Join(err, w.Close())
}

// stored is how the warehouse knows the dataset; nil if it does not.
func (all *inventory) stored(dataset string) *warehouse.Registered {
	i := slices.IndexFunc(all.Datasets, func(r warehouse.Registered) bool { return r.Dataset == dataset })
	if i < 0 {
		return nil
	}
	return &all.Datasets[i]
}

// versions are those of the contracts by which the dataset was ever stored.
func (all *inventory) versions(dataset string) []string {
	if r := all.stored(dataset); r != nil {
		return r.Versions
	}
	return nil
}

// unstored is how many of the shard's entries are above its position.
func (all *inventory) unstored(dataset string, s stream.Summary) int64 {
	return s.Unstored(all.position(dataset, s.Shard))
}

// position is how far a shard is stored; zero if nobody has owned it.
func (all *inventory) position(dataset string, shard int) event.Position {
	i := slices.IndexFunc(all.Positions, func(p event.Position) bool { return p.Dataset == dataset && p.Shard == shard })
	if i < 0 {
		return event.Position{Added: -1}
	}
	return all.Positions[i]
}
