// Package ingest takes events by POST: it checks a request's events by their contract and adds them to
// the streams of their dataset.
//
// # A request
//
//	server     options and limits: what is refused before the body is read
//	body       the body: slow senders, content coding, sizes
//	splitter   documents: one, the lines of NDJSON, the elements of an array
//	cloudevent a CloudEvent's attributes and data become an event
//	parcel     pass one: each event is decoded by the worker's decoder and packed for its shard
//	publish    pass two: the entries go to the streams; the answer
//
// # All or nothing
//
// Nothing is published before the last event is checked: one that is invalid refuses the request with
// 422, and each violation of the first ones is listed with line and pointer. So the events must wait
// somewhere. They wait as the entries that they will be, a megabyte in memory and the rest in an
// unlinked temporary file, within a quota (package spool): memory is bounded by the
// batch, whatever the body's size, and so is the disk. With ?on-invalid=reject invalid events are published too
// and become rejects, as from any producer.
//
// An event is packed with others of its shard into entries of up to [maxPack] events, as a producer does.
// Within a shard the order of the events is kept; and, because a request is answered before the next one of its
// connection is read, over the requests of a connection.
//
// The entries go to Redis in windows of a megabyte. A window's entries of one shard are added all or
// none; several shards, or several windows, can fail one after the other. Then the answer is 503,
// what is there stays there, and the request is sent again: events with a key are not stored twice.
//
// A sampled traceparent of the request goes with the first entry of each stream, so that the worker's spans join its trace.
//
// # Idempotency-Key
//
// A request with an Idempotency-Key is published once within 24 hours, whether its events have a key or
// not. Beside each stream, in its slot, lies a record: a hash of all the request's events, and how many of
// them are in this stream. A script on the server adds entries only to a record that is where this process
// thinks it is, and moves it in the same step. A repetition finds the record and goes on where it ends. So it does not
// matter at which point a process was killed:
//
//	before the first step             nothing was published
//	between two steps, or shards      the repetition publishes the rest
//	after the last, before the answer the repetition publishes nothing and gets the same answer
//
// Whether a key is that of another request is decided by the record beside the stream that the key alone decides (its
// CRC-32 modulo the shards); it is made first. The events are compared, not the bytes of the
// body: the same events in another format or compression are the same request. A
// request that is refused publishes nothing and leaves no record.
//
// # Durability
//
// 202 says that Redis has the events. With ?durability=stored the answer is 200, once a worker has committed
// them, with the position that it reported in Redis. Those who wait cost a channel each: one goroutine
// of the process reads the positions ([Publisher]). A request that waits too long is answered with 202; one whose
// client has left waits no longer.
//
// # Limits
//
// Each is a field of [Config] and a flag. What is too large is refused with 413, who asks too often
// or for too much with 429 and Retry-After; when too many requests are in flight, or Redis is full or
// gone, the answer is 503 and nothing that was acknowledged is lost.
//
// Media types are those that a page in a browser can't send to another origin without asking (CORS), so that no
// page can write to a server on the reader's own machine.
package ingest
