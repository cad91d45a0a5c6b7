package contract

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Stream is a stream of somebody else: its producers know nothing of Estela, and others may read
// it. Estela reads it and changes none of its entries.
type Stream struct {
	// Key is the stream's key in Redis.
	Key string
	// Field is the field of an entry that has the event, one JSON document; "event" and "events"
	// stand for entries like those of Estela's own streams.
	//
	// Default: the entry's own fields are the properties, as text.
	Field string
}

// The fields of entries in Estela's own streams.
const (
	FieldEvent  = "event"  // one JSON document
	FieldEvents = "events" // NDJSON
)

// HasFields reports whether the entry's own fields are the properties.
func (s *Stream) HasFields() bool { return s != nil && s.Field == "" }

// EventField is the field that has the event, "" if an entry is like those of Estela's own streams
// or its own fields are the properties.
func (s *Stream) EventField() string {
	if s == nil || s.Field == FieldEvent || s.Field == FieldEvents {
		return ""
	}
	return s.Field
}

// String describes the stream in messages.
func (s *Stream) String() string {
	switch {
	case s == nil:
		return "the dataset's own"
	case s.Field == "":
		return strconv.Quote(s.Key)
	default:
		return strconv.Quote(s.Key) + ", field " + strconv.Quote(s.Field)
	}
}

// maxStreamName is the most bytes of a key or field: an error of length is one of a wrong paste.
const maxStreamName = 512

// stream reads x-estela.stream.
func (c *compiler) stream(n node, at string) *Stream {
	if n.kind != kindObject {
		c.problem(at, `must be an object such as {"key": "orders", "field": "payload"}, found %s`, n.raw)
		return nil
	}
	s := &Stream{}
	for _, m := range n.members {
		here := at + "/" + escapePointer(m.name)
		switch m.name {
		case "key":
			s.Key = c.streamName(m.value, here)
		case "field":
			s.Field = c.streamName(m.value, here)
		default:
			c.problem(here, "unknown: there are key and field")
		}
	}
	if _, ok := n.get("key"); !ok {
		c.problem(at, "key is missing: name the stream's key in Redis")
	}
	return s
}

func (c *compiler) streamName(n node, at string) string {
	if n.kind == kindString && n.text != "" && len(n.text) <= maxStreamName && isPrintable(n.text) {
		return n.text
	}
	c.problem(at, "must be a text of 1 to %d printable bytes, found %s", maxStreamName, n.raw)
	return ""
}

func isPrintable(text string) bool {
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// oneShard reports shards beside a stream of somebody else.
func (c *compiler) oneShard(to *Contract, at string) {
	if to.Stream != nil && to.Shards > 1 {
		c.problem(at+"/shards", "must be 1 or left out: %q of x-estela.stream is one stream", to.Stream.Key)
	}
}
