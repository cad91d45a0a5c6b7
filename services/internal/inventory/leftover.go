package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
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
		k, shards := storedContract(r), 0
		i := slices.IndexFunc(given, func(c *contract.Contract) bool { return c.Name == r.Dataset })
		if i >= 0 {
			k, shards = given[i], given[i].Shards
		}
		streams, err := shardsFrom(ctx, redis, k, shards)
		if err != nil {
			return nil, err
		}
		streams = slices.DeleteFunc(streams, func(s stream.Summary) bool {
			return s.Owner.Identity != "" && s.Owner.Identity != all.Warehouse.Identity
		})
		var l *Leftover
		if i >= 0 {
			l = all.extraShards(k, streams)
		} else {
			l = all.removedDataset(k, r.Rows, streams)
		}
		if l != nil {
			found = append(found, *l)
		}
	}
	return found, nil
}

// storedContract is the contract that the dataset is stored by; one that can't be read any more says
// its name only.
func storedContract(r warehouse.Registered) *contract.Contract {
	k, err := r.Contract()
	if err != nil {
		return &contract.Contract{Name: r.Dataset}
	}
	return k
}

// shardsFrom returns the dataset's shards, those that it doesn't have if they have entries, from the
// given number on.
func shardsFrom(ctx context.Context, redis *stream.Client, k *contract.Contract, shards int) ([]stream.Summary, error) {
	if redis == nil {
		return nil, nil
	}
	streams, err := redis.Summaries(ctx, k)
	return slices.DeleteFunc(streams, func(s stream.Summary) bool { return s.Shard < shards }), err
}

// extraShards reports entries in shards that the dataset's contract does not have.
func (all *Inventory) extraShards(k *contract.Contract, streams []stream.Summary) *Leftover {
	var in, keys []string
	var n int64
	for _, s := range streams {
		if lag := all.Lag(k.Name, s); lag > 0 {
			n += lag
			in, keys = append(in, fmt.Sprint(s.Shard)), append(keys, "'"+stream.Key(k, s.Shard)+"'")
		}
	}
	if n == 0 {
		return nil
	}
	return &Leftover{
		k.Name, fmt.Sprintf("%d entries in shard %s without a worker: the contract has %d shards, from 0", n, strings.Join(in, ", "), k.Shards),
		"a producer uses another number of shards: give it this contract; publish again what redis-cli XRANGE shows of them, then DEL " + strings.Join(keys, " "),
	}
}

// removedDataset reports the rows and entries of a dataset without a worker.
func (all *Inventory) removedDataset(k *contract.Contract, rows int64, streams []stream.Summary) *Leftover {
	var entries, lag int64
	for _, s := range streams {
		if s.Lease != "" {
			return nil // another process reads it
		}
		entries += s.Length
		lag += all.Lag(k.Name, s)
	}
	switch {
	case rows == 0 && (entries == 0 || k.Stream != nil):
		return nil
	case k.Stream != nil:
		return &Leftover{
			k.Name, fmt.Sprintf("not among the datasets given: %d rows in its table; %d entries of the stream %q are not stored", rows, lag, k.Stream.Key),
			"renamed or removed? Give its folder with --data again. To let it go: DROP TABLE " + k.Name + " in the warehouse, and remove its consumer group: " +
				"XINFO GROUPS '" + k.Stream.Key + "' lists it as " + stream.Group(k) + "…, XGROUP DESTROY removes it. The stream itself is another's",
		}
	}
	return &Leftover{
		k.Name, fmt.Sprintf("not among the datasets given: %d rows in its table, %d entries in its streams, %d not stored", rows, entries, lag),
		"renamed or removed? Give its folder with --data again until all is stored. To let it go: DROP TABLE " + k.Name +
			" in the warehouse, and DEL its streams " + stream.Key(k, 0) + "… in Redis",
	}
}
