package contract

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrFenced says that another owner took the shard over. The batch in hand
// must be dropped, never retried: the new owner reads its entries again.
var ErrFenced = errors.New("shard was taken over by another worker")

// ID is the place of an entry in a Redis stream: the server's clock in
// milliseconds since 1970 and a sequence number within that millisecond.
type ID struct{ MS, Seq uint64 }

// ParseID reads the form that Redis writes, "1526919030474-55"; a missing
// sequence number is 0.
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

// String writes the form that Redis reads.
func (id ID) String() string {
	return strconv.FormatUint(id.MS, 10) + "-" + strconv.FormatUint(id.Seq, 10)
}

// Compare orders IDs as Redis does: -1, 0 or +1.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.MS, other.MS), cmp.Compare(id.Seq, other.Seq))
}

// Later is the higher of two IDs.
func Later(a, b ID) ID {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

// IsZero reports whether id stands before every entry.
func (id ID) IsZero() bool { return id == ID{} }

// Kind tells how a stream entry carries its events.
type Kind uint8

// The kinds of entries.
const (
	// Single is an entry with the field "event": one JSON document.
	Single Kind = iota
	// Lines is an entry with the field "events": NDJSON.
	Lines
	// Foreign is an entry with neither field, with both, or with one of them twice. It is
	// rejected; its payload is the entry's fields as one JSON object of strings.
	Foreign
)

// Entry is one entry of a stream. Payload may alias the reader's buffer: it is
// valid until the reader says otherwise and must not be changed.
type Entry struct {
	ID      ID
	Kind    Kind
	Payload []byte
	// Trace is the W3C traceparent that came with it, if any; it aliases like Payload.
	Trace []byte
}

// Violation is one way in which a document breaks its contract.
type Violation struct {
	// Pointer is the JSON pointer (RFC 6901) of the offending value; "" is
	// the document itself.
	Pointer string `json:"pointer"`
	// Keyword is the JSON Schema keyword that failed; "json" for a payload that
	// is not one valid JSON document; "size", "entry" or "limit" (see the package
	// documentation).
	Keyword string `json:"keyword"`
	// Message says what was expected and what was found.
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

// Position is how far a shard of a dataset is stored. It lies in the warehouse
// beside the rows and changes in the same transaction.
type Position struct {
	Dataset string `json:"dataset"`
	Shard   int    `json:"shard"`
	// Last is the highest stream ID whose entry is stored, rejected or dropped
	// as a duplicate.
	Last ID `json:"last"`
	// Added is how many entries the server had counted as added up to Last; -1 is
	// unknown.
	Added int64 `json:"added"`
	// Trace is the W3C traceparent of the last entry that carried a sampled one.
	Trace string `json:"-"`
	// Epoch counts the owners; Rev counts every change of the row.
	Epoch int64 `json:"epoch"`
	Rev   int64 `json:"rev"`
	// RunID is the Redis server's run_id at the last commit.
	RunID string `json:"run_id"`
	// Token is that of the last batch committed.
	Token uint64 `json:"-"`
	// Rows, Rejected and Duplicates count since the beginning.
	Rows       int64 `json:"rows"`
	Rejected   int64 `json:"rejected"`
	Duplicates int64 `json:"duplicates"`
	// CommittedAt is the warehouse writer's clock at the last commit.
	CommittedAt time.Time `json:"committed_at"`
}

// MaxAhead is how far the ID of an entry may be ahead of the server's clock before the
// entry's own time is not believed: the dedupe window is moved no further.
const MaxAhead = time.Minute

// ErrCursorMoved says that a reader's cursor is not where the reader left it: somebody
// else moved it or read with it, or the stream was replaced.
var ErrCursorMoved = errors.New("the cursor of this reader was moved by somebody else")

// StreamState is how a shard's stream and its server stand.
type StreamState struct {
	// RunID is the server's; it changes at every start of the server.
	RunID string
	// Now is the server's clock, in milliseconds since 1970.
	Now uint64
	// Known says that a cursor of this pipeline lies in the stream.
	Known bool
	// First and Newest are the oldest and the newest entry kept, zero if there is none; Last
	// is the last ID ever generated; MaxDeleted the highest one deleted one by one.
	First, Newest, Last, MaxDeleted ID
	// TrimmedTo is how far this pipeline has trimmed.
	TrimmedTo ID
	// Length counts the entries kept, Added all that were ever added; -1 where the
	// server doesn't tell.
	Length, Added int64
}

// Unstored is how many of the stream's entries are above a position, by the server's own count
// where that is known, and all of them where it isn't; at least 1 if any is.
func (s StreamState) Unstored(p Position) int64 {
	switch {
	case s.Length == 0, s.Newest.Compare(p.Last) <= 0 && s.Last.Compare(p.Last) >= 0:
		return 0
	case s.Newest.Compare(p.Last) <= 0 || p.Added < 0 || s.Added < 0:
		return s.Length // the server stepped back, or does not count
	}
	return min(max(s.Added-p.Added, 1), s.Length)
}

// Candidate is a row of a batch that may be in the table already.
type Candidate struct {
	// Row indexes the batch.
	Row int
	// FromMS and ToMS bound the stream time (milliseconds, inclusive) in which
	// a row with the same key would make this one a duplicate.
	FromMS, ToMS uint64
}

// Found is the answer about candidates, each as ascending row indexes.
type Found struct {
	// Stored are rows that are in the table with the same ID, line and key.
	Stored []int
	// Duplicates are rows whose key another row in the candidate's range has.
	Duplicates []int
	// Rejects are indexes of Batch.Rejects whose ID, line and bytes are among
	// the stored rejects.
	Rejects []int
}
