// Package stream is Estela's client of Redis Streams: the group reader with its
// lease, the trimmer and the producer. It is the only package that uses Redis.
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
//	                                   DATASET@VERSION -> nothing: an earlier version of it
//
// The braces are a hash tag: the five keys of a shard are in one slot.
//
// # Foreign streams
//
// A contract may name a stream of somebody else (x-estela.stream), whose key is KEY. Estela is then one
// reader of several, and changes nothing but its own group, estela:DATASET:EPOCH.N: it never trims the
// stream, raises its last ID, creates or deletes it. Where it doesn't exist, Attach fails with
// [event.ErrNoStream]. Estela's own keys are estela:{TAG}:DATASET:lease and so on, in the slot of KEY: TAG
// is what Redis hashes of KEY, or a number of the same slot if braces in it get in the way.
//
// Several datasets may read one foreign stream, and a dataset may read another's own stream: their groups
// differ in name. The first Attach starts at the oldest entry.
//
// # Entries
//
// An entry has the field "event" (one JSON document) or the field "events"
// (NDJSON, one document a line). The field "traceparent" beside it (W3C) makes
// it part of a trace; others are allowed and ignored. An entry with neither field, with both, or with one
// of them twice is [event.UnknownEntry]: its payload is a JSON object of all its
// fields, so that nothing of it is lost when it is rejected. In that object a
// name or value that is not valid UTF-8, or that begins with "base64:", is
// written as "base64:" and its standard base64. In a foreign stream the field with the
// document may have another name, or all fields together are the event
// ([event.Fields]), in the same form. IDs come from the server
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
// A group is the cursor of one owner, named estela:EPOCH.N. It is part of its stream, so it also
// identifies the stream: one that replaced it has no such group. Attach creates the next one at
// the last ID received and destroys every other one of this pipeline, in one script on the
// server. Where a group of a later epoch exists it fails with [event.ErrFenced], unless the
// caller owns the lease: then the group is a leftover of a warehouse that has been restored or
// replaced since. Groups of other names are never changed.
//
// # Changes by others
//
// Every client of the server can delete the stream, restore a dump over it, move a group's cursor
// or read with it. How each is detected:
//
//   - no group of the last owner is at the position or beyond: the stream was deleted, emptied
//     or restored, or the cursor moved back. Attach detects it in the script that creates the
//     next group, and starts at the oldest entry.
//   - an entry at or below the last one received: Read fails with [event.ErrCursorMoved].
//   - a cursor that is not at the last entry received: State fails with it.
//   - the group is gone, or is not at the bound of a trim yet: Trim fails with it, in the script
//     that would have trimmed.
//   - the server's count of added entries differs from the entries received: see reconciliation
//     in package worker.
//
// After each the worker re-attaches, rereads the stream, and looks up what may be stored.
//
// # Reading
//
// Reads are XREADGROUP … NOACK: there are no pending entries. The price: a reply that is lost has
// moved the cursor past entries that were not received. So a read is never retried: after any
// error, group N+1 starts at the last ID received, on a new connection. Destroying group N also
// stops a blocked read of the dead connection from consuming entries.
//
// Reads go over a connection of their own, not over go-redis: its typed reader
// makes six allocations an entry and takes eight times the processor time, its
// raw ones take four to fifteen times as much and leave the parsing to be done
// (BenchmarkRead). Ours also lets a cancelled context end a blocked read at once
// (go-redis#2556), and reads a reply in segments of 1 MiB, so that memory is bounded
// by one segment and one entry, whatever a producer has added to the stream.
//
// # One warehouse
//
// What a worker has consumed from a stream is in its warehouse and nowhere else, so a shard
// belongs to one warehouse. The first to ask claims it, in a key beside the lease; the scripts
// that acquire and renew the lease compare the claim, and fail for another warehouse with
// [event.OtherWarehouseError]. Each renewal writes the claim again, for a FLUSHALL removes
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
//   - Redis is unavailable, a connection is cut: the error is returned; nothing here
//     retries a read or a lease command. The producer retries (see below).
//   - The stream or all of Redis was emptied: a read finds [ErrNoGroup].
//   - Redis is full (maxmemory, noeviction): producers wait. The scripts that a
//     worker needs for reading and trimming run with allow-oom, or one that starts
//     then could never trim.
//   - The worker is paused past its lease: another takes the shard over; the old one's
//     Renew returns false, its Read [ErrNoGroup], its commit is fenced in the warehouse.
//   - The server lost the newest entries (restart without AOF, failover): its run
//     id changed, or its last ID is below the position. The worker rereads from the
//     oldest entry and calls RaiseLastID, so that the server generates no ID up to the
//     position again.
//
// # Producer
//
// Each flush is one MULTI … EXEC: all of it is in the stream, in order, or
// nothing is. A full server (OOM), a lag above the high-water mark,
// a server that is loading or read-only: the producer retries with backoff. After a cut
// connection the outcome is unknown and the flush is retried: its events can be in the
// stream twice, and the duplicate is dropped downstream by its key.
//
// # Trimming
//
// Only entries at or before the position are removed, none that the reader's own group has not
// delivered, and none that a foreign consumer group has not delivered yet or has pending. The
// highest ID that is removed is written to trimmed_to before, in the same script. XREAD
// subscribers have no cursor in Redis: set KeepFor for them.
//
// Nothing newer than Redis 7.0's commands is used, and what is used package embeddedredis has too.
package stream
