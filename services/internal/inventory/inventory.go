// Package inventory lists what a warehouse has stored and by which contracts, independent of a
// process' flags, and finds data without a worker.
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

// Inventory is the content of a warehouse.
type Inventory struct {
	Warehouse event.Warehouse        `json:"warehouse"`
	Datasets  []warehouse.Registered `json:"datasets"`
	Positions []event.Position       `json:"positions"`
}

// Take reads the warehouse's inventory.
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

// Identify returns the warehouse as it claims streams: without a token in its location.
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

// Dataset returns the registered dataset; nil if there is none.
func (all *Inventory) Dataset(name string) *warehouse.Registered {
	i := slices.IndexFunc(all.Datasets, func(r warehouse.Registered) bool { return r.Dataset == name })
	if i < 0 {
		return nil
	}
	return &all.Datasets[i]
}

// Versions returns the versions of all contracts by which the dataset was ever stored.
func (all *Inventory) Versions(dataset string) []string {
	if r := all.Dataset(dataset); r != nil {
		return r.Versions
	}
	return nil
}

// Contracts returns the contracts by which events are stored, by dataset.
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

// Lag returns how many of the shard's entries are above its position.
func (all *Inventory) Lag(dataset string, s stream.Summary) int64 {
	return s.Unstored(all.Position(dataset, s.Shard))
}

// Position returns the shard's position; zero, with Added unknown, if it never had an owner.
func (all *Inventory) Position(dataset string, shard int) event.Position {
	i := slices.IndexFunc(all.Positions, func(p event.Position) bool { return p.Dataset == dataset && p.Shard == shard })
	if i < 0 {
		return event.Position{Added: -1}
	}
	return all.Positions[i]
}
