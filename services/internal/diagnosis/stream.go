package diagnosis

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/stream"
)

// Streams finds events that are not being stored: keys that no worker reads, shards
// without a worker or stalled, IDs after which no event can be added. Without a Redis
// there are none.
func Streams(ctx context.Context, all []*dataset.Dataset, known *inventory.Inventory, client *stream.Client) []Finding {
	if client == nil {
		return nil
	}
	found, err := streamFindings(ctx, all, known, client)
	if err != nil {
		return append(found, Finding{Name: "streams", Found: err.Error(), Fix: "see the server's log"})
	}
	if len(found) == 0 {
		found = append(found, Finding{Name: "streams", Found: "every one has a worker, or nothing to store"})
	}
	return found
}

func streamFindings(ctx context.Context, all []*dataset.Dataset, known *inventory.Inventory, client *stream.Client) (found []Finding, err error) {
	unread, whole, err := client.UnreadStreams(ctx, dataset.Contracts(all))
	if err != nil {
		return nil, err
	}
	for _, one := range unread {
		found = append(found, unreadFinding(all, one))
	}
	if !whole {
		found = append(found, Finding{
			Name: "streams", Found: "the server has too many keys to check all of them", Warning: true,
			Fix: "give the pipeline a Redis of its own",
		})
	}
	for _, d := range all {
		stalled, err := shards(ctx, d, known, client)
		found = append(found, stalled...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// unreadFinding reports a stream with a wrong key, or a key of a wrong type.
func unreadFinding(all []*dataset.Dataset, one stream.UnreadStream) Finding {
	if one.Type != one.Want && isForeign(all, one.Key) {
		return Finding{
			Name: "key " + one.Key, Found: fmt.Sprintf("is a %s, and x-estela.stream of %s says that it is a stream", one.Type, one.Dataset),
			Fix: "correct the key in the contract, or --redis",
		}
	}
	if one.Type != one.Want {
		return Finding{
			Name: "key " + one.Key, Found: fmt.Sprintf("is a %s and must be a %s: nothing of %s can be stored", one.Type, one.Want, one.Dataset),
			Fix: fmt.Sprintf("see what it is; then redis-cli RENAME '%s' to another name, or DEL it", one.Key),
		}
	}
	to, of := one.Dataset, "is named after "+one.Dataset
	if to == "" {
		to, of = "DATASET", "is of no dataset"
	}
	return Finding{
		Name: "stream " + one.Key, Found: fmt.Sprintf("%s, and no worker reads it: %d entries", of, one.Length),
		Fix: fmt.Sprintf("if it is another application's, let the contract read it as it is: \"stream\": {\"key\": %q} in x-estela. Else correct the producer: %s. Then publish what is there: redis-cli --json XRANGE '%s' - + | jq -r '.[][1][1]' | estela publish %s; "+
			"and when that has ended well, redis-cli DEL '%s'", one.Key, rightKeys(all, one.Dataset), one.Key, to, one.Key),
	}
}

// isForeign reports whether the key is that of a foreign stream.
func isForeign(all []*dataset.Dataset, key string) bool {
	return slices.ContainsFunc(all, func(d *dataset.Dataset) bool { return d.Stream != nil && d.Stream.Key == key })
}

func rightKeys(all []*dataset.Dataset, name string) string {
	for _, d := range all {
		switch {
		case d.Name != name:
		case d.Shards == 1:
			return "the key is " + stream.Key(d.Contract, 0)
		default:
			return fmt.Sprintf("the keys are %s to %s, by the event's partition", stream.Key(d.Contract, 0), stream.Key(d.Contract, d.Shards-1))
		}
	}
	return "the key is " + stream.Key(&contract.Contract{Name: "DATASET"}, 0)
}

// pollEvery is how often a shard that lags is polled.
const pollEvery = 50 * time.Millisecond

// stallTimeout is how long a shard with a lag must make no progress to be reported as stalled: longer
// than between two commits to MotherDuck.
const stallTimeout = 10 * time.Second

// shards finds shards whose events are not being stored. With a nil known it relies on the positions
// that workers have published.
func shards(ctx context.Context, d *dataset.Dataset, known *inventory.Inventory, client *stream.Client) ([]Finding, error) {
	all, err := client.Lags(ctx, d.Contract)
	if err != nil {
		return nil, err
	}
	var found []Finding
	suspects := map[int]event.ID{}
	for _, b := range all {
		last, left := b.Stored.Last, b.Entries
		if known != nil {
			pos := known.Position(d.Name, b.Shard)
			last, left = event.Later(last, pos.Last), min(left, b.Unstored(pos))
		}
		f := Finding{Name: "stream " + stream.Key(d.Contract, b.Shard)}
		switch {
		case d.Stream != nil && b.Last.IsZero():
			f.Found, f.Warning = "is not there, or never had an entry", true
			f.Fix = "start what writes to it, or correct x-estela.stream.key in the contract of " + d.Name + ", or --redis"
			found = append(found, f)
		case b.Last == event.ID{MS: math.MaxUint64, Seq: math.MaxUint64}:
			f.Found = "has given out the highest ID there is: Redis takes no event for it any more"
			f.Fix = "a producer gives IDs of its own: let it XADD with *. The position in the warehouse is as high, so continue under a dataset of a new name"
			found = append(found, f)
		case left > 0 && b.Lease == "":
			f.Found = fmt.Sprintf("%d entries are not stored, and no worker reads it", left)
			f.Fix = "start 'estela up' or 'estela worker' with --redis " + client.String()
			found = append(found, f)
		case left > 0:
			suspects[b.Shard] = last
		}
		if ahead := time.UnixMilli(int64(min(b.Last.MS, math.MaxInt64))); b.Last.MS < math.MaxUint64 && time.Until(ahead) > event.MaxAhead {
			f.Found, f.Warning = "has an ID of the future, "+b.Last.String()+": every new entry gets one from there on", true
			f.Fix = "find the producer that gives IDs of its own (XADD with anything but *), or the server whose clock was wrong"
			found = append(found, f)
		}
	}
	stalled, err := findStalled(ctx, d, suspects, client)
	return append(found, stalled...), err
}

// findStalled polls the suspects until their positions have moved or stallTimeout has passed, and
// returns the others.
func findStalled(ctx context.Context, d *dataset.Dataset, suspects map[int]event.ID, client *stream.Client) (found []Finding, err error) {
	for begun := time.Now(); len(suspects) > 0 && time.Since(begun) < stallTimeout; {
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		all, err := client.Lags(ctx, d.Contract)
		if err != nil {
			return nil, err
		}
		for _, b := range all {
			if b.Entries == 0 || b.Reported && b.Stored.Last.Compare(suspects[b.Shard]) > 0 {
				delete(suspects, b.Shard)
			}
		}
	}
	for _, shard := range slices.Sorted(maps.Keys(suspects)) {
		found = append(found, Finding{
			Name:  "stream " + stream.Key(d.Contract, shard),
			Found: fmt.Sprintf("holds entries that are not stored, and its worker does not get beyond %s", suspects[shard]),
			Fix:   "its worker's log and /readyz say why; the next entry is the one to check: redis-cli XRANGE '" + stream.Key(d.Contract, shard) + "' '(" + suspects[shard].String() + "' + COUNT 1",
		})
	}
	return found, nil
}
