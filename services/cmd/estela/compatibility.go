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

// breakError refuses a change of a contract.
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

// summary is what breaks, on one line.
func (e *breakError) summary() string {
	all := make([]string, len(e.changes))
	for i, c := range e.changes {
		all[i] = c.String()
	}
	return "breaks the one of " + e.against + ": " + strings.Join(all, "; ")
}

// checkCompatible makes sure that a worker with the dataset's contract would not be refused by one that it
// is stored by; nil binds nobody.
func checkCompatible(d *dataset.Dataset, by *contract.Contract, where string) error {
	if by == nil {
		return nil
	}
	if changes := d.Breaks(by); len(changes) > 0 {
		return fault.Refused(&breakError{d.Name, where, changes, warehouse.Hint(d.Name, changes)})
	}
	return nil
}

// checkPublishable makes sure that the warehouse that reads the dataset's streams takes what this
// contract lets through: it is the registeredContract one with additions, or an earlier one that
// the registeredContract one is with additions. Where none is registeredContract, no worker was there yet.
func checkPublishable(ctx context.Context, client *stream.Client, d *dataset.Dataset) error {
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

// unknownColumns are the columns that the running worker does not know, for it was started with an
// earlier contract: it would drop their values.
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
	shards, err := client.Lags(ctx, d.Name, d.Shards)
	if !slices.ContainsFunc(shards, func(l stream.Lag) bool { return l.Lease != "" }) {
		lacks = nil // one that begins later has this contract
	}
	return lacks, err
}

// registeredContract is the contract that registered in Redis; nil if there is none, or nobody relies on it.
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

// storedContracts finds by which contracts the datasets are stored, and where: in the warehouse
// of the flags or, where there is none, by what is registered in Redis. compared is the source.
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

// redisIfAny connects to the server of the flags or of the running process; nil if there is
// none or it does not answer.
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
