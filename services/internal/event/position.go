package event

import (
	"errors"
	"hash/crc32"
	"time"
)

// ErrFenced says that another owner took the shard over. The batch in hand
// must be dropped, never retried: the new owner reads its entries again.
var ErrFenced = errors.New("shard was taken over by another worker")

// ErrCursorMoved says that a reader's cursor is not where the reader left it: somebody
// else moved it or read with it, or the stream was replaced.
var ErrCursorMoved = errors.New("the cursor of this reader was moved by somebody else")

// Position is how far a shard of a dataset is stored. It lies in the warehouse
// beside the rows and changes in the same transaction.
type Position struct {
	Dataset string `json:"dataset"`
	Shard   int    `json:"shard"`
	// Last is the highest stream ID whose entry is stored, rejected or dropped
	// as a duplicate.
	Last ID `json:"last"`
	// Added is how many entries the server had counted as added up to Last; -1 is
	// unknown.
	Added int64 `json:"added"`
	// Trace is the W3C traceparent of the last entry that carried a sampled one.
	Trace string `json:"-"`
	// Epoch counts the owners; Rev counts every change of the row.
	Epoch int64 `json:"epoch"`
	Rev   int64 `json:"rev"`
	// RunID is the Redis server's run_id at the last commit.
	RunID string `json:"run_id"`
	// Token is that of the last batch committed.
	Token uint64 `json:"-"`
	// Rows, Rejected and Duplicates count since the beginning.
	Rows       int64 `json:"rows"`
	Rejected   int64 `json:"rejected"`
	Duplicates int64 `json:"duplicates"`
	// CommittedAt is the warehouse writer's clock at the last commit.
	CommittedAt time.Time `json:"committed_at"`
}

// StreamState is how a shard's stream and its server stand.
type StreamState struct {
	// RunID is the server's; it changes at every start of the server.
	RunID string
	// Now is the server's clock, in milliseconds since 1970.
	Now uint64
	// Known says that a cursor of this pipeline lies in the stream.
	Known bool
	// First and Newest are the oldest and the newest entry kept, zero if there is none; Last
	// is the last ID ever generated; MaxDeleted the highest one deleted one by one.
	First, Newest, Last, MaxDeleted ID
	// TrimmedTo is how far this pipeline has trimmed.
	TrimmedTo ID
	// Length counts the entries kept, Added all that were ever added; -1 where the
	// server doesn't say.
	Length, Added int64
}

// Unstored is how many of the stream's entries are above a position, by the server's own count
// where that is known, and all of them where it isn't; at least 1 if any is.
func (s StreamState) Unstored(p Position) int64 {
	switch {
	case s.Length == 0, s.Newest.Compare(p.Last) <= 0 && s.Last.Compare(p.Last) >= 0:
		return 0
	case s.Newest.Compare(p.Last) <= 0 || p.Added < 0 || s.Added < 0:
		return s.Length // the server stepped back, or does not count
	}
	return min(max(s.Added-p.Added, 1), s.Length)
}

// MaxAhead is how far the ID of an entry may be ahead of the server's clock before the
// entry's own time is clamped: the dedupe window moves no further.
const MaxAhead = time.Minute

// Shard is the shard, from 0, of an event with that partition: the CRC-32
// (IEEE, as in zlib, gzip and PNG) of the partition's UTF-8 text, modulo the
// number of shards. It is part of the protocol: whoever writes to the streams
// must compute the same. An integer's text is its decimal digits without leading
// zeros, a UUID's its 36 characters in lower case; Batch.PartitionString gives
// both.
//
// CRC-32 is not the best of hashes, but there is no language without it.
func Shard(partition string, shards int) int {
	return int(uint64(crc32.ChecksumIEEE([]byte(partition))) % uint64(max(shards, 1)))
}
