package contract

import (
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/event"
)

// Batch is what one commit stores: rows in columns, rejects, and the step of
// the position.
type Batch struct {
	Contract *Contract
	Shard    int
	// Rows counts the rows in every column.
	Rows    int
	Columns []column.Vector // in the order of Contract.Columns
	// MS, Seq and Line are where each row came from: stream ID and line. Line is
	// 0 for a single event and counts from 1 in a batch entry.
	MS, Seq []uint64
	Line    []uint32
	// Unstreamed marks a batch that did not come from the stream (backfill):
	// Seq is stored as NULL.
	Unstreamed bool
	// Hashes are the hashes of the rows' keys (xxh3, 64 bits).
	Hashes  []uint64
	Rejects []event.Reject
	// Replayed are stored rejects that this batch replaces: the commit deletes
	// them. Found by ID, line and bytes.
	Replayed []event.Reject
	// Last is the position after this commit.
	Last event.ID
	// Added is what the server had counted as added to the stream up to Last: -1 is
	// unknown, 0 keeps what is there.
	Added int64
	// RunID is the Redis server's run_id to note with the position; empty
	// keeps the one that is there.
	RunID string
	// Token identifies the commit of this batch, over all its tries: when the
	// outcome of one is unknown, the position row says whose step it shows. The
	// warehouse draws it at the first try; 0 is none yet.
	Token uint64
	// Entries counts the stream entries in the batch, Duplicates the events
	// dropped from it.
	Entries    int
	Duplicates int
	// Traces are entries with a sampled trace, a few at most.
	Traces []event.Traced
}
