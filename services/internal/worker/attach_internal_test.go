package worker

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// handover is the stream of a shard that another worker owned, or owns meanwhile.
type handover struct {
	Source

	renewed bool
	states  []event.StreamState // of calls of State, in order; the last stays
	// readsFrom is where the group begins.
	readsFrom event.ID
	attached  bool
}

func (h *handover) Renew(context.Context) (bool, error)   { return h.renewed, nil }
func (h *handover) Acquire(context.Context) (bool, error) { return true, nil }

func (h *handover) State(context.Context) (state event.StreamState, _ error) {
	state = h.states[0]
	if len(h.states) > 1 {
		h.states = h.states[1:]
	}
	return state, nil
}

func (h *handover) Attach(context.Context, int64, event.ID) (event.ID, error) {
	h.attached = true
	return h.readsFrom, nil
}

// positionOf is a warehouse that has a position.
type positionOf struct {
	Sink

	position event.Position
}

func (p positionOf) Position(context.Context, *contract.Contract, int) (event.Position, bool, error) {
	return p.position, true, nil
}

// lossCount counts losses.
type lossCount struct {
	nopObserver

	lost int64
}

func (o *lossCount) Reconciled(_ string, _, lost int64) { o.lost += lost }
func (o *lossCount) Loss(_ string, entries int64)       { o.lost += entries }

func attachedShard(h *handover) (*shard, *lossCount) {
	observed := new(lossCount)
	return &shard{
		contract: &contract.Contract{Name: "d"}, source: h, cfg: &Config{}, log: slog.New(slog.DiscardHandler), observe: observed,
	}, observed
}

func entriesOf(from, to uint64) (entries []event.Entry) {
	for ms := from; ms <= to; ms++ {
		entries = append(entries, event.Entry{ID: event.ID{MS: ms}})
	}
	return entries
}

// The last owner goes on trimming until Attach destroys its group: where the stream is reread, what it removed
// before that is not missing, and what somebody removes later is.
func TestRereadCountsFromWhatTheLastOwnerLeft(t *testing.T) {
	t.Parallel()
	for _, removed := range []uint64{0, 2} {
		at := func(first uint64) event.StreamState {
			return event.StreamState{
				RunID: "run", Known: true, First: event.ID{MS: first}, Last: event.ID{MS: 10}, Added: 10, Length: int64(11 - first),
			}
		}
		h := &handover{renewed: true, states: []event.StreamState{at(5), at(7)}}
		s, observed := attachedShard(h)
		pos := event.Position{Last: event.ID{MS: 8}, Added: 8, Epoch: 3, RunID: "run"}
		if _, err := s.attach(t.Context(), newCommitter(positionOf{position: pos}, s.contract, pos)); err != nil {
			t.Fatal(err)
		}
		s.reconciler.receive(entriesOf(7+removed, 10))
		found, compared := s.reconciler.expect(at(7 + removed))
		if !compared || found.missing != int64(removed) || observed.lost != 0 {
			t.Errorf("%d removed: found %+v (%v), counted %d as lost", removed, found, compared, observed.lost)
		}
	}
}

// A worker whose lease had expired, or that was suspended, may find what another has stored and trimmed
// since: it is fenced, and nothing is lost. What its own position lacks is.
func TestAttachAfterAnotherOwner(t *testing.T) {
	t.Parallel()
	before := event.Position{Last: event.ID{MS: 8}, Added: 8, Epoch: 3, Rev: 5, RunID: "run"}
	after := before
	after.Epoch, after.Rev, after.Last, after.Added = 5, 9, event.ID{MS: 20}, 20
	kept := event.StreamState{RunID: "run", Known: true, Last: event.ID{MS: 20}, First: event.ID{MS: 1}, Added: 20, Length: 20}
	trimmed := event.StreamState{RunID: "run", Known: true, Last: event.ID{MS: 20}, TrimmedTo: event.ID{MS: 20}, Added: 20}
	for _, c := range []struct {
		name    string
		renewed bool
		state   event.StreamState
		stored  event.Position
		fenced  bool
		lost    int64
	}{
		{"suspended", true, trimmed, after, true, 0},
		{"lease acquired again", false, trimmed, after, true, 0},
		{"lease acquired again, before a trim", false, kept, after, true, 0},
		{"lost", true, trimmed, before, false, 12},
		{"lost, lease acquired again", false, trimmed, before, false, 12},
	} {
		h := &handover{renewed: c.renewed, states: []event.StreamState{c.state}}
		s, observed := attachedShard(h)
		readErr, err := s.runPipeline(t.Context(), t.Context(), newCommitter(positionOf{position: c.stored}, s.contract, before))
		_, lost := errors.AsType[*LossError](err)
		if readErr != nil || errors.Is(err, event.ErrFenced) != c.fenced || lost == c.fenced || observed.lost != c.lost || h.attached {
			t.Errorf("%s: %v, %v; counted %d as lost, attached: %v", c.name, readErr, err, observed.lost, h.attached)
		}
	}
}

// A backfill that finds a shard without a position takes it over; a worker may do so at the same moment.
func TestStoreWhileAWorkerTakesTheFirstPosition(t *testing.T) {
	t.Parallel()
	c := dedupe1s(t)
	sink := &fencedOnce{}
	b := c.NewBatch(0, 1)
	b.Unstreamed = true
	c.NewDecoder().Decode(b, []byte(`{"id": "1"}`), event.ID{MS: 1}, 0)
	if err := Store(t.Context(), nil, sink, b); err != nil || len(sink.rows) != 1 || sink.takeovers != 1 {
		t.Errorf("%v; %d rows, %d takeovers, want 1 of each", err, len(sink.rows), sink.takeovers)
	}

	sink = &fencedOnce{always: true}
	ctx, cancel := context.WithCancel(t.Context())
	sink.fenced = func() {
		if sink.takeovers == 3 {
			cancel()
		}
	}
	if err := Store(ctx, nil, sink, b); !errors.Is(err, context.Canceled) || sink.takeovers != 3 {
		t.Errorf("ended after three attempts: %v, %d", err, sink.takeovers)
	}
}

// fencedOnce is a sink without a position. Another process takes the shard over at the first attempt, or
// at each.
type fencedOnce struct {
	memory

	takeovers int
	always    bool
	fenced    func()
}

func (s *fencedOnce) Position(context.Context, *contract.Contract, int) (event.Position, bool, error) {
	return event.Position{Epoch: int64(s.takeovers)}, s.takeovers > 0 && !s.always, nil
}

func (s *fencedOnce) TakeOver(context.Context, *contract.Contract, int) (event.Position, error) {
	s.takeovers++
	if s.fenced != nil {
		s.fenced()
	}
	return event.Position{}, event.ErrFenced
}
