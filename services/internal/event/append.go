package event

import "errors"

// ErrFull means that the server of the streams has no memory for more entries: nothing was added.
var ErrFull = errors.New("the server of the streams is full")

// ErrOtherRequest means that a request has the idempotency key of another one that had other events:
// nothing was added.
var ErrOtherRequest = errors.New("the idempotency key is that of another request with other events")

// Payload is an entry that is to be added to a stream: one event ([Single]) or several ([Lines]).
type Payload struct {
	Kind Kind
	// Events is how many events it has.
	Events int
	Data   []byte
}

// Range is what was added to a stream: how many events, from the first ID to the last.
type Range struct {
	Events      int
	First, Last ID
}

// Request identifies a request that may be repeated, so that what it adds to a stream is added once.
type Request struct {
	// Key is the client's name for it, Body a hash of all its events.
	Key, Body string
	// Before is how many of its events should be in this stream already.
	Before int
}

// Addition is what is added to one shard's stream: all of its entries, in this order, or none.
type Addition struct {
	Shard   int
	Entries []Payload
	// Trace is the W3C traceparent of the first entry, if any.
	Trace string
	// Once is the request that this is a part of, if it may be repeated: the entries are added only if exactly
	// Once.Before of its events are in the stream. Without entries the key is claimed.
	Once *Request

	// Added is the outcome: what was added or, of a request that may be repeated, all that its
	// repetitions have added to the stream.
	Added Range
}
