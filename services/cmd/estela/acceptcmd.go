package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type contractAcceptCmd struct {
	Dataset string `arg:"" help:"Name of the dataset."`
}

// Run is 'estela contract accept'.
func (c *contractAcceptCmd) Run(ctx context.Context, g *Globals, s *streams) (err error) {
	d, err := g.pick(c.Dataset)
	if err != nil {
		return err
	}
	o, err := g.takeHold(ctx, nil, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	known, err := takeInventory(ctx, o.store)
	if err != nil {
		return err
	}
	by := known.stored(d.Name)
	if by == nil {
		return usageError{fmt.Errorf("%s was never stored in %s: start a worker, there is nothing to accept", d.Name, o.house.Location)}
	}
	old, err := by.Contract()
	if err != nil {
		return err
	}
	return o.accept(ctx, s, d, old, known)
}

// accept records the contract in place of the old one, once nothing is under way.
func (o *ownership) accept(ctx context.Context, s *streams, d *dataset, old *contract.Contract, known *inventory) error {
	if err := o.redis.ClaimShards(ctx, []*contract.Contract{old}, o.house); err != nil {
		return err
	}
	streams, err := o.redis.Summaries(ctx, d.Name, max(old.Shards, d.Shards))
	if err != nil {
		return err
	}
	if err := leased(d.Name, streams); err != nil {
		return err
	}
	if err := drained(d.Name, old, streams, known); err != nil {
		return err
	}
	if err := o.replayable(ctx, d); err != nil {
		return err
	}
	if err := o.store.Accept(ctx, d.Contract, d.views, d.references); err != nil {
		return err
	}
	if err := o.redis.ClaimShards(ctx, []*contract.Contract{d.Contract}, o.house); err != nil {
		return err
	}
	if err := o.redis.RegisterContract(ctx, d.Contract, append(known.versions(d.Name), d.Version), true); err != nil {
		return err
	}
	if err := o.retire(ctx, d, streams); err != nil {
		return err
	}
	say(s.out, "%s: accepted, schema version %s. Start the worker with it, then the producers.", d.Name, d.Version)
	for _, text := range consequences(d.Contract, old) {
		say(s.out, "  %s", text)
	}
	return nil
}

// drained refuses while a shard of the old contract, or any other, has entries that are not
// stored.
func drained(dataset string, old *contract.Contract, streams []stream.Summary, known *inventory) error {
	for _, s := range streams {
		n := known.unstored(dataset, s)
		switch {
		case n == 0:
		case s.Shard < old.Shards:
			return refusedError{fmt.Errorf("%d entries of %s are not stored yet: stop the producers, start 'estela worker' (or 'up') "+
				"with the contract as it was, and stop it when this command finds none any more", n, stream.Key(dataset, s.Shard))}
		default:
			return refusedError{fmt.Errorf("%d entries of %s are read by nobody, by the old contract neither: publish again what redis-cli XRANGE shows of them, "+
				"then DEL it", n, stream.Key(dataset, s.Shard))}
		}
	}
	return nil
}

// replayable refuses while there are rejects of shards that are no more: nothing could store
// them.
func (o *ownership) replayable(ctx context.Context, d *dataset) error {
	left, err := o.store.ListRejects(ctx, d.Name, 1, &warehouse.RejectKey{Shard: d.Shards - 1, ID: event.ID{MS: math.MaxInt64}})
	if err == nil && len(left) > 0 {
		err = refusedError{fmt.Errorf("reject %s of %s is of a shard that goes: before that, 'estela rejects replay %s' by the old contract, "+
			"or 'estela rejects purge %s'", left[0].Key(), d.Name, d.Name, d.Name)}
	}
	return err
}

// retire removes what the streams of shards that are no more keep for a replay: nobody would
// trim it. Their positions stay, for shards that may come back.
func (o *ownership) retire(ctx context.Context, d *dataset, streams []stream.Summary) error {
	for _, s := range streams {
		if s.Shard < d.Shards || s.Length == 0 {
			continue
		}
		if err := o.redis.Shard(d.Name, s.Shard, "", stream.ShardConfig{}).Trim(ctx, s.Newest); err != nil {
			return err
		}
	}
	return nil
}

// consequences are what those who run it must know.
func consequences(is, was *contract.Contract) []string {
	var all []string
	if is.Shards != was.Shards {
		all = append(all, fmt.Sprintf("%d shards, were %d: duplicates are found within a shard only. A key of the last %s that is sent again now "+
			"and comes to another shard is stored twice.", is.Shards, was.Shards, is.Dedupe),
			"Producers with the old contract write to the wrong shards: 'estela publish' refuses, others must be stopped or changed.")
	}
	for _, c := range is.Breaks(was) {
		all = append(all, "accepted: "+c.String())
	}
	return append(all, "Rows that are stored stay as they are; a column without a property stays and is NULL from now on.")
}
