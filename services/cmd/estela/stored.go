package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// stored is a contract by which a dataset is stored, and where that is known from.
type stored struct {
	*contract.Contract
	where string
}

// holdsStored makes sure that a worker with this contract would not be refused.
func (d *dataset) holdsStored(by *stored) error {
	if by == nil {
		return nil
	}
	if changes := d.Breaks(by.Contract); len(changes) > 0 {
		return &breakError{d.Name, by.where, changes, warehouse.WayOut(d.Name, changes)}
	}
	return nil
}

// mayPublish makes sure that the warehouse that reads the dataset's streams takes what this
// contract lets through: it is the noted one with additions, or an earlier one that the noted
// one is with additions. Where nothing is noted, no worker was there yet.
func (d *dataset) mayPublish(ctx context.Context, client *stream.Client) error {
	by, err := binding(ctx, client, d)
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
	return &breakError{d.Name, "the warehouse that reads " + client.String(), changes, warehouse.WayOut(d.Name, changes) + ". Nothing was sent"}
}

// unstored are the columns that a worker which runs does not know, for it was started with an
// earlier contract: it would pass over their values.
func (d *dataset) unstored(ctx context.Context, client *stream.Client) ([]int, error) {
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

// binding is the contract that is noted in Redis; nil if there is none, or nobody relies on it.
func binding(ctx context.Context, client *stream.Client, d *dataset) (*contract.Contract, error) {
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
// the warehouse of the flags and, where there is none, what is noted in Redis.
func (g *Globals) storedContracts(ctx context.Context, s *streams, all []*dataset) (map[string]*stored, string) {
	found := map[string]*stored{}
	known, err := g.inventory(ctx, s)
	if err == nil {
		err = known.contracts(found)
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
		by, err := binding(ctx, client, d)
		if err != nil {
			return found, fmt.Sprintf("compared with no warehouse: %v", err)
		}
		if by != nil {
			found[d.Name] = &stored{by, "the warehouse that reads " + client.String()}
		}
	}
	return found, "compared with what is noted at " + client.String()
}

// contracts are those that bind: by which an event was stored.
func (all *inventory) contracts(into map[string]*stored) error {
	for _, r := range all.Datasets {
		if !r.Promised {
			continue
		}
		c, err := r.Contract()
		if err != nil {
			return err
		}
		into[r.Dataset] = &stored{c, "the warehouse " + all.Warehouse.Location}
	}
	return nil
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

// examineStored compares the contracts and Redis with what the warehouse knows.
func (g *Globals) examineStored(ctx context.Context, s *streams) []finding {
	all, err := g.datasets()
	if err != nil {
		return nil // said before
	}
	client := g.redisIfAny(ctx, s)
	if client != nil {
		defer func() { _ = client.Close() }()
	}
	known, err := g.inventory(ctx, s)
	if errors.Is(err, errNoWarehouse) {
		return examineStreams(ctx, all, nil, client)
	}
	by := map[string]*stored{}
	if err == nil {
		err = known.contracts(by)
	}
	if err != nil {
		return append(examineStreams(ctx, all, nil, client),
			finding{name: "stored contracts", found: err.Error(), fix: "see the warehouse's line above", warning: true})
	}
	var found []finding
	for _, d := range all {
		if broken, ok := errors.AsType[*breakError](d.holdsStored(by[d.Name])); ok {
			found = append(found, finding{name: "contract " + d.Name, found: broken.summary(), fix: broken.wayOut})
		}
	}
	if client != nil {
		found = append(found, examineIdentity(ctx, all, known, client))
	}
	found = append(found, examineStreams(ctx, all, known, client)...)
	left, err := leftovers(ctx, all, known, client)
	for _, l := range left {
		if _, err := pick(all, l.dataset); err == nil {
			continue // examineStreams names them
		}
		found = append(found, finding{name: "dataset " + l.dataset, found: l.found, fix: l.fix, warning: true})
	}
	if err != nil {
		found = append(found, finding{name: "streams", found: err.Error(), fix: "look at the server's log"})
	}
	return found
}

// examineIdentity makes sure that the streams are this warehouse's.
func examineIdentity(ctx context.Context, all []*dataset, known *inventory, client *stream.Client) finding {
	f := finding{name: "warehouse identity", found: "the streams are noted as nobody's yet"}
	for _, d := range all {
		streams, err := client.Summaries(ctx, d.Name, d.Shards)
		if err != nil {
			return finding{name: f.name, found: err.Error(), fix: "look at the server's log"}
		}
		for _, s := range streams {
			if s.Owner.Identity == "" {
				continue
			}
			if s.Owner.Identity != known.Warehouse.Identity {
				other := event.OtherWarehouseError{Dataset: d.Name, Owner: s.Owner, This: known.Warehouse, Redis: client.String()}
				return finding{name: f.name, found: other.Found(), fix: other.WayOut()}
			}
			f.found = known.Warehouse.Identity + ", to which the streams belong"
		}
	}
	return f
}
