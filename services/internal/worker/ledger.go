package worker

import (
	"context"
	"log/slog"
	"sort"

	"github.com/estela-dev/estela/services/internal/contract"
)

// uncounted stands for a number of added entries that nobody knows.
const uncounted = -1

// ledger holds what a stream's server says it was given against what was read from it.
// The server counts every entry added (entries-added), gives them out in order, and tells
// that count and the last ID in one answer; so between two such answers as many entries
// must have been received as were added. Fewer were there before anybody read them: a
// producer's MAXLEN, somebody's XTRIM or XDEL, which leave no other trace.
//
// The count at the position is stored with it, so that a loss while no worker ran shows too.
type ledger struct {
	// added is the server's count at the ID at; uncounted before the first answer.
	at    contract.ID
	added int64
	// received counts the entries since at, last is the newest.
	received int64
	last     contract.ID
	// next is an answer that reading has not come to yet.
	next *contract.StreamState
	// unsaved says that something is missing and the position's count does not say so.
	unsaved bool
}

// audit is what a comparison found between two IDs.
type audit struct {
	after, upTo contract.ID
	// received and missing are entries. missing is below zero where the count went back:
	// the stream is another.
	received, missing int64
}

// newLedger begins at the position. A server that was restarted may have forgotten entries
// together with their count, and a loss that was accepted is counted: both begin anew,
// where the reading does.
func newLedger(pos contract.Position, state contract.StreamState, from origin, accepted bool) ledger {
	l := ledger{at: pos.Last, last: pos.Last, added: pos.Added}
	switch {
	case state.Added == uncounted || accepted || from.early != "":
		l.last, l.added = from.after, uncounted // a server that stepped back gives lower IDs once more
	case pos.Last.IsZero():
		l.added = state.Added - state.Length // what went before the first owner came
	}
	return l
}

// note takes an answer of the server; the comparison comes when reading is there.
func (l *ledger) note(state contract.StreamState) (audit, bool) {
	if l.next != nil || state.Added == uncounted {
		return audit{}, false
	}
	l.next = &state
	return l.compare(l.received, state.Last.Compare(l.last) <= 0)
}

// receive takes what was read; the server's count at its end, uncounted if unknown, 0 if
// nothing in it is new.
func (l *ledger) receive(entries []contract.Entry) (added int64, found audit, compared bool) {
	if entries = entries[upTo(entries, l.last):]; len(entries) == 0 {
		return 0, audit{}, false
	}
	before := l.received
	l.received += int64(len(entries))
	l.last = entries[len(entries)-1].ID
	if l.next != nil {
		within := int64(upTo(entries, l.next.Last))
		found, compared = l.compare(before+within, l.last.Compare(l.next.Last) >= 0)
	}
	l.unsaved = false // it goes with these entries
	if l.added == uncounted {
		return uncounted, found, compared
	}
	return l.added + l.received, found, compared
}

// upTo counts the entries, which are in order, up to the ID.
func upTo(entries []contract.Entry, id contract.ID) int {
	return sort.Search(len(entries), func(i int) bool { return entries[i].ID.Compare(id) > 0 })
}

// end says that the stream was read to its end after the last answer.
func (l *ledger) end() (audit, bool) { return l.compare(l.received, l.next != nil) }

// compare holds the answer against what was received up to it, and goes on from there.
func (l *ledger) compare(received int64, there bool) (audit, bool) {
	if !there {
		return audit{}, false
	}
	known := l.added != uncounted
	found := audit{l.at, l.next.Last, received, l.next.Added - l.added - received}
	l.at, l.added, l.received, l.next = l.next.Last, l.next.Added, l.received-received, nil
	l.unsaved = l.unsaved || known && found.missing != 0
	return found, known
}

// saveLoss moves the position beyond entries that are known to be missing, once all that
// was received is committed, so that the next owner doesn't find them anew.
func (p *pipeline) saveLoss(ctx context.Context) error {
	if !p.ledger.unsaved {
		return nil
	}
	b := p.contract.NewBatch(p.number, 0)
	b.Last, b.Added = p.ledger.at, p.ledger.added
	if err := p.committer.commit(ctx, b, contract.ID{}, p.retry(ctx)); err != nil {
		return err
	}
	p.ledger.unsaved = false
	return nil
}

// audited tells what a comparison found.
func (s *shard) audited(a audit, compared bool) {
	if !compared {
		return
	}
	s.observe.Reconciled(s.contract.Name, a.received, max(0, a.missing))
	if a.missing == 0 {
		return
	}
	log := s.log.With(slog.Any("after", a.after), slog.Any("up_to", a.upTo), slog.Int64("entries", a.missing))
	if a.missing < 0 {
		log.Warn("the server's count of added entries went back: the stream was replaced, and what it had lost isn't known")
		return
	}
	log.Error("entries were added to the stream and gone before they were read",
		slog.String("hint", "look for a producer with MAXLEN, or for XTRIM and XDEL by others, and publish them again"))
}
