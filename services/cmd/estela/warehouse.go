package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/stream"
)

type warehouseCmd struct {
	Claim warehouseClaimCmd `cmd:"" help:"Claim the streams of datasets for the warehouse of the flags, whose worker then resumes; the previous one is refused from then on."`
}

type warehouseClaimCmd struct {
	Datasets []string `arg:"" help:"Names of the datasets."`
}

// Run is 'estela warehouse claim'. Everything is checked before anything is changed.
func (c *warehouseClaimCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	all, err := g.load()
	if err != nil {
		return err
	}
	var claimed []*dataset.Dataset
	for _, name := range c.Datasets {
		d, err := dataset.Pick(all, name)
		if err != nil {
			return err
		}
		claimed = append(claimed, d)
	}
	m, err := g.maintenance(ctx, claimed, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.end.run()) }()
	streams := make([][]stream.Summary, len(claimed))
	for i, d := range claimed {
		if streams[i], err = m.checkClaimable(ctx, d); err != nil {
			return err
		}
	}
	for i, d := range claimed {
		if err := m.claim(ctx, s, d, streams[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkClaimable makes sure that no worker owns the dataset's shards and that the contract is
// compatible with the registered one.
func (m *maintenance) checkClaimable(ctx context.Context, d *dataset.Dataset) ([]stream.Summary, error) {
	streams, err := m.redis.Summaries(ctx, d.Contract)
	if err != nil {
		return nil, err
	}
	if err := checkNoLease(d.Contract, streams); err != nil {
		return nil, err
	}
	by, err := m.redis.Contract(ctx, d.Name)
	if err != nil || by == nil {
		return streams, err
	}
	if changes := d.Breaks(by); len(changes) > 0 && len(by.Breaks(d.Contract)) > 0 {
		return nil, fault.Refused(&breakError{
			d.Name, "the warehouse that the streams belong to", changes,
			"Claim it with that contract: what the streams hold was published by it. Change it after that",
		})
	}
	return streams, nil
}

func (m *maintenance) claim(ctx context.Context, s *streams, d *dataset.Dataset, streams []stream.Summary) error {
	trimmed := false
	for _, was := range streams {
		holder, err := m.redis.MoveShard(ctx, d.Contract, was.Shard, m.identity)
		if err == nil && holder != "" {
			err = fault.Refusedf("worker %s has acquired the lease of %s meanwhile: stop it first, then claim again", holder, stream.Key(d.Contract, was.Shard))
		}
		if err != nil {
			return err
		}
		say(s.out, "%s", claimedShard(d.Name, was))
		trimmed = trimmed || !was.TrimmedTo.IsZero()
	}
	if err := m.redis.RegisterContract(ctx, d.Contract, []string{d.Version}, true); err != nil {
		return err
	}
	say(s.out, "The streams of %s belong to %s now. Start its worker.", d.Name, m.identity)
	if trimmed {
		say(s.out, "Trimmed events are only in the previous warehouse: to have them here, too, export them there and "+
			"'estela backfill %s' it; the first start here needs --accept-loss.", d.Name)
	}
	return nil
}

// claimedShard describes the state that the new worker resumes from.
func claimedShard(dataset string, was stream.Summary) string {
	text := fmt.Sprintf("%s shard %d, of %s: ", dataset, was.Shard, warehouseName(was.Owner))
	if was.Length == 0 {
		text += "no entries"
	} else {
		text += fmt.Sprintf("%d entries, from %s to %s", was.Length, was.First, was.Newest)
	}
	if was.TrimmedTo.IsZero() {
		return text + ", nothing was trimmed"
	}
	return text + ", trimmed up to " + was.TrimmedTo.String()
}
