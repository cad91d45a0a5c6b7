package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// searchedEntries and searchedRejects bound what is looked through for a key: newest
// entries of each stream, rejects of each dataset. sameKey bounds the rows of one key.
const (
	searchedEntries = 10_000
	searchedRejects = 10_000
	sameKey         = 100
)

// maxTimeMS is the end of the year 9999, after which JSON has no times; an ID can be anything.
const maxTimeMS = 253_402_300_799_999

// The states of an event.
const (
	stateWaiting   = "waiting"
	stateStored    = "stored"
	stateRejected  = "rejected"
	stateDuplicate = "duplicate"
	// stateUnsettled is an entry at or below the position that is in no table and whose
	// key no other event has: it was added out of order, and is read again.
	stateUnsettled = "unsettled"
	// stateAstray is an entry of a stream that no worker reads.
	stateAstray = "astray"
)

// journey is what became of an event.
type journey struct {
	Dataset string `json:"dataset"`
	Shard   int    `json:"shard"`
	// ID is the stream entry, Line the event's place in a batch entry; an empty ID came
	// from no stream.
	ID    string `json:"id,omitempty"`
	Line  uint32 `json:"line"`
	Key   string `json:"key,omitempty"`
	State string `json:"state"`
	// PublishedAt is Redis' clock, SettledAt the commit's.
	PublishedAt *time.Time `json:"published_at,omitempty"`
	SettledAt   *time.Time `json:"settled_at,omitempty"`
	// InStream says that the entry is there still.
	InStream bool `json:"in_stream"`
	// DuplicateOf is the entry of the event that was stored under the same key.
	DuplicateOf string `json:"duplicate_of,omitempty"`
	// Violations are why it was rejected, or is going to be.
	Violations []event.Violation `json:"violations,omitempty"`
	// Position is how far the shard is stored.
	Position string `json:"position,omitempty"`
	// Stream is the key of a stream that no worker reads; then Shard is -1.
	Stream string `json:"stream,omitempty"`
}

// found is an answer to a search.
type found struct {
	Events []journey `json:"events"`
	// Searched says where.
	Searched string `json:"searched"`
}

// showEvent tells where an event is, by its key or the ID of its stream entry.
func (n *node) showEvent(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") == "" {
		refuse(w, usageError{errors.New("name an event: /ops/events/KEY, or the ID of its stream entry")})
		return
	}
	in, ok := n.among(w, r)
	if !ok {
		return
	}
	answered, err := n.search(r.Context(), in, r.PathValue("id"))
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, answered)
}

// search looks for a stream ID, where it can be one, and else for a key.
func (n *node) search(ctx context.Context, in []*dataset, asked string) (f found, err error) {
	f = found{Events: []journey{}, Searched: "tables and rejects"}
	redis, done, err := n.streams(ctx)
	if err == nil {
		defer done()
		_, err = redis.Info(ctx)
	}
	if err != nil { // the tables answer all the same
		redis = nil
		f.Searched += "; not the streams, where it may be still: " + err.Error()
	} else {
		f.Searched += fmt.Sprintf(", and for a key the newest %d entries of each stream", searchedEntries)
	}
	if id, err := event.ParseID(asked); err == nil && strings.Contains(asked, "-") {
		f.Events, err = n.track(ctx, redis, in, func(t *tracker) error { return t.at(ctx, id) })
		if err != nil || len(f.Events) > 0 {
			return f, err
		}
	}
	f.Events, err = n.track(ctx, redis, in, func(t *tracker) error { return t.of(ctx, asked) })
	if err != nil || len(f.Events) > 0 || redis == nil {
		return f, err
	}
	f.Searched += ", also of those that no worker reads"
	f.Events, err = astray(ctx, redis, in, asked)
	return f, err
}

// astray looks for a key or an ID in streams that no worker reads.
func astray(ctx context.Context, redis *stream.Client, in []*dataset, asked string) ([]journey, error) {
	found := []journey{}
	strays, _, err := redis.Strays(ctx, contractsOf(in))
	if err != nil {
		return found, err
	}
	for _, d := range in {
		for _, s := range strays {
			if s.Type != s.Want || s.Dataset != "" && s.Dataset != d.Name {
				continue
			}
			t := &tracker{dataset: d, decoder: d.NewDecoder(), batch: d.NewBatch(0, 1)}
			if err := redis.Stray(ctx, s.Key, searchedEntries, func(e event.Entry) { t.stray(s.Key, e, asked) }); err != nil {
				return found, err
			}
			found = append(found, t.events...)
		}
	}
	return found, nil
}

// stray adds the events of an entry that has the ID, or those of the key.
func (t *tracker) stray(key string, e event.Entry, asked string) {
	t.batch.Reset()
	t.decoder.DecodeEntry(t.batch, e)
	add := func(line uint32, of string, violations []event.Violation) {
		if of == asked || e.ID.String() == asked {
			t.events = append(t.events, journey{
				Dataset: t.dataset.Name, Shard: -1, Stream: key, ID: e.ID.String(), Line: line, Key: of,
				State: stateAstray, InStream: true, Violations: violations,
			})
		}
	}
	for i := range t.batch.Rows {
		add(t.batch.Line[i], t.batch.KeyString(i), nil)
	}
	for _, r := range t.batch.Rejects {
		add(r.Line, t.keyOf(r.Payload), r.Violations)
	}
}

// streams is this process's connection to Redis or one for a moment.
func (n *node) streams(ctx context.Context) (*stream.Client, func(), error) {
	if n.redis != nil {
		return n.redis, func() {}, nil
	}
	url, err := n.g.redisURL(ctx)
	if err != nil {
		return nil, nil, err
	}
	client, err := n.g.openRedis(ctx, url, n.log)
	if err != nil {
		return nil, nil, err
	}
	return client, func() { _ = client.Close() }, nil
}

func (n *node) track(ctx context.Context, redis *stream.Client, in []*dataset, look func(*tracker) error) ([]journey, error) {
	all := []journey{}
	for _, d := range in {
		t := &tracker{
			store: n.store, redis: redis, dataset: d, positions: make([]event.Position, d.Shards),
			decoder: d.NewDecoder(), batch: d.NewBatch(0, 1),
		}
		for shard := range d.Shards {
			pos, _, err := n.store.Position(ctx, d.Contract, shard)
			if err != nil {
				return nil, err
			}
			t.positions[shard] = pos
		}
		if err := look(t); err != nil {
			return nil, err
		}
		all = append(all, t.events...)
	}
	return all, nil
}

// tracker looks for events of one dataset.
type tracker struct {
	store     *warehouse.Warehouse
	redis     *stream.Client // nil where there is none to look into
	dataset   *dataset
	positions []event.Position // by shard, read before anything else
	decoder   *contract.Decoder
	batch     *contract.Batch // of the entry that is looked at
	events    []journey
}

// at looks for what came from a stream entry.
func (t *tracker) at(ctx context.Context, id event.ID) error {
	for shard := range t.dataset.Shards {
		if err := t.tables(ctx, shard, id); err != nil {
			return err
		}
		if t.redis == nil {
			continue
		}
		entry, there, err := t.redis.Entry(ctx, t.dataset.Name, shard, id)
		if err != nil {
			return err
		}
		if there {
			t.entry(shard, entry, func(string) bool { return true })
		}
	}
	return t.originals(ctx)
}

// tables adds what is stored and rejected of a stream entry.
func (t *tracker) tables(ctx context.Context, shard int, id event.ID) error {
	rows, err := t.store.RowsAt(ctx, t.dataset.Contract, shard, id)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t.stored(r)
	}
	rejects, err := t.store.RejectsAt(ctx, t.dataset.Name, shard, id)
	for _, r := range rejects {
		t.rejected(r)
	}
	return err
}

// of looks for the events of a key.
func (t *tracker) of(ctx context.Context, key string) error {
	rows, err := t.store.RowsOf(ctx, t.dataset.Contract, key, sameKey)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t.stored(r)
	}
	rejects, err := t.store.ListRejects(ctx, t.dataset.Name, searchedRejects, nil)
	if err != nil {
		return err
	}
	for _, r := range rejects {
		if t.keyOf(r.Payload) == key {
			t.rejected(r)
		}
	}
	for shard := range t.dataset.Shards {
		if t.redis == nil {
			break
		}
		err := t.redis.Newest(ctx, t.dataset.Name, shard, searchedEntries, func(e event.Entry) {
			t.entry(shard, e, func(k string) bool { return k == key })
		})
		if err != nil {
			return err
		}
	}
	return t.originals(ctx)
}

func (t *tracker) stored(r warehouse.Row) {
	j := t.journey(r.Shard, r.ID, r.Line, stateStored)
	j.Key, j.SettledAt = r.Key, &r.StoredAt
	t.events = append(t.events, j)
}

func (t *tracker) rejected(r warehouse.StoredReject) {
	j := t.journey(r.Shard, r.ID, r.Line, stateRejected)
	at := r.RejectedAt.UTC()
	j.Key, j.SettledAt, j.Violations = t.keyOf(r.Payload), &at, r.Violations
	t.events = append(t.events, j)
}

func (t *tracker) journey(shard int, id event.ID, line uint32, state string) journey {
	j := journey{Dataset: t.dataset.Name, Shard: shard, Line: line, State: state, Position: t.positions[shard].Last.String()}
	if !id.IsZero() {
		j.ID = id.String()
	}
	if at := time.UnixMilli(int64(id.MS)).UTC(); !id.IsZero() && id.MS <= maxTimeMS {
		j.PublishedAt = &at
	}
	return j
}

// entry adds the events of an entry that is in the stream, or notes that those which the
// tables know are there still.
func (t *tracker) entry(shard int, e event.Entry, wanted func(key string) bool) {
	b := t.batch
	b.Reset()
	t.decoder.DecodeEntry(b, e)
	for i := range b.Rows {
		if key := b.KeyString(i); wanted(key) {
			t.inStream(shard, e.ID, b.Line[i], key, nil)
		}
	}
	for _, r := range b.Rejects {
		if key := t.keyOf(r.Payload); wanted(key) {
			t.inStream(shard, e.ID, r.Line, key, r.Violations)
		}
	}
}

func (t *tracker) inStream(shard int, id event.ID, line uint32, key string, violations []event.Violation) {
	text := id.String()
	for i := range t.events {
		if j := &t.events[i]; j.Shard == shard && j.ID == text && j.Line == line {
			j.InStream = true
			return
		}
	}
	j := t.journey(shard, id, line, stateWaiting)
	if id.Compare(t.positions[shard].Last) <= 0 { // in no table; originals tells a duplicate
		j.State = stateUnsettled
		if violations != nil {
			j.State = stateRejected
		}
	}
	j.Key, j.InStream, j.Violations = key, true, violations
	t.events = append(t.events, j)
}

// originals tells which of the unsettled are duplicates, and of which stored event.
func (t *tracker) originals(ctx context.Context) error {
	for i := range t.events {
		j := &t.events[i]
		if j.State != stateUnsettled || t.dataset.Dedupe == 0 {
			continue
		}
		rows, err := t.store.RowsOf(ctx, t.dataset.Contract, j.Key, sameKey)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if t.sameWindow(j, r) {
				j.State = stateDuplicate
				if !r.ID.IsZero() {
					j.DuplicateOf = r.ID.String()
				}
				break
			}
		}
	}
	return nil
}

// sameWindow reports whether the stored event would make one of the same key a duplicate:
// on its shard and within the dedupe window. What came from no stream counts at any time, and
// so does an entry of the future, which the window takes for an earlier one.
func (t *tracker) sameWindow(j *journey, stored warehouse.Row) bool {
	if stored.Shard != j.Shard {
		return false
	}
	if stored.ID.IsZero() || j.PublishedAt == nil || time.UnixMilli(int64(stored.ID.MS)).After(stored.StoredAt.Add(event.MaxAhead)) {
		return true
	}
	return j.PublishedAt.Sub(time.UnixMilli(int64(stored.ID.MS))).Abs() <= t.dataset.Dedupe
}

// keyOf is the key in a payload that breaks the contract, as text; empty if it has none.
func (t *tracker) keyOf(payload []byte) string {
	var properties map[string]json.RawMessage
	if json.Unmarshal(payload, &properties) != nil {
		return ""
	}
	raw := properties[t.dataset.Columns[t.dataset.Key].Name]
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	return text
}

type locateCmd struct {
	ID      string `arg:"" help:"The event's key, or the ID of its stream entry such as 1526919030474-55."`
	Dataset string `help:"Look in this dataset only."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run is 'estela locate'.
func (c *locateCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	var f found
	if err := g.ask(ctx, s, "GET", "/ops/events/"+c.ID, url.Values{"dataset": {c.Dataset}}, &f); err != nil {
		return err
	}
	if c.JSON {
		text, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		say(s.out, "%s", text)
	}
	if len(f.Events) == 0 {
		say(s.err, "%q is in none of what was searched: %s.\nIt was never published, or was a duplicate whose entry is trimmed, or is past its retention.", c.ID, f.Searched)
		return errReported
	}
	for _, j := range f.Events {
		if !c.JSON {
			j.print(s.out)
		}
	}
	return nil
}

// print tells a journey to a person.
func (j *journey) print(to io.Writer) {
	place := j.ID
	if place == "" {
		place = "from no stream"
	} else if j.Line > 0 {
		place += fmt.Sprintf(" line %d", j.Line)
	}
	if j.State == stateAstray {
		say(to, "%s  %s  key %q", j.Stream, place, j.Key)
		say(to, "  astray     no worker reads this stream, which is none of %s: 'estela doctor' says how to publish what is in it", j.Dataset)
	} else {
		say(to, "%s shard %d  %s  key %q", j.Dataset, j.Shard, place, j.Key)
	}
	if j.PublishedAt != nil {
		still := "its entry is trimmed"
		if j.InStream {
			still = "its entry is in the stream still"
		}
		say(to, "  published  %s  %s", j.PublishedAt.Format(time.RFC3339Nano), still)
	}
	switch {
	case j.State == stateAstray:
	case j.State == stateWaiting:
		say(to, "  waiting    the shard is stored up to %s", j.Position)
	case j.State == stateUnsettled:
		say(to, "  unsettled  below the shard's position %s and in no table: 'estela replay %s' reads it again", j.Position, j.Dataset)
	case j.State == stateDuplicate && j.DuplicateOf != "":
		say(to, "  duplicate  dropped: %s was stored under the same key", j.DuplicateOf)
	case j.State == stateDuplicate:
		say(to, "  duplicate  dropped")
	case j.SettledAt == nil:
		say(to, "  rejected   and purged since")
	case j.PublishedAt != nil:
		say(to, "  %-9s  %s  %s later", j.State, j.SettledAt.Format(time.RFC3339Nano), j.SettledAt.Sub(*j.PublishedAt).Round(time.Millisecond))
	default:
		say(to, "  %-9s  %s", j.State, j.SettledAt.Format(time.RFC3339Nano))
	}
	for _, v := range j.Violations {
		say(to, "  violation  %s", v)
	}
}
