package worker

import (
	"context"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Source is one shard's stream. One goroutine uses it at a time.
type Source interface {
	// Acquire acquires the shard's lease or reports false while another worker owns it.
	// *event.OtherWarehouseError, also of Renew: the shard is claimed by another warehouse.
	Acquire(ctx context.Context) (bool, error)
	// Renew renews the lease; false: it was lost.
	Renew(ctx context.Context) (bool, error)
	// Release releases the lease if it is still owned.
	Release(ctx context.Context) error

	// State returns the state of the stream and its server. TrimmedTo is below First also while another
	// worker trims. After Attach it fails with event.ErrCursorMoved if the group's cursor is not where Read has left it.
	State(ctx context.Context) (event.StreamState, error)
	// Attach creates a group that reads after the given ID, named by the owner's epoch and a
	// counter, and destroys every older group of Estela's. It fails with
	// event.ErrFenced if one of a later epoch exists. It returns the ID that is really read
	// after: zero unless the stream has a cursor of Estela's at the given ID or beyond.
	Attach(ctx context.Context, epoch int64, after event.ID) (from event.ID, err error)
	// Read returns the next entries, none after the bounded wait. Their bytes
	// are valid until release is called. After any error the group's cursor is
	// unknown: re-attach at the last ID received. The error is event.ErrCursorMoved
	// for entries at or below the last ones.
	Read(ctx context.Context) (entries []event.Entry, release func(), err error)
	// RaiseLastID raises the stream's last ID to at least the given one, so that the server
	// generates no ID up to it again.
	RaiseLastID(ctx context.Context, to event.ID) error
	// Trim removes entries at or before the given ID that no foreign group still needs,
	// after writing the bound to Redis. It fails with event.ErrCursorMoved if this is
	// not the stream that was read so far.
	Trim(ctx context.Context, to event.ID) error
	// PublishPosition writes the committed position to Redis, for producers and operators; no
	// worker reads it. It is called while another goroutine uses the source.
	PublishPosition(ctx context.Context, at event.Position) error
	// Close closes the connection that Read uses. Attach reconnects.
	Close() error
}

// Sink is the warehouse.
type Sink interface {
	// TakeOver makes the caller the owner of the shard: epoch and rev go up by
	// one, committed before the position is read.
	TakeOver(ctx context.Context, c *contract.Contract, shard int) (event.Position, error)
	// Commit stores the batch and moves the position from at to the batch's
	// Last, in one transaction, and returns the new position. event.ErrFenced:
	// another process moved it, drop the batch. Any other error: nothing was
	// stored, or the outcome is unknown; a retry with the same arguments finds out which.
	Commit(ctx context.Context, at event.Position, b *contract.Batch) (event.Position, error)
	// Lookup finds which of the candidate rows are stored already or duplicates.
	Lookup(ctx context.Context, b *contract.Batch, candidates []event.Candidate) (event.Found, error)
	// Position looks up the shard's position without taking it over; false: it never
	// had an owner.
	Position(ctx context.Context, c *contract.Contract, shard int) (event.Position, bool, error)
	// Idle may run maintenance, such as a checkpoint: nothing is in flight.
	Idle(ctx context.Context)
	// Prune deletes the rows that were stored longer ago than the contract's
	// retention and returns how many.
	Prune(ctx context.Context, c *contract.Contract) (int64, error)
	// Keys calls each with the hash and stream time of every key stored for the shard since the
	// given stream time (milliseconds), and that time clamped to when it was stored plus
	// event.MaxAhead.
	Keys(ctx context.Context, c *contract.Contract, shard int, sinceMS uint64, each func(hash, ms, clamped uint64)) error
}

// Observer receives measurements. Its methods must not block.
type Observer interface {
	// Read: so many stream entries arrived.
	Read(dataset string, entries int)
	// Committed: the batch is committed, dedupe and commit took that long.
	Committed(dataset string, b *contract.Batch, took time.Duration)
	// Retried: an operation of the warehouse failed and is retried.
	Retried(dataset string)
	// Reconciled: of the entries expected, by the server's count, so many were received and so
	// many lost.
	Reconciled(dataset string, received, lost int64)
	// Ahead: so many entries were read whose IDs are ahead of the server's clock.
	Ahead(dataset string, entries int64)
	// Loss: entries that are not stored are gone from the stream; at least so many.
	Loss(dataset string, entries int64)
}
