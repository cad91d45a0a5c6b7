// Package stream is Estela's side of Redis Streams: the group reader with its
// lease, the trimmer and the producer. It is the only package that knows Redis.
//
// # Keys
//
//	estela:{DATASET:SHARD}             the stream of one shard
//	estela:{DATASET:SHARD}:lease       the token of the worker that reads it, with a time to live
//	estela:{DATASET:SHARD}:trimmed_to  the ID up to which this pipeline has trimmed it
//	estela:{DATASET:SHARD}:warehouse   hash: identity, location and host of the warehouse that claimed the shard
//	estela:{DATASET:SHARD}:stored      hash: last, added, stored and at: the position that its worker reports, for
//	                                   producers and operators; no worker reads it
//	estela:workers:IDENTITY:DATASETS   sorted set: a worker's token, scored by when it expires (server clock, ms)
//	estela:contracts                   hash: DATASET -> the contract by which its warehouse stores it,
//	                                   DATASET@VERSION -> nothing: one that it stored by before
//	estela:run_id                      embedded servers only: stands in for INFO's run_id
//
// The braces are a hash tag: the five keys of a shard lie in one slot.
//
// # Entries
//
// An entry has the field "event" (one JSON document) or the field "events"
// (NDJSON, one document a line). The field "traceparent" beside it (W3C) makes
// it part of a trace; others are allowed and ignored. An entry with neither field, with both, or with one
// of them twice is [contract.Foreign]: its payload is a JSON object of all its
// fields, so that nothing of it is lost when it is rejected. In that object a
// name or value that is not valid UTF-8, or that begins with "base64:", is
// written as "base64:" and its standard base64. IDs come from the server
// (XADD *): their first half is the time at which the event was streamed.
//
// # A shard's life
//
//	         Acquire: true            Attach(epoch, after)            Read
//	(idle) ───────────────> (leased) ────────────────────> (reading) ─────┐
//	  ^                        ^  ^                          │  │  ^      │
//	  │ Release, lease lost    │  │ any error: the cursor is │  │  └──────┘
//	  └────────────────────────┘  └────── unknown, Attach ───┘  │ ErrNoGroup, ErrFenced:
//	  ^                                                         │ another worker took over
//	  └─────────────────────────────────────────────────────────┘
//
// A group is the cursor of one owner, named estela:EPOCH.N, and lies in its stream: so it
// also tells the stream from one that was put in its place. Attach makes the
// next one at the last ID received and destroys every other one of this
// pipeline, in one step on the server. It meets a younger epoch's group with
// [contract.ErrFenced], unless the caller holds the lease: then the group was
// left behind by a warehouse that has been restored or replaced since. Groups of
// other names are never touched.
//
// # Other hands
//
// Everybody who reaches the server can delete the stream, restore a dump over it, move a group's
// cursor or read with it. What shows it:
//
//   - no group of the last owner lies in the stream that has come to the position: it was
//     deleted, emptied or restored, or the cursor moved back. Attach sees it in the step in
//     which it makes the next group, and begins with the oldest entry kept.
//   - an entry at or below the last one received: Read fails with [contract.ErrCursorMoved].
//   - a cursor that is not at the last entry received: State fails with it.
//   - the group is gone, or has not come to what shall be trimmed: Trim fails with it, in
//     the step in which it would have trimmed.
//   - the server's count of added entries is not what was received (package worker).
//
// After each the worker attaches again, reads what the stream keeps, and looks up what may be
// stored. Of an embedded server, which doesn't count, one thing stays unseen: a cursor that
// was moved forward, and entries that were read with it beyond that before the next State.
//
// # Reading
//
// Reads are XREADGROUP … NOACK: there are no pending entries. The price is that
// a reply lost on the way has moved the cursor past entries that nobody got.
// Therefore no read is ever repeated: after any error, group N+1 starts at the
// last ID received, on a new connection. Destroying group N also stops a blocked
// read of the dead connection from taking entries.
//
// Reads go over a connection of their own, not over go-redis: its typed reader
// makes six allocations an entry and takes eight times the processor time, its
// raw ones take four to fifteen times as much and leave the parsing to be done
// (BenchmarkRead). Ours also lets a cancelled context end a blocked read at once
// (go-redis#2556), and takes a reply in parts of 1 MiB, so that memory is bounded
// by one part and one entry, whatever a producer has put into the stream.
//
// # One warehouse
//
// What a worker has consumed from a stream is in its warehouse and nowhere else, so a shard
// belongs to one warehouse. The first to ask claims it, in a key beside the lease; the scripts
// that acquire and renew the lease compare the claim, and fail for another warehouse with
// [contract.OtherWarehouseError]. Each renewal writes the claim again, for a FLUSHALL removes
// it. A process claims all its shards at its start, in order, or none (ClaimShards), so that of
// two that start at once one gets all; MoveShard moves a shard whose lease nobody owns.
// The members of a group are the live workers of one warehouse and the same datasets: workers
// of others own none of its shards and would only lower the quotas.
//
// The identity is stored in the warehouse, so a copy of the file has it too. The claim doesn't
// distinguish two copies on one server; Attach warns of the younger group that the other
// leaves.
//
// # When things fail
//
//   - Redis is gone, a connection is cut: the error is returned; nothing here
//     repeats a read or a lease command. The producer repeats (see below).
//   - The stream or all of Redis was emptied: a read finds [ErrNoGroup].
//   - Redis is full (maxmemory, noeviction): producers wait. The scripts that a
//     worker needs for reading and trimming run with allow-oom, or one that starts
//     then could never make room.
//   - The worker is paused past its lease: another takes it; the old one's Renew
//     says false, its Read [ErrNoGroup], its commit is fenced in the warehouse.
//   - The server lost the newest entries (restart without AOF, failover): its run
//     id changed, or its last ID is below the position. The worker reads again
//     from the oldest entry and calls Lift, so that no ID up to the position is
//     handed out a second time.
//
// # Producer
//
// Each flush is one MULTI … EXEC: all of it is in the stream, in order, or
// nothing is. A full server (OOM), a lag above the high-water mark,
// a server that is loading or read-only: the producer waits and tries again. After a cut
// connection the outcome is unknown and the flush is sent again: its events can
// be in the stream twice, and the second is dropped downstream by its key.
//
// # Trimming
//
// Only entries at or before the position go, none that the reader's own group has not
// delivered, and none that a group of another name has not yet delivered or has pending. The highest ID that goes is noted
// in trimmed_to in the same step, before the entries go. Plain XREAD subscribers
// leave no trace in Redis: give them KeepFor.
//
// Nothing newer than Redis 7.0's commands is used. The embedded miniredis works
// too, with these differences: its run id is a key, Lift adds and deletes an
// entry (it has no XSETID), and leases expire only as its clock is moved on
// (FastForward).
package stream
