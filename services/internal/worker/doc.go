// Package worker ingests events from a stream into the warehouse, each exactly once.
//
// A shard of a dataset has one owner at a time. Its life:
//
//	waiting ──lease──> taking over ──epoch+1──> pipeline ──read error──┐
//	   ^                                          │  ^                 │
//	   │                                          │  └── drain, re-attach
//	   └──── lease lost or commit fenced ─────────┘
//
// A pipeline is one attachment to the stream. Its three stages overlap: one goroutine reads, one
// decodes into columns, one commits. A takeover reads the keys of the dedupe window before the first of
// them: nothing is deduped or committed without. While there is a backlog a batch is flushed when it has a whole
// row group; without one, when the last commit is done. A full batch ends at an entry, not at the end of a
// read: DuckDB writes what follows a row group that is not full again at its next checkpoint.
//
// # Dedupe beside the commit before
//
// The keys of a full batch are looked up in memory while the batch before it is still being committed
// (committer.prepare). Only the hits are looked up in the table, and only in turn, when that commit is
// done. Two things could go wrong, and both are noticed. Rows may be stored in between by another
// way, a backfill or replayed rejects: that raises a counter, and the batch is compared again, all of it
// in the table. And a hit of the batch before may yet turn out to be a new row, whose key is not
// among the keys: its hash is kept as undecided, and a later row with it is a hit, too (TestPrepare).
//
// # Guarantees
//
// The position is in the warehouse and advances in the transaction that stores the
// rows. An entry above the position is new. One at or below it (the server may have lost
// entries, the stream may have been replaced) is looked up by its ID and key before it is
// stored. Nothing is trimmed that was not read. A former owner, however late it wakes up,
// cannot commit: the epoch in the position row is no longer its own.
//
// When things fail: an error of Redis ends the reading, what is in flight is committed, and the
// worker re-attaches at the position, with a new group. An error of the warehouse is retried
// with backoff and stops the reading when the stages are full, so that events wait in Redis.
// Events that break their contract are no error: they are stored as rejects.
//
// A shard whose stream lost entries, or is claimed by another warehouse, stops for good: a retry
// changes neither. The other shards of the process continue.
//
// # A fenced commit
//
//  1. The UPDATE of the position row compares epoch and rev. If another process has changed the
//     row, it changes no row, or conflicts, which is event.ErrFenced at once.
//  2. After no changed row, or any other error, the warehouse looks up the row. If it has the
//     batch's token, this or an earlier attempt was stored: success. If it is unchanged, the error
//     is retried. Anything else is event.ErrFenced.
//  3. committer.commit returns event.ErrFenced, which shard.retry does not retry.
//  4. The commit stage returns it, which cancels the other stages: the pipeline ends and its
//     batches in flight are dropped.
//  5. shard.own returns it, drops its committer, releases the lease, if it is still this worker's,
//     and closes the connection.
//  6. Worker.runShard waits a fifth of Renew and tries to acquire the lease again. Whoever gets it
//     raises the epoch, rebuilds the keys and reads from the committed position, so that the
//     entries of the dropped batches are read again.
//
// # Reconciliation
//
// The server counts the entries added to a stream, and every few seconds that
// count is compared with the entries received (reconciler). Where they differ, the stream is
// reread from its oldest entry: skipped entries are stored, and only those that the stream no
// longer has are counted as lost and logged (gap). The worker continues, for stopping would not
// bring them back. Until the counts agree, nothing beyond the last agreement is trimmed.
//
// A former owner may be trimming until Attach destroys its group. So the count of a reread starts with the
// stream's state after Attach, and entries are lost by the position only if it is still this worker's own.
//
// # Foreign streams
//
// A contract may name a stream of somebody else, which others read and its owner trims. Nothing of it is
// trimmed here, and its last ID is not raised: where the server has lost the newest entries, the group's
// cursor stays below the position until the stream has passed that, so that each attachment rereads it.
// Entries that its owner removed before they were read are counted as lost by the reconciliation; they
// stop no shard, for there is nothing that an operator could restore. The stream may keep entries for
// longer than the table keeps rows: a reread leaves out those that are past their retention.
//
// The dedupe window moves with stream time, clamped to the server's clock plus
// event.MaxAhead: an entry whose ID is ahead of that (XADD lets a producer choose it) is
// stored and counted, and moves no key out of the window (clock).
package worker
