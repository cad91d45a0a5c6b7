package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/stream"
)

// leftover is what a dataset that was renamed, removed or split otherwise has left behind.
type leftover struct{ dataset, found, fix string }

// leftovers finds what is stored of datasets that are not among those given, and entries in
// shards that no contract has. Redis may be nil: then it is not looked at.
func leftovers(ctx context.Context, all []*dataset.Dataset, stored *inventory, redis *stream.Client) ([]leftover, error) {
	var found []leftover
	for _, r := range stored.Datasets {
		shards := 0
		given := slices.IndexFunc(all, func(d *dataset.Dataset) bool { return d.Name == r.Dataset })
		if given >= 0 {
			shards = all[given].Shards
		}
		streams, err := beyond(ctx, redis, r.Dataset, shards)
		if err != nil {
			return nil, err
		}
		streams = slices.DeleteFunc(streams, func(s stream.Summary) bool {
			return s.Owner.Identity != "" && s.Owner.Identity != stored.Warehouse.Identity
		})
		var l *leftover
		if given >= 0 {
			l = stray(r.Dataset, shards, stored, streams)
		} else {
			l = removed(r.Dataset, r.Rows, stored, streams)
		}
		if l != nil {
			found = append(found, *l)
		}
	}
	return found, nil
}

// beyond are the shards with entries from that number on.
func beyond(ctx context.Context, redis *stream.Client, dataset string, shards int) ([]stream.Summary, error) {
	if redis == nil {
		return nil, nil
	}
	streams, err := redis.Summaries(ctx, dataset, 0)
	return slices.DeleteFunc(streams, func(s stream.Summary) bool { return s.Shard < shards }), err
}

// stray names entries in shards that the dataset's contract does not have.
func stray(dataset string, shards int, stored *inventory, streams []stream.Summary) *leftover {
	var in, keys []string
	var n int64
	for _, s := range streams {
		if waiting := stored.unstored(dataset, s); waiting > 0 {
			n += waiting
			in, keys = append(in, fmt.Sprint(s.Shard)), append(keys, "'"+stream.Key(dataset, s.Shard)+"'")
		}
	}
	if n == 0 {
		return nil
	}
	return &leftover{
		dataset, fmt.Sprintf("%d entries in shard %s that nobody reads: the contract has %d shards, from 0", n, strings.Join(in, ", "), shards),
		"a producer counts other shards: give it this contract; publish again what redis-cli XRANGE shows of them, then DEL " + strings.Join(keys, " "),
	}
}

// removed names what a dataset that nobody carries has left.
func removed(dataset string, rows int64, stored *inventory, streams []stream.Summary) *leftover {
	var entries, waiting int64
	for _, s := range streams {
		if s.Lease != "" {
			return nil // another process carries it
		}
		entries += s.Length
		waiting += stored.unstored(dataset, s)
	}
	if rows == 0 && entries == 0 {
		return nil
	}
	return &leftover{
		dataset, fmt.Sprintf("not among the datasets given: %d rows in its table, %d entries in its streams, %d not stored", rows, entries, waiting),
		"renamed or removed? Give its folder with --data again until all is stored. To let it go: DROP TABLE " + dataset +
			" in the warehouse, and DEL its streams " + stream.Key(dataset, 0) + "… in Redis",
	}
}
