// Package inventory is what a warehouse holds and by which contracts, whatever the flags of a
// process say, and what of it no process reads.
package inventory

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// Inventory is what a warehouse holds.
type Inventory struct {
	Warehouse event.Warehouse        `json:"warehouse"`
	Datasets  []warehouse.Registered `json:"datasets"`
	Positions []event.Position       `json:"positions"`
}

// Take lists what is in the warehouse.
func Take(ctx context.Context, w *warehouse.Warehouse) (*Inventory, error) {
	var all Inventory
	var err error
	if all.Warehouse, err = Identify(ctx, w); err != nil {
		return nil, err
	}
	if all.Datasets, err = w.Registered(ctx); err != nil {
		return nil, err
	}
	all.Positions, err = w.Positions(ctx)
	return &all, err
}

// Identify names the warehouse as it is registered with its streams: without a token that its
// location may have.
func Identify(ctx context.Context, w *warehouse.Warehouse) (event.Warehouse, error) {
	identity, err := w.Identity(ctx)
	if err != nil {
		return event.Warehouse{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return event.Warehouse{}, fmt.Errorf("find this machine's name: %w", err)
	}
	location := w.Location()
	if w.Remote() {
		location, _, _ = strings.Cut(location, "?")
	}
	return event.Warehouse{Identity: identity, Location: location, Host: host}, nil
}

// Dataset is how the warehouse knows the dataset; nil if it does not.
func (all *Inventory) Dataset(name string) *warehouse.Registered {
	i := slices.IndexFunc(all.Datasets, func(r warehouse.Registered) bool { return r.Dataset == name })
	if i < 0 {
		return nil
	}
	return &all.Datasets[i]
}

// Versions are those of the contracts by which the dataset was ever stored.
func (all *Inventory) Versions(dataset string) []string {
	if r := all.Dataset(dataset); r != nil {
		return r.Versions
	}
	return nil
}

// Contracts are those that bind, by dataset: by which an event was stored.
func (all *Inventory) Contracts() (map[string]*contract.Contract, error) {
	found := map[string]*contract.Contract{}
	for _, r := range all.Datasets {
		if !r.Promised {
			continue
		}
		c, err := r.Contract()
		if err != nil {
			return nil, err
		}
		found[r.Dataset] = c
	}
	return found, nil
}

// Lag is how many of the shard's entries are above its position.
func (all *Inventory) Lag(dataset string, s stream.Summary) int64 {
	return s.Unstored(all.Position(dataset, s.Shard))
}

// Position is how far a shard is stored; zero if nobody has owned it.
func (all *Inventory) Position(dataset string, shard int) event.Position {
	i := slices.IndexFunc(all.Positions, func(p event.Position) bool { return p.Dataset == dataset && p.Shard == shard })
	if i < 0 {
		return event.Position{Added: -1}
	}
	return all.Positions[i]
}
