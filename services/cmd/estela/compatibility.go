package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// breakError reports the breaking changes of a contract.
type breakError struct {
	dataset, against string
	changes          []contract.Change
	hint             string
}

func (e *breakError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: breaks the contract of %s", e.dataset, e.against)
	for _, c := range e.changes {
		fmt.Fprintf(&b, "\n  %s: %s", c.Pointer, c.Reason)
	}
	b.WriteString("\n" + e.hint)
	return b.String()
}

// summary returns the breaking changes on one line.
func (e *breakError) summary() string {
	all := make([]string, len(e.changes))
	for i, c := range e.changes {
		all[i] = c.String()
	}
	return "breaks the one of " + e.against + ": " + strings.Join(all, "; ")
}

// checkCompatible refuses a contract that breaks the one that the dataset is stored by (by), which
// where names. A nil by is compatible with all.
func checkCompatible(d *dataset.Dataset, by *contract.Contract, where string) error {
	if by == nil {
		return nil
	}
	if changes := d.Breaks(by); len(changes) > 0 {
		return fault.Refused(&breakError{d.Name, where, changes, warehouse.Hint(d.Name, changes)})
	}
	return nil
}

// checkPublishable makes sure that the warehouse that reads the dataset's streams accepts all events
// that this contract allows: it is the registered contract with additions, or an earlier version to
// which the registered one only adds. Without a registered contract no worker has run yet. A foreign
// stream must have events in a form that a producer of Estela writes.
func checkPublishable(ctx context.Context, client *stream.Client, d *dataset.Dataset) error {
	if !stream.CanPublish(d.Contract) {
		return fault.Refusedf("%s: the entries of its stream %q have a field for each property, and only that stream's own producers write them. "+
			"Nothing was sent; 'estela backfill %s' loads a file into the warehouse", d.Name, d.Stream.Key, d.Name)
	}
	by, err := registeredContract(ctx, client, d)
	if err != nil || by == nil {
		return err
	}
	err = checkCompatible(d, by, "the warehouse that reads "+client.String())
	if err == nil {
		return nil
	}
	if len(by.Breaks(d.Contract)) == 0 {
		if earlier, err := client.HadVersion(ctx, d.Name, d.Version); err != nil || earlier {
			return err
		}
	}
	return fmt.Errorf("%w. Nothing was sent", err)
}

// unknownColumns returns the columns that the running worker does not know, because it was started
// with an earlier contract: it would drop their values.
func unknownColumns(ctx context.Context, client *stream.Client, d *dataset.Dataset) ([]int, error) {
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
	shards, err := client.Lags(ctx, d.Contract)
	if !slices.ContainsFunc(shards, func(l stream.Lag) bool { return l.Lease != "" }) {
		lacks = nil // the next one to start has this contract
	}
	return lacks, err
}

// registeredContract returns the contract registered in Redis; nil if there is none, or it is not in use
// yet.
func registeredContract(ctx context.Context, client *stream.Client, d *dataset.Dataset) (*contract.Contract, error) {
	by, err := client.Contract(ctx, d.Name)
	if err != nil || by == nil {
		return nil, err
	}
	if promised, err := client.Promised(ctx, by); err != nil || !promised {
		return nil, err
	}
	return by, nil
}

// storedContracts returns the contracts by which the datasets are stored, from the warehouse of the
// flags or, without one, from the registry in Redis. where names their warehouse, compared the source.
func (g *Globals) storedContracts(ctx context.Context, s *streams, all []*dataset.Dataset) (by map[string]*contract.Contract, where, compared string) {
	known, err := g.inventory(ctx, s)
	if err == nil {
		by, err = known.Contracts()
	}
	if err == nil {
		where = "the warehouse " + known.Warehouse.Location
		return by, where, where
	}
	client := g.redisIfAny(ctx, s)
	if client == nil {
		return nil, "", fmt.Sprintf("no warehouse: %v", err)
	}
	defer func() { _ = client.Close() }()
	by, where = map[string]*contract.Contract{}, "the warehouse that reads "+client.String()
	for _, d := range all {
		if by[d.Name], err = registeredContract(ctx, client, d); err != nil {
			return by, where, fmt.Sprintf("no warehouse: %v", err)
		}
	}
	return by, where, "what is registered at " + client.String()
}

// redisIfAny connects to the server of the flags or of the running process; nil if there is none or
// it is unreachable.
func (g *Globals) redisIfAny(ctx context.Context, s *streams) (client *stream.Client) {
	url, err := g.redisURL(ctx)
	if err != nil {
		return nil
	}
	if cfg, err := g.config(ctx, url, g.logger(s)); err == nil {
		client, _ = stream.Open(ctx, cfg)
	}
	return client
}
