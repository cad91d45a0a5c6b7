package worker

import (
	"context"
	"slices"
	"sort"

	"github.com/estela-dev/estela/services/internal/contract"
)

// uncounted stands for a number of added entries that nobody knows.
const uncounted = -1

// ledger holds what a stream's server says it was given against what was read from it.
// The server counts every entry added (entries-added), gives them out in order, and tells
// that count and the last ID in one answer; so between two such answers as many entries
// must have been received as were added. Fewer were skipped (somebody moved the cursor or read
// with it), or were gone before anybody read them: a producer's MAXLEN, somebody's XTRIM or
// XDEL, which leave no other trace. More means that the stream is another one.
//
// The count at the position is stored with it, so that a difference that arose while no
// worker ran shows too.
type ledger struct {
	// added is the server's count at the ID at; uncounted before the first answer.
	at    contract.ID
	added int64
	// received counts the entries since at, last is the newest; spans are where they lie.
	received int64
	last     contract.ID
	spans    []span
	// next is an answer that reading has not come to yet.
	next *contract.StreamState
	// verified: up to here nothing was skipped, and so it may be trimmed.
	verified contract.ID
	// unsaved says that something is missing and the position's count does not say so.
	unsaved bool
}

// span is from the first to the last of entries that were received in one piece: none that
// the stream had between them was skipped.
type span struct{ first, last contract.ID }

// audit is what a comparison found between two IDs.
type audit struct {
	after, upTo contract.ID
	// received and missing are entries. missing is below zero where the count went back:
	// the stream is another.
	received, missing int64
	// kept is how many entries the stream held then.
	kept int64
	// spans are those received, where some are missing.
	spans []span
}

// leadsOn says that the stream is to be read again for what is missing.
func (a audit) leadsOn() bool { return a.missing < 0 || a.missing > 0 && a.kept > 0 }

// newLedger begins at the position, or with the oldest entry kept where the stream is read
// again because it may be another. After a loss that was accepted the count begins anew with
// the next answer, and after maxRereads: where others remove entries all the time, what goes
// between an answer and the reading of it would look like a gap for ever.
func newLedger(pos contract.Position, state contract.StreamState, from origin, accepted bool) ledger {
	l := ledger{at: pos.Last, last: pos.Last, added: pos.Added}
	switch {
	case from.early != "": // lower IDs come once more
		l.at, l.last, l.added = from.after, from.after, state.Added-state.Length
		if from.blind {
			l.added = uncounted
		}
	case accepted:
		l.added = uncounted
	case pos.Last.IsZero():
		l.added = state.Added - state.Length // what went before the first owner came
	}
	if state.Added == uncounted {
		l.added = uncounted
	}
	return l
}

// note takes an answer of the server; the comparison comes when reading is there. Without
// a count the reader's cursor is all there is to go by: it was found where it must be.
func (l *ledger) note(state contract.StreamState) (audit, bool) {
	if state.Added == uncounted {
		l.verified, l.spans = l.last, nil
		return audit{}, false
	}
	if l.next != nil {
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
	l.spans = append(l.spans, span{entries[0].ID, l.last})
	if l.next != nil {
		within := int64(upTo(entries, l.next.Last))
		found, compared = l.compare(before+within, l.last.Compare(l.next.Last) >= 0)
	}
	l.unsaved = false // it goes with these entries
	if l.added == uncounted {
		return uncounted, found, compared
	}
	added = l.added + l.received
	if compared && found.leadsOn() { // not stored as settled: the next owner must find it, too
		added -= found.missing
	}
	return added, found, compared
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
	found := audit{
		after: l.at, upTo: l.next.Last, received: received, missing: l.next.Added - l.added - received,
		kept: l.next.Length, spans: l.spans,
	}
	l.spans = slices.DeleteFunc(slices.Clone(l.spans), func(s span) bool { return s.last.Compare(l.next.Last) <= 0 })
	l.at, l.added, l.received, l.next = l.next.Last, l.next.Added, l.received-received, nil
	l.unsaved = l.unsaved || known && found.missing != 0
	if !known || found.missing == 0 {
		l.verified = l.at
	}
	return found, known
}

// outstanding is what the server has said that it was given and what was not read of it: gone,
// where the stream is another now.
func (l *ledger) outstanding() (audit, bool) {
	if l.next == nil || l.added == uncounted {
		return audit{}, false
	}
	return l.compare(l.received, true)
}

// saveLoss moves the position beyond entries that are known to be missing, once all that
// was received is committed, so that the next owner doesn't find them anew.
func (p *pipeline) saveLoss(ctx context.Context) error {
	if !p.ledger.unsaved || p.ledger.next != nil {
		return nil
	}
	b := p.contract.NewBatch(p.number, 0)
	b.Last, b.Added, b.RunID = contract.Later(p.ledger.at, p.ledger.last), uncounted, p.runID
	if p.ledger.added != uncounted {
		b.Added = p.ledger.added + p.ledger.received
	}
	if err := p.committer.commit(ctx, b, contract.ID{}, p.retry(ctx)); err != nil {
		return err
	}
	p.ledger.unsaved = false
	return nil
}
