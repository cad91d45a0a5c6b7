package event

import (
	"errors"
	"hash/crc32"
	"time"
)

// ErrFenced means that another process has changed the shard's position since it was read. The batch
// must be dropped, never retried: whoever owns the shard next reads its entries again.
var ErrFenced = errors.New("shard was changed by another process (taken over, or a backfill)")

// ErrCursorMoved means that a reader's cursor is not where the reader left it: another client moved it
// or read with it, or the stream was replaced.
var ErrCursorMoved = errors.New("the cursor of this reader was moved by another client")

// ErrNoStream means that a foreign stream isn't there: its owner creates it, not Estela.
var ErrNoStream = errors.New("there is no such stream: start what writes to it, or correct x-estela.stream.key in the contract")

// Position is how far a shard of a dataset is stored. It is in the warehouse beside the rows and changes
// in the same transaction.
type Position struct {
	Dataset string `json:"dataset"`
	Shard   int    `json:"shard"`
	// Last is the highest stream ID whose entry is stored, rejected or dropped
	// as a duplicate.
	Last ID `json:"last"`
	// Added is the server's count of entries added up to Last; -1 is unknown.
	Added int64 `json:"added"`
	// Trace is the W3C traceparent of the last entry that carried a sampled one.
	Trace string `json:"-"`
	// Epoch counts takeovers; Rev counts changes of the row.
	Epoch int64 `json:"epoch"`
	Rev   int64 `json:"rev"`
	// RunID is the Redis server's run_id at the last commit.
	RunID string `json:"run_id"`
	// Token identifies the last batch committed.
	Token uint64 `json:"-"`
	// Rows, Rejected and Duplicates are totals.
	Rows       int64 `json:"rows"`
	Rejected   int64 `json:"rejected"`
	Duplicates int64 `json:"duplicates"`
	// CommittedAt is the time of the last commit, by the warehouse writer's clock.
	CommittedAt time.Time `json:"committed_at"`
}

// StreamState is the state of a shard's stream and its server.
type StreamState struct {
	// RunID is the server's; it changes at every start of the server.
	RunID string
	// Now is the server's clock, in milliseconds since 1970.
	Now uint64
	// Known: the stream has a cursor of this pipeline.
	Known bool
	// First and Newest are the oldest and the newest entry kept, zero if there is none; Last
	// is the last ID ever generated; MaxDeleted the highest one deleted one by one.
	First, Newest, Last, MaxDeleted ID
	// TrimmedTo is how far this pipeline has trimmed.
	TrimmedTo ID
	// Length is the number of entries kept, Added of all ever added; -1 where the server doesn't
	// count.
	Length, Added int64
}

// Unstored returns how many of the stream's entries are above the position: by the server's count or,
// without one, all of them; at least 1 if there is any.
func (s StreamState) Unstored(p Position) int64 {
	switch {
	case s.Length == 0, s.Newest.Compare(p.Last) <= 0 && s.Last.Compare(p.Last) >= 0:
		return 0
	case s.Newest.Compare(p.Last) <= 0 || p.Added < 0 || s.Added < 0:
		return s.Length // the server lost entries, or does not count
	}
	return min(max(s.Added-p.Added, 1), s.Length)
}

// MaxAhead is how far the ID of an entry may be ahead of the server's clock before its time is clamped,
// so that it can't move the dedupe window further.
const MaxAhead = time.Minute

// Shard returns the shard, from 0, of an event with the partition: the CRC-32 (IEEE, as in zlib, gzip
// and PNG) of the partition's UTF-8 text, modulo the number of shards. It is part of the protocol:
// every producer must compute the same. An integer's text is its decimal digits without leading zeros,
// a UUID's its 36 characters in lower case, as Batch.PartitionString returns them. CRC-32 is not the
// best hash, but available in every language.
func Shard(partition string, shards int) int {
	return int(uint64(crc32.ChecksumIEEE([]byte(partition))) % uint64(max(shards, 1)))
}
