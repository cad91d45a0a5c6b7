package page

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Streams is what the process knows of the streams that events come by.
type Streams interface {
	// Stream is where the entries of a shard go: the URL of Redis, empty if it is not known or has a password, and the
	// stream's key.
	Stream(c *contract.Contract, shard int) (url, key string)
	// Locate searches a dataset for an event, by its key or its entry's ID.
	Locate(ctx context.Context, dataset, asked string) (Located, error)
}

// Located is what is known of an event: see 'estela locate'.
type Located struct {
	Events []Event
	// Searched lists what was searched.
	Searched string
}

// Event is where an event is, and its state.
type Event struct {
	Shard int
	// ID is its entry in the stream, empty for a backfill; Line is its line in an entry of several, from 1.
	ID   string
	Line uint32
	Key  string
	// State is waiting, stored, rejected, duplicate, or one of the two that mean that no worker reads it again: unsettled,
	// astray.
	State                    string
	PublishedAt, CommittedAt time.Time // zero: unknown
	// InStream: the entry is still in the stream.
	InStream    bool
	DuplicateOf string
	Violations  []string
	// Position is how far the shard is stored; Stream the key of a stream without a worker.
	Position, Stream string
}

// eventPage is the page at /datasets/NAME/event.
type eventPage struct {
	datasetView

	Asked    string
	Journeys []journey
	// Searched is what was searched in vain; Fault why nothing was.
	Searched, Fault string
	Rows            [][]eventValue
}

// journey is where an event has been, in words.
type journey struct {
	Event

	State, Hint, Published, Committed, Took string
	// Reject links to its page; empty without one.
	Reject string
	// Waits: it is not stored yet; Lost: it needs somebody.
	Waits, Lost bool
}

// eventValue is a value of a row, whole.
type eventValue struct {
	Name string
	cell
}

// eventRows is the most rows of a key that are shown.
const eventRows = 20

func (s *Server) event(r *request, d datasetView) error {
	p := eventPage{datasetView: d, Asked: r.query.Get("key")}
	if p.Asked == "" {
		return r.render(http.StatusOK, "event", p)
	}
	found := s.lookUp(r, &p)
	if typed := strings.TrimSpace(p.Asked); !found && typed != p.Asked { // spaces may be the key's, or a slip
		p = eventPage{datasetView: d, Asked: typed}
		found = s.lookUp(r, &p)
	}
	status := http.StatusOK
	if !found {
		status = http.StatusNotFound
	}
	return r.render(status, "event", p)
}

// lookUp asks for the rows and the journeys of what is asked for; false if there are none, and no fault.
func (s *Server) lookUp(r *request, p *eventPage) (found bool) {
	if err := p.find(r); err != nil {
		p.Fault = err.Error()
	}
	if s.cfg.Streams != nil {
		located, err := s.cfg.Streams.Locate(r.c.UserContext(), p.Dataset, p.Asked)
		if err != nil {
			p.Fault = err.Error()
		}
		p.Searched = located.Searched
		for _, e := range located.Events {
			p.Journeys = append(p.Journeys, newJourney(p.datasetView, e))
		}
	}
	return p.Fault != "" || len(p.Journeys) > 0 || len(p.Rows) > 0
}

// find asks for the rows of the entry's ID or else the key.
func (p *eventPage) find(r *request) error {
	if id, err := event.ParseID(p.Asked); err == nil && strings.Contains(p.Asked, "-") {
		chosen := &selection{}
		err := chosen.and(rowColumn{Name: "_stream_ms", Kind: column.BigInt}, "eq", strconv.FormatUint(id.MS, 10))
		if err == nil {
			err = chosen.and(rowColumn{Name: "_stream_seq", Kind: column.BigInt}, "eq", strconv.FormatUint(id.Seq, 10))
		}
		if err == nil { // else no entry has that ID
			if err := p.ask(r, chosen); err != nil || len(p.Rows) > 0 {
				return err
			}
		}
	}
	c := p.Contract
	parts, ok := c.KeyParts(p.Asked)
	if !ok || len(c.Key) == 0 {
		return nil
	}
	chosen := &selection{}
	for i, k := range c.Key {
		if chosen.and(rowColumn{Name: c.Columns[k].Name, Kind: c.Columns[k].Type}, "eq", parts[i]) != nil {
			return nil //nolint:nilerr // no row has such a key
		}
	}
	return p.ask(r, chosen)
}

func (p *eventPage) ask(r *request, chosen *selection) error {
	columns := columnsOf(p.Contract)
	page, err := r.askRows(chosen.file(p.Contract, "-- order: _ingested_at desc, _line\n-- limit: time=10s\n", shownOf(columns), ""), chosen.with("limit", strconv.Itoa(eventRows)))
	if err != nil {
		return err
	}
	for _, values := range page.Rows {
		var row []eventValue
		for i, value := range values {
			v := eventValue{columns[i].Name, newCell(value)}
			v.Text, v.Rest = v.Text+v.Rest, "" // whole
			row = append(row, v)
		}
		p.Rows = append(p.Rows, row)
	}
	return nil
}

func newJourney(v datasetView, e Event) journey {
	j := journey{Event: e, State: e.State, Published: exactly(e.PublishedAt), Committed: exactly(e.CommittedAt)}
	if !e.PublishedAt.IsZero() && !e.CommittedAt.IsZero() {
		j.Took = age(max(0, e.CommittedAt.Sub(e.PublishedAt)))
	}
	switch e.State {
	case "waiting":
		j.State, j.Waits = v.T("Waiting"), true
		j.Hint = v.T("It is in the stream, and the shard is not stored up to it yet.")
	case "stored":
		j.State = v.T("Stored")
		j.Hint = v.T("It is a row of the table.")
	case "rejected":
		j.State, j.Lost = v.T("Rejected"), true
		j.Hint = v.T("It violates the contract, so it is kept as a reject.")
		if !e.CommittedAt.IsZero() {
			j.Reject = v.Link(pathTo("/datasets", v.Dataset, "rejects", strconv.Itoa(e.Shard), e.ID, strconv.FormatUint(uint64(e.Line), 10)))
		} else {
			j.Hint = v.T("It violated the contract, and its reject has been purged.")
		}
	case "duplicate":
		j.State = v.T("Duplicate")
		j.Hint = v.T("It was dropped, for an event with its key was stored before.")
	case "unsettled":
		j.State, j.Lost = v.T("Not stored"), true
		j.Hint = v.T("It is below the shard's position and in no table. This reads it again: estela replay") + " " + v.Dataset + v.Flags
	case "astray":
		j.State, j.Lost = v.T("In a stream without a worker"), true
		j.Hint = v.T("No worker reads its stream. This shows how to publish its entries: estela doctor")
	default:
	}
	return j
}

// exactly writes a time with all that is known of it.
func exactly(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
