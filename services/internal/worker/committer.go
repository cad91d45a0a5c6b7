package worker

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// committer is the one queue through which everything reaches a shard's table:
// the stream's batches, backfills and replayed rejects, one at a time.
type committer struct {
	sink     Sink
	contract *contract.Contract
	clock    *clock // nil outside of a shard's owner: every time is believed

	mu    sync.Mutex
	pos   contract.Position
	keys  *keySet
	limit uint64 // the latest stream time that is believed, of the batch in hand
	state atomic.Pointer[committed]
}

// committed is the state after the last commit.
type committed struct {
	position contract.Position
	keyBytes int
}

func newCommitter(sink Sink, c *contract.Contract, pos contract.Position) *committer {
	q := &committer{sink: sink, contract: c, pos: pos}
	q.publish()
	return q
}

// takeOver makes this process the owner and rebuilds the keys of the window.
func (c *committer) takeOver(ctx context.Context, shard int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pos, err := c.sink.TakeOver(ctx, c.contract, shard)
	if err != nil {
		return err
	}
	return c.moveTo(ctx, pos)
}

// moveTo makes pos the position, with the keys of the window before it. Both
// change or, after an error, neither: with the position and without its keys,
// duplicates would be stored.
func (c *committer) moveTo(ctx context.Context, pos contract.Position) error {
	var keys *keySet
	if c.contract.Dedupe > 0 {
		window := uint64(c.contract.Dedupe.Milliseconds())
		keys = newKeySet(window)
		newest := min(pos.Last.MS, uint64(time.Now().UnixMilli())) // the last may be ahead of the clock
		since := newest - min(newest, window)
		if err := c.sink.Keys(ctx, c.contract, pos.Shard, since, keys.noteBelieved); err != nil {
			return err
		}
	}
	c.pos, c.keys = pos, keys
	c.publish()
	return nil
}

// publish makes the state visible to those who must not wait for a commit.
func (c *committer) publish() {
	state := committed{position: c.pos}
	if c.keys != nil {
		state.keyBytes = c.keys.bytes()
	}
	c.state.Store(&state)
}

// position is the last one committed.
func (c *committer) position() contract.Position { return c.state.Load().position }

// commit drops what the table has already from the batch and stores the rest,
// repeating through retry what the warehouse could not do yet. A row at or below
// reread was read again: it may be stored under its own place.
func (c *committer) commit(ctx context.Context, b *contract.Batch, reread contract.ID, retry retrier) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.publish()
	c.limit = c.clock.limit()
	if b.Last.Compare(c.pos.Last) < 0 {
		b.Last = c.pos.Last
	}
	if err := retry(func() error { return c.dedupe(ctx, b, reread) }); err != nil {
		return err
	}
	return retry(func() error {
		pos, err := c.sink.Commit(ctx, c.pos, b)
		if err == nil {
			c.pos = pos
		}
		return err
	})
}

// catchUp takes note of what another process stored (a backfill, replayed
// rejects) without taking the shard over: its rev and its keys.
// contract.ErrFenced: it was taken over.
func (c *committer) catchUp(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pos, found, err := c.sink.Position(ctx, c.contract, c.pos.Shard)
	if err != nil {
		return err
	}
	if !found || pos.Epoch != c.pos.Epoch {
		return contract.ErrFenced
	}
	if pos.Rev == c.pos.Rev || c.keys == nil && c.contract.Dedupe > 0 {
		return nil // nothing new, or not the owner's queue: it has no keys to keep
	}
	return c.moveTo(ctx, pos)
}

// retrier calls its argument until it succeeds, fails for good or time is up.
type retrier func(func() error) error

// fate is what becomes of a row.
type fate uint8

const (
	fresh fate = iota
	stored
	duplicate
)

// dedupe removes from the batch the rows and rejects that are stored and the
// rows whose key is. It may be called again after an error.
func (c *committer) dedupe(ctx context.Context, b *contract.Batch, reread contract.ID) error {
	hits := c.hits(b, reread)
	back := goesBack(b, reread)
	if len(hits) == 0 && !back {
		return nil
	}
	found, err := c.sink.Lookup(ctx, b, hits)
	if err != nil {
		return err
	}
	c.settle(b, hits, found)
	if back {
		b.Rejects = without(b.Rejects, found.Rejects)
	}
	return nil
}

// goesBack reports whether the batch holds anything that may be stored under
// its own place: what was read again, or a replay.
func goesBack(b *contract.Batch, reread contract.ID) bool {
	if b.Unstreamed {
		return false
	}
	old := func(id contract.ID) bool { return id.Compare(reread) <= 0 }
	return slices.ContainsFunc(b.Rejects, func(r contract.Reject) bool { return old(r.ID) }) ||
		b.Rows > 0 && old(contract.ID{MS: b.MS[0], Seq: b.Seq[0]})
}

// hits lists the rows to look up, in order: what was read again, all of a
// backfill, and the new rows whose key was seen in the window, in this batch too.
func (c *committer) hits(b *contract.Batch, reread contract.ID) []contract.Candidate {
	var hits []contract.Candidate
	for i := range b.Rows {
		if c.keys != nil && i%warmRows == 0 {
			c.keys.warm(b.Hashes[i:min(i+warmRows, b.Rows)])
		}
		if from, to, look := c.look(b, i, reread); look {
			hits = append(hits, contract.Candidate{Row: i, FromMS: from, ToMS: to})
		} else if c.keys != nil {
			c.keys.noteBelieved(b.Hashes[i], b.MS[i], c.believed(b, i))
		}
	}
	return hits
}

// look tells whether row i must be looked up and in which stream time its key
// would make it a duplicate. A row that was read again or replayed may meet its
// key before or after it; a backfilled one has no stream time of its own, so that
// the whole table counts.
func (c *committer) look(b *contract.Batch, i int, reread contract.ID) (fromMS, toMS uint64, look bool) {
	window := uint64(c.contract.Dedupe.Milliseconds())
	id := contract.ID{MS: b.MS[i], Seq: b.Seq[i]}
	switch {
	case b.Unstreamed:
		return 0, math.MaxInt64, window > 0
	case id.Compare(reread) <= 0 && window == 0:
		return 1, 0, true
	case id.Compare(reread) <= 0:
		return id.MS - min(id.MS, window), id.MS + min(window, math.MaxUint64-id.MS), true
	case window == 0:
		return 0, 0, false
	default:
		at := c.believed(b, i)
		fromMS, toMS, look = c.keys.seen(b.Hashes[i], at)
		if c.keys.ahead { // the row may lie at a later time than it counts as
			toMS = max(toMS, c.pos.Last.MS)
		}
		return max(fromMS, at-min(at, window)), toMS, look
	}
}

// believed is the stream time that row i counts as.
func (c *committer) believed(b *contract.Batch, i int) uint64 { return min(b.MS[i], c.limit) }

// settle decides in row order what each hit is, removes what is not fresh and
// notes the keys of what is.
func (c *committer) settle(b *contract.Batch, hits []contract.Candidate, found contract.Found) {
	fates := make(map[int]fate, len(hits))
	same := make(map[uint64][]int, len(hits)) // rows by hash, where one is a hit
	for _, h := range hits {
		fates[h.Row] = fresh
		same[b.Hashes[h.Row]] = nil
	}
	for _, row := range found.Duplicates {
		fates[row] = duplicate
	}
	for _, row := range found.Stored {
		fates[row] = stored
	}
	for i, hash := range b.Hashes[:b.Rows] {
		if rows, ok := same[hash]; ok {
			same[hash] = append(rows, i)
		}
	}
	var drop []int
	for _, h := range hits {
		if fates[h.Row] == fresh && c.repeats(b, h.Row, same[b.Hashes[h.Row]], fates) {
			fates[h.Row] = duplicate
		}
		switch fates[h.Row] {
		case fresh:
			if c.keys != nil {
				c.keys.noteBelieved(b.Hashes[h.Row], b.MS[h.Row], c.believed(b, h.Row))
			}
		case duplicate:
			b.Duplicates++
			drop = append(drop, h.Row)
		case stored:
			drop = append(drop, h.Row)
		}
	}
	b.Remove(drop)
}

// repeats reports whether an earlier row of the batch that is or gets stored has
// the same key within the window.
func (c *committer) repeats(b *contract.Batch, row int, same []int, fates map[int]fate) bool {
	window := uint64(c.contract.Dedupe.Milliseconds())
	if window == 0 {
		return false
	}
	for _, i := range same {
		if i >= row {
			return false
		}
		first, second := c.believed(b, i), c.believed(b, row)
		apart := max(first, second) - min(first, second)
		if fates[i] != duplicate && apart <= window && b.KeyString(i) == b.KeyString(row) {
			return true
		}
	}
	return false
}

// without removes the elements at the given ascending indexes.
func without[T any](all []T, drop []int) []T {
	kept := all[:0]
	for i, v := range all {
		if len(drop) > 0 && drop[0] == i {
			drop = drop[1:]
			continue
		}
		kept = append(kept, v)
	}
	return kept
}
