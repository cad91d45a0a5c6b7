package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/stream"
)

// Leftover is data without a worker, of a dataset that was renamed, removed or split into other shards.
type Leftover struct {
	Dataset string
	// Found describes it, Fix says what to do.
	Found, Fix string
}

// Leftovers finds stored data of datasets that are not given, and entries in shards that no contract
// has. With a nil redis, streams are left out.
func (all *Inventory) Leftovers(ctx context.Context, given []*contract.Contract, redis *stream.Client) ([]Leftover, error) {
	var found []Leftover
	for _, r := range all.Datasets {
		shards := 0
		i := slices.IndexFunc(given, func(c *contract.Contract) bool { return c.Name == r.Dataset })
		if i >= 0 {
			shards = given[i].Shards
		}
		streams, err := shardsFrom(ctx, redis, r.Dataset, shards)
		if err != nil {
			return nil, err
		}
		streams = slices.DeleteFunc(streams, func(s stream.Summary) bool {
			return s.Owner.Identity != "" && s.Owner.Identity != all.Warehouse.Identity
		})
		var l *Leftover
		if i >= 0 {
			l = all.extraShards(r.Dataset, shards, streams)
		} else {
			l = all.removedDataset(r.Dataset, r.Rows, streams)
		}
		if l != nil {
			found = append(found, *l)
		}
	}
	return found, nil
}

// shardsFrom returns the dataset's shards that have entries, from the given number on.
func shardsFrom(ctx context.Context, redis *stream.Client, dataset string, shards int) ([]stream.Summary, error) {
	if redis == nil {
		return nil, nil
	}
	streams, err := redis.Summaries(ctx, dataset, 0)
	return slices.DeleteFunc(streams, func(s stream.Summary) bool { return s.Shard < shards }), err
}

// extraShards reports entries in shards that the dataset's contract does not have.
func (all *Inventory) extraShards(dataset string, shards int, streams []stream.Summary) *Leftover {
	var in, keys []string
	var n int64
	for _, s := range streams {
		if lag := all.Lag(dataset, s); lag > 0 {
			n += lag
			in, keys = append(in, fmt.Sprint(s.Shard)), append(keys, "'"+stream.Key(dataset, s.Shard)+"'")
		}
	}
	if n == 0 {
		return nil
	}
	return &Leftover{
		dataset, fmt.Sprintf("%d entries in shard %s without a worker: the contract has %d shards, from 0", n, strings.Join(in, ", "), shards),
		"a producer uses another number of shards: give it this contract; publish again what redis-cli XRANGE shows of them, then DEL " + strings.Join(keys, " "),
	}
}

// removedDataset reports the rows and entries of a dataset without a worker.
func (all *Inventory) removedDataset(dataset string, rows int64, streams []stream.Summary) *Leftover {
	var entries, lag int64
	for _, s := range streams {
		if s.Lease != "" {
			return nil // another process reads it
		}
		entries += s.Length
		lag += all.Lag(dataset, s)
	}
	if rows == 0 && entries == 0 {
		return nil
	}
	return &Leftover{
		dataset, fmt.Sprintf("not among the datasets given: %d rows in its table, %d entries in its streams, %d not stored", rows, entries, lag),
		"renamed or removed? Give its folder with --data again until all is stored. To let it go: DROP TABLE " + dataset +
			" in the warehouse, and DEL its streams " + stream.Key(dataset, 0) + "… in Redis",
	}
}
