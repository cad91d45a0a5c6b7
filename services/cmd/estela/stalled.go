package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

// examineStreams looks for events that nobody stores: keys that no worker reads, shards
// without a worker or at a standstill, IDs after which no event can be added. Without a Redis
// there are none.
func examineStreams(ctx context.Context, all []*dataset, known *inventory, client *stream.Client) []finding {
	if client == nil {
		return nil
	}
	found, err := streamFindings(ctx, all, known, client)
	if err != nil {
		return append(found, finding{name: "streams", found: err.Error(), fix: "look at the server's log"})
	}
	if len(found) == 0 {
		found = append(found, finding{name: "streams", found: "every one has a worker, or nothing to store"})
	}
	return found
}

func streamFindings(ctx context.Context, all []*dataset, known *inventory, client *stream.Client) (found []finding, err error) {
	strays, whole, err := client.Strays(ctx, contractsOf(all))
	if err != nil {
		return nil, err
	}
	for _, one := range strays {
		found = append(found, strayFinding(all, one))
	}
	if !whole {
		found = append(found, finding{
			name: "streams", found: "the server has too many keys to look at all of them for wrong ones", warning: true,
			fix: "give the pipeline a Redis of its own",
		})
	}
	for _, d := range all {
		stalled, err := examineShards(ctx, d, known, client)
		found = append(found, stalled...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// strayFinding says how to get right what lies at a wrong key, or is of a wrong type.
func strayFinding(all []*dataset, one stream.Stray) finding {
	if one.Type != one.Want {
		return finding{
			name: "key " + one.Key, found: fmt.Sprintf("is a %s and must be a %s: nothing of %s can be stored", one.Type, one.Want, one.Dataset),
			fix: fmt.Sprintf("look at what it is; then redis-cli RENAME '%s' to another name, or DEL it", one.Key),
		}
	}
	to, of := one.Dataset, "is named after "+one.Dataset
	if to == "" {
		to, of = "DATASET", "is of no dataset"
	}
	return finding{
		name: "stream " + one.Key, found: fmt.Sprintf("%s, and no worker reads it: %d entries", of, one.Length),
		fix: fmt.Sprintf("correct the producer: %s. Then publish what is there: redis-cli --json XRANGE '%s' - + | jq -r '.[][1][1]' | estela publish %s; "+
			"and when that has ended well, redis-cli DEL '%s'", rightKeys(all, one.Dataset), one.Key, to, one.Key),
	}
}

func rightKeys(all []*dataset, name string) string {
	for _, d := range all {
		switch {
		case d.Name != name:
		case d.Shards == 1:
			return "the key is " + stream.Key(name, 0)
		default:
			return fmt.Sprintf("the keys are %s to %s, by the event's partition", stream.Key(name, 0), stream.Key(name, d.Shards-1))
		}
	}
	return "the key is " + stream.Key("DATASET", 0)
}

// standstill is how long a worker must store nothing of what is there for its shard to be taken
// as stalled: longer than between two commits to MotherDuck.
const standstill = 10 * time.Second

// examineShards says which of the dataset's shards hold events that nobody stores. known may be
// nil: then what workers have noted is all there is to go by.
func examineShards(ctx context.Context, d *dataset, known *inventory, client *stream.Client) ([]finding, error) {
	all, err := client.Lags(ctx, d.Name, d.Shards)
	if err != nil {
		return nil, err
	}
	var found []finding
	suspects := map[int]event.ID{}
	for _, b := range all {
		last, left := b.Stored.Last, b.Entries
		if known != nil {
			pos := known.position(d.Name, b.Shard)
			last, left = event.Later(last, pos.Last), min(left, b.Unstored(pos))
		}
		f := finding{name: "stream " + stream.Key(d.Name, b.Shard)}
		switch {
		case b.Last == event.ID{MS: math.MaxUint64, Seq: math.MaxUint64}:
			f.found = "has given out the highest ID there is: Redis takes no event for it any more"
			f.fix = "a producer gives IDs of its own: let it XADD with *. The position in the warehouse is as high, so go on under a dataset of a new name"
			found = append(found, f)
		case left > 0 && b.Lease == "":
			f.found = fmt.Sprintf("%d entries are not stored, and no worker carries it", left)
			f.fix = "start 'estela up' or 'estela worker' with --redis " + client.String()
			found = append(found, f)
		case left > 0:
			suspects[b.Shard] = last
		}
		if ahead := time.UnixMilli(int64(min(b.Last.MS, math.MaxInt64))); b.Last.MS < math.MaxUint64 && time.Until(ahead) > event.MaxAhead {
			f.found, f.warning = "has an ID of the future, "+b.Last.String()+": every new entry gets one from there on", true
			f.fix = "look for a producer that gives IDs of its own (XADD with anything but *), or a server whose clock was wrong"
			found = append(found, f)
		}
	}
	stalled, err := stillThere(ctx, d, suspects, client)
	return append(found, stalled...), err
}

// stillThere looks at shards with something to store until they have moved, or have not for long.
func stillThere(ctx context.Context, d *dataset, suspects map[int]event.ID, client *stream.Client) (found []finding, err error) {
	for begun := time.Now(); len(suspects) > 0 && time.Since(begun) < standstill; {
		select {
		case <-time.After(storedEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		all, err := client.Lags(ctx, d.Name, d.Shards)
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
		found = append(found, finding{
			name:  "stream " + stream.Key(d.Name, shard),
			found: fmt.Sprintf("holds entries that are not stored, and its worker does not get beyond %s", suspects[shard]),
			fix:   "its worker's log and /readyz say why; the entry to look at is the next: redis-cli XRANGE '" + stream.Key(d.Name, shard) + "' '(" + suspects[shard].String() + "' + COUNT 1",
		})
	}
	return found, nil
}

// examineProcess asks the process on the data directory how it is.
func (g *Globals) examineProcess(ctx context.Context) []finding {
	running, err := readRunFile(ctx, g.DataDir)
	if err != nil {
		return []finding{{name: "process", found: err.Error(), fix: "remove that file if nothing runs there"}}
	}
	if running == nil {
		return g.examineDead()
	}
	f := finding{name: "process", found: fmt.Sprintf("%d runs in %s", running.PID, g.DataDir)}
	c := dialControl(running.Control, func() error { return nil })
	defer func() { _ = c.end() }()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if reason, err := c.ready(ctx); err != nil {
		f.found, f.fix = fmt.Sprintf("%d does not answer: %v", running.PID, err), "look at its log; end it and start it again"
	} else if reason != "" {
		f.found, f.fix = fmt.Sprintf("%d is not ready: %s", running.PID, reason), "repair what it names; it goes on by itself. Its log says more"
	}
	return []finding{f}
}

// examineDead tells of a process that ended and had no time to say so.
func (g *Globals) examineDead() []finding {
	text, err := os.ReadFile(runFilePath(g.DataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var left runFile
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	if err != nil {
		return nil // readRunFile has said it
	}
	return []finding{{
		name: "process", found: fmt.Sprintf("%d ran in %s and was killed or crashed", left.PID, g.DataDir),
		fix: "start it again: it finds its data. If it was not you, look for its end in the machine's log (out of memory?)",
	}}
}

// ready is why the process is not, "" if it is.
func (c *control) ready(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://estela/readyz", nil)
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return "", nil
	}
	text, err := readSome(resp.Body)
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "), err
}
