package worker

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// committer is the commit queue of a shard, through which everything reaches its table: the
// stream's batches, backfills and replayed rejects, one at a time.
type committer struct {
	sink     Sink
	contract *contract.Contract
	clock    *clock // nil outside of a shard's owner: no stream time is clamped

	mu    sync.Mutex // held during a commit
	pos   event.Position
	state atomic.Pointer[committed]

	keysMu sync.Mutex // locked after mu; not held while the sink commits
	keys   *keySet
	limit  uint64   // stream times above it are clamped to it; of the current batch
	last   event.ID // the highest position of all batches whose keys were looked up, and of the table
	// undecided counts the candidates by hash that may yet become rows; their keys are not in keys.
	undecided map[uint64]int
	// changes counts the changes of keys out of turn: all but those by prepare. They may be of rows that a
	// prepared batch was not compared with.
	changes int
}

// prepared is what prepare found out about a batch.
type prepared struct {
	candidates []event.Candidate
	limit      uint64
	changes    int
}

// committed is the state after the last commit.
type committed struct {
	position event.Position
	keyBytes int
}

func newCommitter(sink Sink, c *contract.Contract, pos event.Position) *committer {
	q := &committer{sink: sink, contract: c, pos: pos, last: pos.Last, undecided: map[uint64]int{}}
	q.storeState()
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
	return c.setPosition(ctx, pos)
}

// setPosition sets the position and rebuilds the keys of the window before it. Both change or,
// after an error, neither: at the new position without its keys, duplicates would be stored.
func (c *committer) setPosition(ctx context.Context, pos event.Position) error {
	var keys *keySet
	if c.contract.Dedupe > 0 {
		window := uint64(c.contract.Dedupe.Milliseconds())
		keys = newKeySet(window)
		newest := min(pos.Last.MS, uint64(time.Now().UnixMilli())) // the last may be ahead of the clock
		since := newest - min(newest, window)
		if err := c.sink.Keys(ctx, c.contract, pos.Shard, since, keys.addClamped); err != nil {
			return err
		}
	}
	c.keysMu.Lock()
	c.pos, c.keys, c.last = pos, keys, pos.Last
	c.changes++
	c.keysMu.Unlock()
	c.storeState()
	return nil
}

// storeState makes the state visible to those who must not wait for a commit.
func (c *committer) storeState() {
	state := committed{position: c.pos}
	c.keysMu.Lock()
	defer c.keysMu.Unlock()
	if c.keys != nil {
		state.keyBytes = c.keys.bytes()
	}
	c.state.Store(&state)
}

// position is the last one committed.
func (c *committer) position() event.Position { return c.state.Load().position }

// prepare looks up the keys of the next batch of the stream in memory, while the one before it is
// being committed. What it returns is for commit.
func (c *committer) prepare(b *contract.Batch, reread event.ID) *prepared {
	c.keysMu.Lock()
	defer c.keysMu.Unlock()
	c.limit = c.clock.limit()
	return &prepared{c.candidates(b, reread, false), c.limit, c.changes}
}

// prepareNow returns what is known about a batch whose turn it is. One that was prepared before rows were
// stored out of turn is looked up again, all of it: its own keys, or those of a batch prepared after it, may
// have pushed the ones before it out of the window.
func (c *committer) prepareNow(b *contract.Batch, reread event.ID, ready *prepared) *prepared {
	c.keysMu.Lock()
	defer c.keysMu.Unlock()
	if ready != nil && ready.changes == c.changes {
		return ready
	}
	if ready != nil {
		c.decided(b, ready.candidates)
	}
	late := ready != nil || b.Last.Compare(c.last) < 0
	c.changes++
	c.limit = c.clock.limit()
	return &prepared{c.candidates(b, reread, late), c.limit, c.changes}
}

// commit dedupes the batch and commits the rest, each through retry. A row at or below reread
// was read before: it may be stored with its own ID. ready is nil, or from prepare.
func (c *committer) commit(ctx context.Context, b *contract.Batch, reread event.ID, ready *prepared, retry retryFunc) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.storeState()
	if b.Last.Compare(c.pos.Last) < 0 {
		b.Last = c.pos.Last
	}
	ready = c.prepareNow(b, reread, ready)
	if err := retry(func() error { return c.dedupe(ctx, b, reread, ready) }); err != nil {
		c.keysMu.Lock()
		c.decided(b, ready.candidates)
		c.keysMu.Unlock()
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

// catchUp refreshes the rev and the keys after another process has committed (a backfill,
// replayed rejects), without taking the shard over. event.ErrFenced: another owner took it
// over.
func (c *committer) catchUp(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pos, found, err := c.sink.Position(ctx, c.contract, c.pos.Shard)
	if err != nil {
		return err
	}
	if !found || pos.Epoch != c.pos.Epoch {
		return event.ErrFenced
	}
	if pos.Rev == c.pos.Rev || c.keys == nil && c.contract.Dedupe > 0 {
		return nil // nothing new, or not the owner's queue: it has no keys to keep
	}
	return c.setPosition(ctx, pos)
}

// retryFunc retries its argument until it succeeds, its error is permanent or the time is up.
type retryFunc func(func() error) error

// decision is the dedupe decision on a row.
type decision uint8

const (
	newRow       decision = iota
	storedRow             // stored already, with its own ID: it was read twice
	duplicateRow          // its key is stored within the window
)

// dedupe removes the rows and rejects that are stored already and the duplicates from the
// batch. It may be retried after an error.
func (c *committer) dedupe(ctx context.Context, b *contract.Batch, reread event.ID, ready *prepared) error {
	replayed := hasReread(b, reread)
	if len(ready.candidates) == 0 && !replayed {
		return nil
	}
	found, err := c.sink.Lookup(ctx, b, ready.candidates)
	if err != nil {
		return err
	}
	c.keysMu.Lock()
	defer c.keysMu.Unlock()
	c.limit = ready.limit
	c.decided(b, ready.candidates)
	c.decide(b, ready.candidates, found)
	if replayed {
		b.Rejects = removeAt(b.Rejects, found.Rejects)
	}
	return nil
}

// hasReread reports whether the batch has rows or rejects that may be stored with their own
// ID: they were read before, or are replayed.
func hasReread(b *contract.Batch, reread event.ID) bool {
	if b.Unstreamed {
		return false
	}
	old := func(id event.ID) bool { return id.Compare(reread) <= 0 }
	return slices.ContainsFunc(b.Rejects, func(r event.Reject) bool { return old(r.ID) }) ||
		b.Rows > 0 && old(event.ID{MS: b.MS[0], Seq: b.Seq[0]})
}

// candidates lists the rows to look up, in order: those read before, all of a backfill or if told to, and
// those whose key was seen in the window, in this batch too. The others are new.
func (c *committer) candidates(b *contract.Batch, reread event.ID, all bool) []event.Candidate {
	var candidates []event.Candidate
	c.last = event.Later(c.last, b.Last)
	for i := range b.Rows {
		if c.keys != nil && i%warmRows == 0 {
			c.keys.warm(b.Hashes[i:min(i+warmRows, b.Rows)])
		}
		if from, to, needed := c.lookupRange(b, i, reread, all); needed {
			candidates = append(candidates, event.Candidate{Row: i, FromMS: from, ToMS: to})
			c.undecided[b.Hashes[i]]++
			if c.keys != nil { // it may become a row that is later than its key, see keySet.addClamped
				c.keys.ahead = c.keys.ahead || c.clamped(b, i) < b.MS[i]
			}
		} else if c.keys != nil {
			c.keys.addClamped(b.Hashes[i], b.MS[i], c.clamped(b, i))
		}
	}
	return candidates
}

// decided ends the wait for the decision on candidates.
func (c *committer) decided(b *contract.Batch, candidates []event.Candidate) {
	for _, cand := range candidates {
		hash := b.Hashes[cand.Row]
		if c.undecided[hash]--; c.undecided[hash] <= 0 {
			delete(c.undecided, hash)
		}
	}
}

// lookupRange reports whether row i needs a lookup, and the range of stream time in which its
// key makes it a duplicate. That is before and after a row that was read before or is replayed;
// and the whole table for a backfilled one, which has no stream time of its own.
func (c *committer) lookupRange(b *contract.Batch, i int, reread event.ID, all bool) (fromMS, toMS uint64, needed bool) {
	window := uint64(c.contract.Dedupe.Milliseconds())
	id := event.ID{MS: b.MS[i], Seq: b.Seq[i]}
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
		at := c.clamped(b, i)
		fromMS, toMS, needed = c.keys.seen(b.Hashes[i], at)
		if all || c.undecided[b.Hashes[i]] > 0 {
			fromMS, toMS, needed = 0, at+min(window, math.MaxUint64-at), true
		}
		if c.keys.ahead { // the row may be stored with a later time than the clamped
			toMS = max(toMS, c.last.MS)
		}
		return max(fromMS, at-min(at, window)), toMS, needed
	}
}

// clamped is the stream time of row i, at most the clock's limit.
func (c *committer) clamped(b *contract.Batch, i int) uint64 { return min(b.MS[i], c.limit) }

// decide makes the decision on each candidate in row order, removes all but the new rows from
// the batch and adds the keys of these.
func (c *committer) decide(b *contract.Batch, candidates []event.Candidate, found event.Found) {
	decisions := make(map[int]decision, len(candidates))
	sameHash := make(map[uint64][]int, len(candidates)) // rows by the hash of a candidate
	for _, cand := range candidates {
		decisions[cand.Row] = newRow
		sameHash[b.Hashes[cand.Row]] = nil
	}
	for _, row := range found.Duplicates {
		decisions[row] = duplicateRow
	}
	for _, row := range found.Stored {
		decisions[row] = storedRow
	}
	for i, hash := range b.Hashes[:b.Rows] {
		if rows, ok := sameHash[hash]; ok {
			sameHash[hash] = append(rows, i)
		}
	}
	var drop []int
	for _, cand := range candidates {
		if decisions[cand.Row] == newRow && c.duplicatesEarlier(b, cand.Row, sameHash[b.Hashes[cand.Row]], decisions) {
			decisions[cand.Row] = duplicateRow
		}
		switch decisions[cand.Row] {
		case newRow:
			if c.keys != nil {
				c.keys.addClamped(b.Hashes[cand.Row], b.MS[cand.Row], c.clamped(b, cand.Row))
			}
		case duplicateRow:
			b.Duplicates++
			drop = append(drop, cand.Row)
		case storedRow:
			drop = append(drop, cand.Row)
		}
	}
	b.Remove(drop)
}

// duplicatesEarlier reports whether an earlier row of the batch that is or gets stored has the
// same key within the window.
func (c *committer) duplicatesEarlier(b *contract.Batch, row int, sameHash []int, decisions map[int]decision) bool {
	window := uint64(c.contract.Dedupe.Milliseconds())
	if window == 0 {
		return false
	}
	for _, i := range sameHash {
		if i >= row {
			return false
		}
		first, second := c.clamped(b, i), c.clamped(b, row)
		apart := max(first, second) - min(first, second)
		if decisions[i] != duplicateRow && apart <= window && b.KeyString(i) == b.KeyString(row) {
			return true
		}
	}
	return false
}

// removeAt removes the elements at the given ascending indexes.
func removeAt[T any](all []T, drop []int) []T {
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
