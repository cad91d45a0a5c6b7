package operation

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/stream"
)

// searchedEntries and searchedRejects bound the search for a key: the newest entries of each stream,
// the rejects of each dataset. sameKey bounds the rows of one key.
const (
	searchedEntries = 10_000
	searchedRejects = 10_000
	sameKey         = 100
)

// maxTimeMS is the end of the year 9999, the last that RFC 3339 can express; an ID can be beyond.
const maxTimeMS = 253_402_300_799_999

// The states of an event.
const (
	Waiting   = "waiting"
	Stored    = "stored"
	Rejected  = "rejected"
	Duplicate = "duplicate"
	// Uncommitted is an entry at or below the position that is neither stored nor rejected nor a
	// duplicate: it was added out of order, and will be reread.
	Uncommitted = "unsettled"
	// Unread is an entry of a stream without a worker.
	Unread = "astray"
)

// Event is the location and the state of an event.
type Event struct {
	Dataset string `json:"dataset"`
	Shard   int    `json:"shard"`
	// ID is the stream entry, empty for a backfill; Line is the event's line in an NDJSON entry.
	ID    string `json:"id,omitempty"`
	Line  uint32 `json:"line"`
	Key   string `json:"key,omitempty"`
	State string `json:"state"`
	// PublishedAt is by Redis' clock, CommittedAt by the warehouse writer's.
	PublishedAt *time.Time `json:"published_at,omitempty"`
	CommittedAt *time.Time `json:"settled_at,omitempty"`
	// InStream: the entry is still in the stream.
	InStream bool `json:"in_stream"`
	// DuplicateOf is the entry of the stored event with the same key.
	DuplicateOf string `json:"duplicate_of,omitempty"`
	// Violations are why it is rejected, or will be.
	Violations []event.Violation `json:"violations,omitempty"`
	// Position is how far the shard is stored.
	Position string `json:"position,omitempty"`
	// Stream is the key of a stream without a worker; Shard is then -1.
	Stream string `json:"stream,omitempty"`
}

// Located is the response to Locate.
type Located struct {
	Events []Event `json:"events"`
	// Searched lists what was searched.
	Searched string `json:"searched"`
}

// Locate requests the location of an event, by its key or the ID of its stream entry, in one dataset
// or, if that is empty, in all. The response is Located.
func Locate(dataset, asked string) Request {
	return Request{http.MethodGet, "/ops/events/" + asked, url.Values{"dataset": {dataset}}}
}

func (s *Server) locate(r *http.Request) (any, error) {
	if r.PathValue("id") == "" {
		return nil, fault.Usagef("name an event: /ops/events/KEY, or the ID of its stream entry")
	}
	in, err := s.selected(r)
	if err != nil {
		return nil, err
	}
	return s.Search(r.Context(), in, r.PathValue("id"))
}

// Search searches by the ID of a stream entry, if asked is one, and else by key.
func (s *Server) Search(ctx context.Context, in []*dataset.Dataset, asked string) (f Located, err error) {
	f = Located{Events: []Event{}, Searched: "tables and rejects"}
	redis, release, err := s.Pipeline.Redis(ctx)
	if err == nil {
		defer release()
		_, err = redis.Info(ctx)
	}
	if err != nil { // search the tables all the same
		redis = nil
		f.Searched += "; not the streams, where it may be still: " + err.Error()
	} else {
		f.Searched += fmt.Sprintf(", and for a key the newest %d entries of each stream", searchedEntries)
	}
	if id, err := event.ParseID(asked); err == nil && strings.Contains(asked, "-") {
		f.Events, err = s.locateIn(ctx, redis, in, func(t *locator) error { return t.byID(ctx, id) })
		if err != nil || len(f.Events) > 0 {
			return f, err
		}
	}
	f.Events, err = s.locateIn(ctx, redis, in, func(t *locator) error { return t.byKey(ctx, asked) })
	if err != nil || len(f.Events) > 0 || redis == nil {
		return f, err
	}
	f.Searched += ", also of those that no worker reads"
	f.Events, err = searchUnread(ctx, redis, in, asked)
	return f, err
}

func (s *Server) locateIn(ctx context.Context, redis *stream.Client, in []*dataset.Dataset, find func(*locator) error) ([]Event, error) {
	all := []Event{}
	for _, d := range in {
		t := &locator{
			store: s.Store, redis: redis, dataset: d, positions: make([]event.Position, d.Shards),
			decoder: d.NewDecoder(), batch: d.NewBatch(0, 1),
		}
		for shard := range d.Shards {
			pos, _, err := s.Store.Position(ctx, d.Contract, shard)
			if err != nil {
				return nil, err
			}
			t.positions[shard] = pos
		}
		if err := find(t); err != nil {
			return nil, err
		}
		all = append(all, t.events...)
	}
	return all, nil
}

// searchUnread searches streams without a worker for a key or an ID.
func searchUnread(ctx context.Context, redis *stream.Client, in []*dataset.Dataset, asked string) ([]Event, error) {
	found := []Event{}
	unread, _, err := redis.UnreadStreams(ctx, dataset.Contracts(in))
	if err != nil {
		return found, err
	}
	for _, d := range in {
		for _, s := range unread {
			if s.Type != s.Want || s.Dataset != "" && s.Dataset != d.Name {
				continue
			}
			t := &locator{dataset: d, decoder: d.NewDecoder(), batch: d.NewBatch(0, 1)}
			if err := redis.NewestOf(ctx, s.Key, searchedEntries, func(e event.Entry) { t.addUnread(s.Key, e, asked) }); err != nil {
				return found, err
			}
			found = append(found, t.events...)
		}
	}
	return found, nil
}
