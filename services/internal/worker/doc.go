// Package worker carries events from a stream to the warehouse, each exactly
// once.
//
// A shard of a dataset has one owner at a time. Its life:
//
//	waiting ──lease──> taking over ──epoch+1──> attached ──read error──┐
//	   ^                                          │  ^                 │
//	   │                                          │  └── drain, attach again
//	   └──── lease lost or commit fenced ─────────┘
//
// While it is attached, three stages overlap: one goroutine reads, one decodes
// into columns, one commits. While there is a backlog a commit waits for a
// whole row group; without one it takes what has come since the last.
//
// What is guaranteed: the position lies in the warehouse and moves in the
// transaction that stores the rows. An entry above the position is new. One at
// or below it (the server may have stepped back, the stream may be another one) is
// looked up by its ID and key before it is stored. Nothing is trimmed that was not read.
// Whoever was replaced, however late it wakes, cannot
// commit: the epoch in the position row is no longer its own.
//
// What happens when things fail: a fault of Redis ends the reading, what was
// received is committed, and a new group continues at the position. A fault of
// the warehouse is retried with backoff and stops the reading when the stages
// are full, so that events wait in Redis. Events that break their contract are
// no fault: they are stored as rejects.
//
// A shard whose stream lost entries, or belongs to another warehouse, refuses to go on: waiting
// changes neither. The others of the process go on.
//
// Reconciliation: the server counts the entries added to a stream, and every few seconds that
// count is compared with the entries received (reconciler). Where they differ, the stream is
// reread from its oldest entry: skipped entries are stored, and only those that the stream no
// longer has are counted as lost and logged (gap). The worker continues, for stopping would not
// bring them back. Until the counts agree, nothing beyond the last agreement is trimmed. The
// embedded server doesn't count.
//
// The dedupe window moves with stream time, clamped to the server's clock plus
// contract.MaxAhead: an entry whose ID is ahead of that (XADD lets a producer choose it) is
// stored and counted, and moves no key out of the window (clock).
package worker
