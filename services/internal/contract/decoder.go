package contract

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"regexp"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// Decoder turns documents into rows. It belongs to one goroutine.
//
// It has two ways. The fast one walks once over a document and writes each value
// into its column as it goes; at the first thing out of the ordinary it stops,
// and the row is undone. The slow one is the checker, which lists every violation
// and otherwise finds where each value is. Both give the same row; a fuzz test
// holds them together.
type Decoder struct {
	contract *Contract
	fields   []field
	index    map[string]int
	// follows is, for the beginning and then each column, the column that
	// followed it the last time: it is likely to again, and a property that
	// is left out costs one wrong guess.
	follows  []int32
	optional []int // columns that may be NULL
	required []uint64
	// seen and filled are sets of columns: found in this document, and given a value.
	seen, filled []uint64
	check        checker
	spans        []span
	fieldReader  *fieldReader // nil until an entry's own fields are decoded
}

// OnUnnamed has fn called with the name of every property of an event's top level that the
// contract does not name and no column holds; the same may come twice.
func (d *Decoder) OnUnnamed(fn func(name []byte)) { d.check.unnamed = fn }

// NewDecoder makes a decoder.
func (c *Contract) NewDecoder() *Decoder {
	words := (len(c.Columns) + 63) / 64
	d := &Decoder{
		contract: c, index: c.root.index,
		required: make([]uint64, words), seen: make([]uint64, words), filled: make([]uint64, words),
		spans: make([]span, len(c.Columns)),
	}
	for i, p := range c.root.properties {
		d.fields = append(d.fields, newField(p))
		d.follows = append(d.follows, int32(i))
		if p.required {
			d.required[i>>6] |= 1 << (i & 63)
		}
		if !c.Columns[i].Required {
			d.optional = append(d.optional, i)
		}
	}
	d.follows = append(d.follows, 0)
	return d
}

// Decode checks one document and appends it to b as a row from the given place;
// or, if it breaks the contract, as a reject with every violation. It reports
// whether it became a row. The payload is copied where it is kept.
func (d *Decoder) Decode(b *Batch, payload []byte, id event.ID, line uint32) bool {
	if len(payload) <= MaxEvent {
		if d.fast(b, payload) {
			d.finish(b, id, line)
			return true
		}
		b.undo()
	}
	return d.slow(b, payload, id, line)
}

// DecodeEntry decodes every event of a stream entry into b and counts the entry.
// Lines are counted from 1; blank ones are passed over. An UnknownEntry becomes
// a reject, and so does one that holds no event. The batch's Last is the caller's to set.
func (d *Decoder) DecodeEntry(b *Batch, e event.Entry) {
	b.Entries++
	if len(e.Trace) > 0 {
		b.trace(e)
	}
	switch {
	case e.Kind == event.UnknownEntry && d.contract.Stream.EventField() != "":
		b.rejectEntry(e, fmt.Sprintf("must have the field %q (one JSON document), once", d.contract.Stream.Field))
	case e.Kind == event.UnknownEntry:
		b.rejectEntry(e, `must have either the field "event" (one JSON document) or the field "events" (NDJSON), once`)
	case e.Kind == event.Fields:
		d.decodeFields(b, e.Payload, e.ID)
	case jsontext.Space(e.Payload, 0) == len(e.Payload) && e.Kind == event.Single:
		b.rejectEntry(e, fmt.Sprintf("holds no event: its field %q is empty", cmp.Or(d.contract.Stream.EventField(), FieldEvent)))
	case e.Kind == event.Single:
		d.Decode(b, e.Payload, e.ID, 0)
	case !d.decodeLines(b, e):
		b.rejectEntry(e, `holds no event: its field "events" has no line that is not blank`)
	}
}

func (b *Batch) rejectEntry(e event.Entry, message string) {
	b.reject(e.Payload, e.ID, 0, []event.Violation{{Keyword: keywordEntry, Message: message}})
}

// maxTraces bounds what a producer that marks every entry costs.
const maxTraces = 16

// Sampled matches a traceparent of version 00 with the sampled flag, an odd last digit.
// https://www.w3.org/TR/trace-context/#traceparent-header
var Sampled = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][13579bdf]$`)

// trace records an entry whose traceparent says that it is sampled.
func (b *Batch) trace(e event.Entry) {
	if len(b.Traces) < maxTraces && Sampled.Match(e.Trace) {
		b.Traces = append(b.Traces, event.Traced{ID: e.ID, Parent: string(e.Trace)})
	}
}

// decodeLines reports whether there was one.
func (d *Decoder) decodeLines(b *Batch, e event.Entry) (found bool) {
	rest := e.Payload
	for line := uint32(1); len(rest) > 0; line++ {
		doc := rest
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			doc, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		if jsontext.Space(doc, 0) < len(doc) {
			d.Decode(b, doc, e.ID, line)
			found = true
		}
	}
	return found
}

// Validate reports every violation of one document, none if it is valid. Beyond
// MaxViolations a last one says that there are more.
func (d *Decoder) Validate(payload []byte) []event.Violation {
	d.check.reset(payload)
	d.check.quiet, d.check.spans = false, nil
	d.check.document(d.contract.root)
	d.check.p = nil
	return d.check.out
}

// slow decodes a document that the fast path gave up on.
func (d *Decoder) slow(b *Batch, payload []byte, id event.ID, line uint32) bool {
	clear(d.spans)
	d.check.reset(payload)
	d.check.quiet, d.check.spans = false, d.spans
	d.check.document(d.contract.root)
	d.check.p = nil
	if len(d.check.out) > 0 {
		b.reject(payload, id, line, d.check.out)
		return false
	}
	clear(d.filled)
	for i, at := range d.spans {
		if at.to > 0 && write(&b.Columns[i], payload[at.from:at.to]) {
			d.filled[i>>6] |= 1 << (i & 63)
		}
	}
	d.finish(b, id, line)
	return true
}

// finish ends the row: whatever was not filled is NULL.
func (d *Decoder) finish(b *Batch, id event.ID, line uint32) {
	for _, i := range d.optional {
		v := &b.Columns[i]
		if d.filled[i>>6]>>(i&63)&1 == 0 {
			v.AppendNull(b.Rows)
		} else if v.Nulls != nil {
			v.Nulls = append(v.Nulls, 0)
		}
	}
	b.add(id, line, b.keyHash(b.Rows))
}

func (b *Batch) reject(payload []byte, id event.ID, line uint32, violations []event.Violation) {
	b.Rejects = append(b.Rejects, event.Reject{ID: id, Line: line, Payload: bytes.Clone(payload), Violations: violations})
}

// lacking reports whether a required property is missing.
func (d *Decoder) lacking() bool {
	var missing uint64
	for i, want := range d.required {
		missing |= want &^ d.seen[i]
	}
	return bits.OnesCount64(missing) > 0
}
