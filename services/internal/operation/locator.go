package operation

import (
	"context"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// locator searches one dataset for events.
type locator struct {
	store     *warehouse.Warehouse
	redis     *stream.Client // nil if it is unreachable
	dataset   *dataset.Dataset
	positions []event.Position // by shard, read before anything else
	decoder   *contract.Decoder
	batch     *contract.Batch // of the last entry
	events    []Event
}

// byID adds the events of a stream entry.
func (t *locator) byID(ctx context.Context, id event.ID) error {
	for shard := range t.dataset.Shards {
		if err := t.addStored(ctx, shard, id); err != nil {
			return err
		}
		if t.redis == nil {
			continue
		}
		entry, there, err := t.redis.Entry(ctx, t.dataset.Contract, shard, id)
		if err != nil {
			return err
		}
		if there {
			t.addEntry(shard, entry, func(string) bool { return true })
		}
	}
	return t.resolveDuplicates(ctx)
}

// addStored adds the rows and rejects of a stream entry.
func (t *locator) addStored(ctx context.Context, shard int, id event.ID) error {
	rows, err := t.store.RowsByID(ctx, t.dataset.Contract, shard, id)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t.addRow(r)
	}
	rejects, err := t.store.RejectsByID(ctx, t.dataset.Name, shard, id)
	for _, r := range rejects {
		t.addReject(r)
	}
	return err
}

// byKey adds the events with the key.
func (t *locator) byKey(ctx context.Context, key string) error {
	if parts, ok := t.dataset.KeyParts(key); ok {
		key = contract.KeyText(parts) // however its array is written
	}
	rows, err := t.store.RowsByKey(ctx, t.dataset.Contract, key, sameKey)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t.addRow(r)
	}
	rejects, err := t.store.ListRejects(ctx, t.dataset.Name, searchedRejects, nil)
	if err != nil {
		return err
	}
	for _, r := range rejects {
		if t.dataset.KeyOf(r.Payload) == key {
			t.addReject(r)
		}
	}
	for shard := range t.dataset.Shards {
		if t.redis == nil {
			break
		}
		err := t.redis.Newest(ctx, t.dataset.Contract, shard, searchedEntries, func(e event.Entry) {
			t.addEntry(shard, e, func(k string) bool { return k == key })
		})
		if err != nil {
			return err
		}
	}
	return t.resolveDuplicates(ctx)
}

func (t *locator) addRow(r warehouse.Row) {
	e := t.newEvent(r.Shard, r.ID, r.Line, Stored)
	e.Key, e.CommittedAt = r.Key, &r.StoredAt
	t.events = append(t.events, e)
}

func (t *locator) addReject(r warehouse.StoredReject) {
	e := t.newEvent(r.Shard, r.ID, r.Line, Rejected)
	at := r.RejectedAt.UTC()
	e.Key, e.CommittedAt, e.Violations = t.dataset.KeyOf(r.Payload), &at, r.Violations
	t.events = append(t.events, e)
}

func (t *locator) newEvent(shard int, id event.ID, line uint32, state string) Event {
	e := Event{Dataset: t.dataset.Name, Shard: shard, Line: line, State: state, Position: t.positions[shard].Last.String()}
	if !id.IsZero() {
		e.ID = id.String()
	}
	if at := time.UnixMilli(int64(id.MS)).UTC(); !id.IsZero() && id.MS <= maxTimeMS {
		e.PublishedAt = &at
	}
	return e
}

// addEntry adds the wanted events of an entry in the stream, or marks those already found in a table as
// still in the stream.
func (t *locator) addEntry(shard int, e event.Entry, wanted func(key string) bool) {
	t.each(e, func(line uint32, key string, violations []event.Violation) {
		if wanted(key) {
			t.addInStream(shard, e.ID, line, key, violations)
		}
	})
}

// each decodes the events of an entry.
func (t *locator) each(e event.Entry, found func(line uint32, key string, violations []event.Violation)) {
	t.batch.Reset()
	t.decoder.DecodeEntry(t.batch, e)
	for i := range t.batch.Rows {
		found(t.batch.Line[i], t.batch.KeyString(i), nil)
	}
	for _, r := range t.batch.Rejects {
		found(r.Line, t.dataset.KeyOf(r.Payload), r.Violations)
	}
}

func (t *locator) addInStream(shard int, id event.ID, line uint32, key string, violations []event.Violation) {
	text := id.String()
	for i := range t.events {
		if e := &t.events[i]; e.Shard == shard && e.ID == text && e.Line == line {
			e.InStream = true
			return
		}
	}
	e := t.newEvent(shard, id, line, Waiting)
	if id.Compare(t.positions[shard].Last) <= 0 { // in no table; resolveDuplicates follows
		e.State = Uncommitted
		if violations != nil {
			e.State = Rejected
		}
	}
	e.Key, e.InStream, e.Violations = key, true, violations
	t.events = append(t.events, e)
}

// originals finds which of the unsettled are duplicates, and of which stored event.
func (t *locator) resolveDuplicates(ctx context.Context) error {
	for i := range t.events {
		e := &t.events[i]
		if e.State != Uncommitted || t.dataset.Dedupe == 0 {
			continue
		}
		rows, err := t.store.RowsByKey(ctx, t.dataset.Contract, e.Key, sameKey)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if t.sameWindow(e, r) {
				e.State = Duplicate
				if !r.ID.IsZero() {
					e.DuplicateOf = r.ID.String()
				}
				break
			}
		}
	}
	return nil
}

// sameWindow reports whether the stored event makes one of the same key a duplicate: on its shard and
// within the dedupe window. Backfilled rows match at any time, and so do entries with an ID of the
// future, whose time is clamped.
func (t *locator) sameWindow(e *Event, stored warehouse.Row) bool {
	if stored.Shard != e.Shard {
		return false
	}
	if stored.ID.IsZero() || e.PublishedAt == nil || time.UnixMilli(int64(stored.ID.MS)).After(stored.StoredAt.Add(event.MaxAhead)) {
		return true
	}
	return e.PublishedAt.Sub(time.UnixMilli(int64(stored.ID.MS))).Abs() <= t.dataset.Dedupe
}

// addUnread adds the events of an entry that have the ID or the key.
func (t *locator) addUnread(stream string, e event.Entry, asked string) {
	t.each(e, func(line uint32, key string, violations []event.Violation) {
		if key == asked || e.ID.String() == asked {
			t.events = append(t.events, Event{
				Dataset: t.dataset.Name, Shard: -1, Stream: stream, ID: e.ID.String(), Line: line, Key: key,
				State: Unread, InStream: true, Violations: violations,
			})
		}
	})
}
