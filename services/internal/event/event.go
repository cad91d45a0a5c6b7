package event

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// ID is the position of an entry in a Redis stream: the server's clock in
// milliseconds since 1970 and a sequence number within that millisecond.
type ID struct{ MS, Seq uint64 }

// ParseID parses Redis' format, "1526919030474-55"; a missing sequence number is 0.
func ParseID(s string) (ID, error) {
	ms, seq, found := strings.Cut(s, "-")
	var id ID
	var err error
	if id.MS, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return ID{}, fmt.Errorf("parse stream ID %q: %w", s, err)
	}
	if found {
		if id.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
			return ID{}, fmt.Errorf("parse stream ID %q: %w", s, err)
		}
	}
	return id, nil
}

// String returns the ID in Redis' format.
func (id ID) String() string {
	return strconv.FormatUint(id.MS, 10) + "-" + strconv.FormatUint(id.Seq, 10)
}

// Compare orders IDs as Redis does: -1, 0 or +1.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.MS, other.MS), cmp.Compare(id.Seq, other.Seq))
}

// Later returns the higher of two IDs.
func Later(a, b ID) ID {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

// Earlier returns the lower of two IDs.
func Earlier(a, b ID) ID {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}

// IsZero reports whether id is 0-0, which is below every entry.
func (id ID) IsZero() bool { return id == ID{} }

// EmbeddedRunID begins the run id of every Redis that is embedded in a process, and keeps nothing once that
// has ended; redis-server's are hexadecimal.
const EmbeddedRunID = "embedded-"

// Kind is the encoding of events in a stream entry.
type Kind uint8

// The kinds of entries.
const (
	// Single is an entry with the field "event", or the one that the contract names: one JSON
	// document.
	Single Kind = iota
	// Lines is an entry with the field "events": NDJSON.
	Lines
	// UnknownEntry is an entry without such a field, with both, or with one of them twice. It is
	// rejected; its payload is the entry's fields as one JSON object of strings.
	UnknownEntry
	// Fields is an entry whose own fields are the event's properties, as text. Its payload is
	// that of an UnknownEntry.
	Fields
)

// Entry is one entry of a stream. Payload may alias the reader's buffer: it is valid until released and
// must not be changed.
type Entry struct {
	ID      ID
	Kind    Kind
	Payload []byte
	// Trace is the entry's W3C traceparent, if any; it aliases like Payload.
	Trace []byte
}

// Traced is an entry of a sampled trace. Parent is its W3C traceparent.
type Traced struct {
	ID     ID
	Parent string
}

// Trace returns the ID of the trace.
func (t Traced) Trace() string { return t.Parent[3:35] }

// Violation is one violation of a contract by a document.
type Violation struct {
	// Pointer is the JSON pointer (RFC 6901) of the offending value; "" is
	// the document itself.
	Pointer string `json:"pointer"`
	// Keyword is the JSON Schema keyword that failed; "json" for a payload that
	// is not one valid JSON document; "size", "entry" or "limit" (see package
	// contract).
	Keyword string `json:"keyword"`
	// Message has what was expected and what was found.
	Message string `json:"message"`
}

func (v Violation) String() string {
	pointer := v.Pointer
	if pointer == "" {
		pointer = "(document)"
	}
	return pointer + ": " + v.Message
}

// Reject is an event that breaks its contract, kept byte for byte.
type Reject struct {
	ID         ID
	Line       uint32
	Payload    []byte
	Violations []Violation
}
