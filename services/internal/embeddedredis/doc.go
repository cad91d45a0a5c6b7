// Package embeddedredis is a Redis in this process's memory, for a pipeline on a machine without
// redis-server: what it holds ends with the process.
//
// It has the commands that a pipeline, its producers and other readers of its streams use. Each answers
// as redis-server 7.0 does, which a test compares; any other command is refused with an error that
// says so. Streams are this package's own. Keys of other types, expiry and Lua are miniredis', a server for
// tests whose streams don't fit: its XTRIM MINID moves the rest of the stream for each entry that it
// removes, a reverse range copies all of it, and each entry is six objects for the garbage collector.
//
// # Memory
//
// A stream is a list of nodes of 64 KiB, each with the bytes of its entries as they are sent to a
// reader and without pointers to them. So trimming frees whole nodes, reading copies, and the garbage collector
// has little to do, however long the backlog.
//
// Above MaxMemory an XADD is refused as redis-server refuses it, with OOM, until a trim has made room:
// producers wait. What the streams hold is counted, and keys of other types by their number: requests with an
// Idempotency-Key leave some for a day.
//
// # Keys
//
// Each stream has an empty one of the same name in miniredis, so that EXISTS, TYPE, SCAN, DEL, EXPIRE and
// FLUSHALL apply to it: a stream whose name is gone there, or another type, is gone. There is one database.
//
// A key expires a little late if there are many, and never early: miniredis looks at all of them each time its clock moves,
// so that is moved seldom (tick), and a time to live is handed to it as the time of its end (absolute).
//
// # Order
//
// One command, script or transaction runs at a time, under one lock. No connection is read or written
// under it.
package embeddedredis
