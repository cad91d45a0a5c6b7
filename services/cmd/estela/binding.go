package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// breakError refuses a change of a contract.
type breakError struct {
	dataset, against string
	changes          []contract.Change
	wayOut           string
}

func (e *breakError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: breaks the contract of %s", e.dataset, e.against)
	for _, c := range e.changes {
		fmt.Fprintf(&b, "\n  %s: %s", c.Pointer, c.Reason)
	}
	b.WriteString("\n" + e.wayOut)
	return b.String()
}

// summary is what breaks, on one line.
func (e *breakError) summary() string {
	all := make([]string, len(e.changes))
	for i, c := range e.changes {
		all[i] = c.String()
	}
	return "breaks the one of " + e.against + ": " + strings.Join(all, "; ")
}

// breaks refuses changes of a dataset's contract, and says what to do about them.
func breaks(d *dataset.Dataset, against string, changes []contract.Change) error {
	return fault.Refused(&breakError{d.Name, against, changes, warehouse.WayOut(d.Name, changes)})
}

// binding is a contract by which a dataset is stored, and where that is known from.
type binding struct {
	by    *contract.Contract
	where string
}

// holds makes sure that a worker with the dataset's contract would not be refused. The zero
// binding binds nobody.
func (b binding) holds(d *dataset.Dataset) error {
	if b.by == nil {
		return nil
	}
	if changes := d.Breaks(b.by); len(changes) > 0 {
		return breaks(d, b.where, changes)
	}
	return nil
}

// mayPublish makes sure that the warehouse that reads the dataset's streams takes what this
// contract lets through: it is the registered one with additions, or an earlier one that
// the registered one is with additions. Where none is registered, no worker was there yet.
func mayPublish(ctx context.Context, client *stream.Client, d *dataset.Dataset) error {
	by, err := registered(ctx, client, d)
	if err != nil || by == nil {
		return err
	}
	changes := d.Breaks(by)
	if len(changes) == 0 {
		return nil
	}
	if len(by.Breaks(d.Contract)) == 0 {
		if earlier, err := client.HadVersion(ctx, d.Name, d.Version); err != nil || earlier {
			return err
		}
	}
	return fault.Refused(&breakError{d.Name, "the warehouse that reads " + client.String(), changes, warehouse.WayOut(d.Name, changes) + ". Nothing was sent"})
}

// unstored are the columns that the running worker does not know, for it was started with an
// earlier contract: it would drop their values.
func unstored(ctx context.Context, client *stream.Client, d *dataset.Dataset) ([]int, error) {
	by, err := client.Contract(ctx, d.Name)
	if err != nil || by == nil {
		return nil, err
	}
	var lacks []int
	for i, c := range d.Columns {
		if !slices.ContainsFunc(by.Columns, func(o contract.Column) bool { return o.Name == c.Name }) {
			lacks = append(lacks, i)
		}
	}
	if len(lacks) == 0 {
		return nil, nil
	}
	shards, err := client.Lags(ctx, d.Name, d.Shards)
	if !slices.ContainsFunc(shards, func(l stream.Lag) bool { return l.Lease != "" }) {
		lacks = nil // one that begins later has this contract
	}
	return lacks, err
}

// registered is the contract that is registered in Redis; nil if there is none, or nobody relies on it.
func registered(ctx context.Context, client *stream.Client, d *dataset.Dataset) (*contract.Contract, error) {
	by, err := client.Contract(ctx, d.Name)
	if err != nil || by == nil {
		return nil, err
	}
	if promised, err := client.Promised(ctx, by); err != nil || !promised {
		return nil, err
	}
	return by, nil
}

// storedContracts finds by which contracts the datasets are stored, and says where it looked:
// the warehouse of the flags and, where there is none, what is registered in Redis.
func (g *Globals) storedContracts(ctx context.Context, s *streams, all []*dataset.Dataset) (map[string]binding, string) {
	found := map[string]binding{}
	known, err := g.inventory(ctx, s)
	if err == nil {
		err = bindings(known, found)
	}
	if err == nil {
		return found, "compared with the warehouse " + known.Warehouse.Location
	}
	client := g.redisIfAny(ctx, s)
	if client == nil {
		return found, fmt.Sprintf("compared with no warehouse: %v", err)
	}
	defer func() { _ = client.Close() }()
	for _, d := range all {
		by, err := registered(ctx, client, d)
		if err != nil {
			return found, fmt.Sprintf("compared with no warehouse: %v", err)
		}
		if by != nil {
			found[d.Name] = binding{by, "the warehouse that reads " + client.String()}
		}
	}
	return found, "compared with what is registered at " + client.String()
}

// bindings adds the contracts by which the warehouse has stored events.
func bindings(known *inventory.Inventory, found map[string]binding) error {
	contracts, err := known.Contracts()
	for name, by := range contracts {
		found[name] = binding{by, "the warehouse " + known.Warehouse.Location}
	}
	return err
}

// redisIfAny connects to the server of the flags or of the running process; nil if there is
// none or it does not answer.
func (g *Globals) redisIfAny(ctx context.Context, s *streams) *stream.Client {
	url, err := g.redisURL(ctx)
	if err != nil {
		return nil
	}
	cfg, err := g.config(ctx, url, g.logger(s))
	if err != nil {
		return nil
	}
	client, err := stream.Open(ctx, cfg)
	if err != nil {
		return nil
	}
	return client
}
