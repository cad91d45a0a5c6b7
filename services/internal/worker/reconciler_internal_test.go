package worker

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/estela-dev/estela/services/internal/event"
)

// fakeStream is a stream whose unread entries somebody takes away now and then.
type fakeStream struct {
	random *rand.Rand
	state  event.StreamState
	unread []event.Entry
	lost   int64
}

func (s *fakeStream) add(n int) {
	for range n {
		s.state.Last = event.ID{MS: s.state.Last.MS + s.random.Uint64N(2), Seq: s.state.Last.Seq + 1}
		s.state.Added++
		s.unread = append(s.unread, event.Entry{ID: s.state.Last})
	}
}

func (s *fakeStream) take(n int) {
	for range min(n, len(s.unread)) {
		i := s.random.IntN(len(s.unread))
		s.unread = slices.Delete(s.unread, i, i+1)
		s.lost++
	}
}

func (s *fakeStream) read() []event.Entry {
	n := min(1+s.random.IntN(10), len(s.unread))
	entries := s.unread[:n:n]
	s.unread = s.unread[n:]
	return entries
}

// TestReconcilerFindsExactlyWhatIsMissing takes entries away at random between additions, reads,
// the server's replies and restarts of the worker: the reconciler finds as many, none twice.
func TestReconcilerFindsExactlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := &fakeStream{random: random}
		s.add(random.IntN(5))
		s.state.Length = int64(len(s.unread))
		r := newReconciler(event.Position{Added: uncounted}, s.state, origin{}, false)
		var found, stored reconciliation // by all, and as of the stored position
		note := func(a reconciliation, compared bool) {
			if compared {
				found.received, found.missing = found.received+a.received, found.missing+a.missing
			}
			if a.missing < 0 {
				t.Fatalf("seed %d: found %+v", seed, a)
			}
		}
		var pos event.Position
		read, restarted := int64(0), false
		receive := func() bool {
			entries := s.read()
			if len(entries) == 0 {
				note(r.endOfStream())
				return false
			}
			added, a, compared := r.receive(entries)
			note(a, compared)
			pos.Last, pos.Added = entries[len(entries)-1].ID, added
			read, stored = read+int64(len(entries)), found
			if compared && a.needsReread() {
				stored.missing -= a.missing // who begins there finds it, too
			}
			return true
		}
		for range 60 {
			switch random.IntN(6) {
			case 0, 1:
				s.add(random.IntN(20))
			case 2:
				s.take(random.IntN(3))
			case 3:
				note(r.expect(s.state))
			case 4:
				receive()
			case 5:
				if !pos.Last.IsZero() { // the first owner begins with what is there
					r, found = newReconciler(pos, s.state, origin{after: pos.Last}, false), stored // it finds the rest itself
					restarted = true
				}
			}
		}
		for receive() {
		}
		note(r.expect(s.state))
		note(r.endOfStream())
		if found.missing != s.lost || !restarted && found.received != read {
			t.Fatalf("seed %d: found %d missing of %d, %d received of %d", seed, found.missing, s.lost, found.received, read)
		}
	}
}

// A server that lost its newest entries gives IDs up to the position once more: what comes
// with them is received, not missing.
func TestReconcilerAfterAStepBack(t *testing.T) {
	t.Parallel()
	pos := event.Position{Last: event.ID{MS: 100}, Added: 100}
	state := event.StreamState{Last: event.ID{MS: 50}, Added: 50, Length: 50}
	r := newReconciler(pos, state, origin{reread: pos.Last, rereadRunID: rereading}, false)
	read := func(from, to uint64) []event.Entry {
		entries := make([]event.Entry, 0, to-from+1)
		for ms := from; ms <= to; ms++ {
			entries = append(entries, event.Entry{ID: event.ID{MS: ms}})
		}
		return entries
	}
	if _, a, compared := r.receive(read(1, 50)); compared {
		t.Errorf("compared with nothing: %+v", a)
	}
	for _, step := range []struct{ from, to uint64 }{{51, 80}, {81, 120}, {121, 130}} {
		if a, compared := r.expect(event.StreamState{Last: event.ID{MS: step.from - 1}, Added: int64(step.from - 1)}); compared && a.missing != 0 {
			t.Errorf("before %d: %+v", step.from, a)
		}
		if _, a, compared := r.receive(read(step.from, step.to)); compared && a.missing != 0 {
			t.Errorf("up to %d: %+v", step.to, a)
		}
	}
	if a, compared := r.expect(event.StreamState{Last: event.ID{MS: 130}, Added: 130}); !compared || a.missing != 0 {
		t.Errorf("at the end: %+v, %v", a, compared)
	}
}

// What was added and not read when the stream was replaced is outstanding.
func TestReconcilerOutstanding(t *testing.T) {
	t.Parallel()
	s := &fakeStream{random: rand.New(rand.NewPCG(1, 1))}
	r := newReconciler(event.Position{Added: uncounted}, s.state, origin{}, false)
	s.add(20)
	if _, _, compared := r.receive(s.read()); compared {
		t.Error("compared with nothing")
	}
	received := r.received
	r.expect(s.state)
	a, found := r.outstanding()
	if !found || a.missing != 20-received || a.received != received || len(a.spans) != 1 {
		t.Errorf("got %+v, %v, want %d missing", a, found, 20-received)
	}
	if _, found := r.outstanding(); found {
		t.Error("found twice")
	}
}
