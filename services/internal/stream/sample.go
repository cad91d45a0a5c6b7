package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// SampleConfig bounds what is read of a stream for a sample.
type SampleConfig struct {
	// Entries is how many, half of them the oldest and half the newest.
	//
	// Default: 2,000.
	Entries int
	// Bytes is how many bytes of entries; the last page may exceed it.
	//
	// Default: 16 MiB.
	Bytes int
}

// Sample is what the entries of a stream are like.
type Sample struct {
	event.StreamState

	// Stream is what a contract says of it.
	Stream contract.Stream
	// Documents are the events, in their order. If Texts, these are the entries' own fields: objects
	// whose values are all strings.
	Documents [][]byte
	Texts     bool
	// Entries is how many were read, Other how many of them are not like the rest: none of their
	// events is among the documents.
	Entries, Other int
	// Ignored are the names of fields beside the one with the event, which are not stored.
	Ignored []string
}

// commonShare is the part of the entries that must have a field for it to be the one with the event,
// in percent. The others are rejected when they are stored.
const commonShare = 90

// Sample reads some of the entries of a stream, whoever's it is, and finds how they hold their events. It
// changes nothing and moves no cursor.
func (c *Client) Sample(ctx context.Context, key string, cfg SampleConfig) (*Sample, error) {
	cfg.Entries, cfg.Bytes = orDefault(cfg.Entries, 2000), orDefault(cfg.Bytes, 16<<20)
	s := &Sample{Stream: contract.Stream{Key: key}}
	var err error
	if s.StreamState, err = c.streamInfo(ctx, key); isWrongType(err) {
		err = errors.New("it is no stream, but another type: see redis-cli TYPE")
	}
	if err == nil && s.Length == 0 {
		err = c.nothingToSample(ctx, s.StreamState)
	}
	if err != nil {
		return nil, fmt.Errorf("sample stream %s at %s: %w", key, c.where, err)
	}
	entries, err := c.sampleEntries(ctx, key, cfg)
	if err != nil {
		return nil, fmt.Errorf("sample stream %s at %s: %w", key, c.where, err)
	}
	s.describe(entries)
	return s, nil
}

// nothingToSample is the error of a stream without entries; with the server's streams, if this is none.
func (c *Client) nothingToSample(ctx context.Context, state event.StreamState) error {
	if !state.Last.IsZero() {
		return errors.New("it has no entry now: what its events are like can't be seen; try again when one has come")
	}
	keys, _, err := c.streamKeys(ctx)
	if err != nil {
		return err
	}
	const few = 10
	switch {
	case len(keys) == 0:
		return errors.New("there is no such stream, nor any other: is this the Redis, and the database, that its producers use?")
	case len(keys) > few:
		keys = append(keys[:few:few], "…")
	}
	return fmt.Errorf("there is no such stream; there are %s", strings.Join(keys, ", "))
}

// rawEntry is an entry as it is: names and values in turn.
type rawEntry struct {
	id     string
	fields []string
}

func (e rawEntry) size() (n int) {
	for _, f := range e.fields {
		n += len(f)
	}
	return n
}

// each calls fn with each field.
func (e rawEntry) each(fn func(name, value string)) {
	for i := 0; i+1 < len(e.fields); i += 2 {
		fn(e.fields[i], e.fields[i+1])
	}
}

// get returns the value of a field that the entry has once.
func (e rawEntry) get(field string) (value string, once bool) {
	n := 0
	e.each(func(name, v string) {
		if name == field {
			value, n = v, n+1
		}
	})
	return value, n == 1
}

// sampleEntries reads the oldest entries and the newest ones that are not among them.
func (c *Client) sampleEntries(ctx context.Context, key string, cfg SampleConfig) ([]rawEntry, error) {
	half := SampleConfig{Entries: (cfg.Entries + 1) / 2, Bytes: cfg.Bytes / 2}
	oldest, err := c.sampleRange(ctx, half, func(last string) []any {
		if last == "" {
			return []any{"XRANGE", key, "-", "+"}
		}
		return []any{"XRANGE", key, "(" + last, "+"}
	})
	if err != nil || len(oldest) == 0 {
		return oldest, err
	}
	after := "(" + oldest[len(oldest)-1].id
	half.Entries = cfg.Entries - len(oldest)
	newest, err := c.sampleRange(ctx, half, func(last string) []any {
		if last == "" {
			return []any{"XREVRANGE", key, "+", after}
		}
		return []any{"XREVRANGE", key, "(" + last, after}
	})
	slices.Reverse(newest)
	return append(oldest, newest...), err
}

// sampleRange reads pages of a range, each as large as the bytes that are left allow by the size of the
// entries so far.
func (c *Client) sampleRange(ctx context.Context, cfg SampleConfig, command func(last string) []any) (all []rawEntry, err error) {
	read, last := 0, ""
	for count := 1; len(all) < cfg.Entries && read < cfg.Bytes; {
		count = min(count, cfg.Entries-len(all))
		answer, err := c.rdb.Do(ctx, append(command(last), "COUNT", count)...).Slice()
		if err != nil {
			return all, err
		}
		for _, a := range answer {
			e, err := rawEntryOf(a)
			if err != nil {
				return all, err
			}
			all, read, last = append(all, e), read+e.size(), e.id
		}
		if len(answer) < count {
			break
		}
		count = max(min(8*count, (cfg.Bytes-read)/max(read/len(all), 1), lookupPage), 1)
	}
	return all, nil
}

func rawEntryOf(answer any) (e rawEntry, err error) {
	parts, _ := answer.([]any)
	if len(parts) != 2 {
		return e, errProtocol
	}
	e.id, _ = parts[0].(string)
	values, _ := parts[1].([]any)
	for _, v := range values {
		text, _ := v.(string)
		e.fields = append(e.fields, text)
	}
	return e, nil
}

// describe finds the form of the entries and takes their documents.
func (s *Sample) describe(entries []rawEntry) {
	s.Entries = len(entries)
	own := &objects{}
	events := make([][][]byte, len(entries))
	found := 0
	for i, e := range entries {
		if events[i] = own.events(e); len(events[i]) > 0 {
			found++
		}
	}
	switch field := s.eventField(entries, own); {
	case 100*found >= commonShare*len(entries):
		s.Stream.Field = contract.FieldEvent
	case field != "":
		s.Stream.Field = field
		for i, e := range entries {
			events[i] = own.document(e, field)
		}
	default:
		s.Texts = true
		for i, e := range entries {
			events[i] = fieldsDocument(e)
		}
	}
	for _, documents := range events {
		if s.Documents = append(s.Documents, documents...); len(documents) == 0 {
			s.Other++
		}
	}
	s.ignore(entries)
}

// eventField is the one field that nearly all entries have a JSON object in, "" if there is none or
// another.
func (s *Sample) eventField(entries []rawEntry, o *objects) string {
	counts := map[string]int{}
	for _, e := range entries {
		e.each(func(name, value string) {
			if o.is([]byte(value)) {
				counts[name]++
			}
		})
	}
	maps.DeleteFunc(counts, func(_ string, n int) bool { return 100*n < commonShare*len(entries) })
	if len(counts) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(counts))[0]
}

// ignore lists the fields that hold nothing of the event.
func (s *Sample) ignore(entries []rawEntry) {
	if s.Texts {
		return
	}
	names := map[string]bool{}
	f := formOf(&s.Stream)
	for _, e := range entries {
		e.each(func(name, _ string) {
			names[name] = name != "traceparent" && f.take(&event.Entry{}, []byte(name), nil) == 0
		})
	}
	maps.DeleteFunc(names, func(_ string, ignored bool) bool { return !ignored })
	s.Ignored = slices.Sorted(maps.Keys(names))
}

// objects tells what is a JSON object, by the rules of events.
type objects struct{ splitter contract.Splitter }

func (o *objects) is(document []byte) bool {
	_, wrong := o.splitter.Split(document)
	return len(wrong) == 0 && len(document) <= contract.MaxEvent
}

// document is the one document of a field, if it is an object.
func (o *objects) document(e rawEntry, field string) [][]byte {
	if value, once := e.get(field); once && o.is([]byte(value)) {
		return [][]byte{[]byte(value)}
	}
	return nil
}

// events are the documents of an entry as in Estela's own streams; none if one is no object.
func (o *objects) events(e rawEntry) (documents [][]byte) {
	_, single := e.get(contract.FieldEvent)
	lines, packed := e.get(contract.FieldEvents)
	switch {
	case single == packed:
		return nil
	case single:
		return o.document(e, contract.FieldEvent)
	}
	for line := range bytes.Lines([]byte(lines)) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if !o.is(line) {
			return nil
		}
		documents = append(documents, line)
	}
	return documents
}

// fieldsDocument is the object of an entry's own fields; none if it would be rejected by any contract.
func fieldsDocument(e rawEntry) [][]byte {
	document, valid := []byte{'{'}, true
	seen := map[string]bool{}
	e.each(func(name, value string) {
		valid = valid && !seen[name] && isText(name) && isText(value)
		if seen[name] = true; name == "traceparent" {
			return
		}
		if len(document) > 1 {
			document = append(document, ',')
		}
		document = append(jsontext.AppendString(document, name), ':')
		document = jsontext.AppendString(document, value)
	})
	if !valid || len(document) > contract.MaxEvent {
		return nil
	}
	return [][]byte{append(document, '}')}
}

// isText reports whether a column of text can keep it.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
