package worker

import (
	"context"
	"slices"
	"sort"

	"github.com/estela-dev/estela/services/internal/event"
)

// uncounted is a count of added entries that is unknown.
const uncounted = -1

// reconciler compares the entries expected, by the server's count, with those received.
// The server counts every entry added (entries-added), delivers them in order, and reports that
// count and the last ID in one reply; so between two such replies as many entries must be
// received as were added. Fewer: some were skipped (somebody moved the cursor or read with it),
// or removed before they were read, by a producer's MAXLEN or somebody's XTRIM or XDEL, which
// leave no other trace. More: the stream was replaced.
//
// The count at the position is committed with it, so that a difference that arose while no
// worker ran is found too.
type reconciler struct {
	// added is the server's count at the ID at; uncounted before the first reply.
	at    event.ID
	added int64
	// received counts the entries since at, last is the newest; spans are their ranges.
	received int64
	last     event.ID
	spans    []span
	// pending is a reply whose last ID was not read yet.
	pending *event.StreamState
	// verified is the ID up to which nothing was skipped, so that it may be trimmed.
	verified event.ID
	// uncommittedLoss: entries are missing, and the committed count doesn't include them yet.
	uncommittedLoss bool
}

// span is a contiguous range of received entries: none between the first and the last was
// skipped.
type span struct{ first, last event.ID }

// reconciliation is the result for the entries between two IDs.
type reconciliation struct {
	after, upTo event.ID
	// received and missing are entries; missing is expected less received. Below zero the count
	// went back: the stream was replaced.
	received, missing int64
	// kept is the length of the stream then.
	kept int64
	// spans are those received, where some are missing.
	spans []span
}

// needsReread reports whether the stream must be reread, as it may hold what is missing.
func (a reconciliation) needsReread() bool { return a.missing < 0 || a.missing > 0 && a.kept > 0 }

// newReconciler starts at the position, or at the oldest entry where the stream is reread because
// it may have been replaced. After an accepted loss the count restarts with the next reply, and
// so it does after maxRereads: where others remove entries all the time, those removed between
// a reply and the read up to it would look like a gap for ever.
func newReconciler(pos event.Position, state event.StreamState, from origin, accepted bool) reconciler {
	r := reconciler{at: pos.Last, last: pos.Last, added: pos.Added}
	switch {
	case from.counted:
	case from.rereadRunID != "": // lower IDs are delivered once more
		r.at, r.last, r.added = from.after, from.after, state.Added-state.Length
		if from.noCount {
			r.added = uncounted
		}
	case accepted:
		r.added = uncounted
	case pos.Last.IsZero():
		r.added = state.Added - state.Length // removed before there was an owner
	}
	if state.Added == uncounted {
		r.added = uncounted
	}
	return r
}

// expect takes a reply of the server; it is reconciled once its last ID was read. Without a
// count the cursor of the reader is the only evidence: it was found where it must be.
func (r *reconciler) expect(state event.StreamState) (reconciliation, bool) {
	if state.Added == uncounted {
		r.verified, r.spans = r.last, nil
		return reconciliation{}, false
	}
	if r.pending != nil {
		return reconciliation{}, false
	}
	r.pending = &state
	return r.reconcile(r.received, state.Last.Compare(r.last) <= 0)
}

// receive takes entries that were read. It returns the server's count at the last of them,
// uncounted if unknown, 0 if none is new.
func (r *reconciler) receive(entries []event.Entry) (added int64, found reconciliation, compared bool) {
	if entries = entries[upTo(entries, r.last):]; len(entries) == 0 {
		return 0, reconciliation{}, false
	}
	before := r.received
	r.received += int64(len(entries))
	r.last = entries[len(entries)-1].ID
	r.spans = append(r.spans, span{entries[0].ID, r.last})
	if r.pending != nil {
		within := int64(upTo(entries, r.pending.Last))
		found, compared = r.reconcile(before+within, r.last.Compare(r.pending.Last) >= 0)
	}
	r.uncommittedLoss = false // it is committed with these entries
	if r.added == uncounted {
		return uncounted, found, compared
	}
	added = r.added + r.received
	if compared && found.needsReread() { // not committed: the next owner must find it, too
		added -= found.missing
	}
	return added, found, compared
}

// upTo counts the entries, which are in order, up to the ID.
func upTo(entries []event.Entry, id event.ID) int {
	return sort.Search(len(entries), func(i int) bool { return entries[i].ID.Compare(id) > 0 })
}

// endOfStream reconciles after a read that returned nothing: all that remains is read.
func (r *reconciler) endOfStream() (reconciliation, bool) {
	return r.reconcile(r.received, r.pending != nil)
}

// reconcile compares the pending reply with what was received up to it, and restarts the count
// there.
func (r *reconciler) reconcile(received int64, there bool) (reconciliation, bool) {
	if !there {
		return reconciliation{}, false
	}
	known := r.added != uncounted
	found := reconciliation{
		after: r.at, upTo: r.pending.Last, received: received, missing: r.pending.Added - r.added - received,
		kept: r.pending.Length, spans: r.spans,
	}
	r.spans = slices.DeleteFunc(slices.Clone(r.spans), func(s span) bool { return s.last.Compare(r.pending.Last) <= 0 })
	r.at, r.added, r.received, r.pending = r.pending.Last, r.pending.Added, r.received-received, nil
	r.uncommittedLoss = r.uncommittedLoss || known && found.missing != 0
	if !known || found.missing == 0 {
		r.verified = r.at
	}
	return found, known
}

// outstanding is what of the pending reply was not read: lost, if the stream was replaced.
func (r *reconciler) outstanding() (reconciliation, bool) {
	if r.pending == nil || r.added == uncounted {
		return reconciliation{}, false
	}
	return r.reconcile(r.received, true)
}

// commitLoss moves the position past entries that are known to be missing, once all that was
// received is committed, so that the next owner doesn't count them again.
func (p *pipeline) commitLoss(ctx context.Context) error {
	if !p.shard.reconciler.uncommittedLoss || p.shard.reconciler.pending != nil {
		return nil
	}
	b := p.shard.contract.NewBatch(p.shard.number, 0)
	b.Last, b.Added, b.RunID = event.Later(p.shard.reconciler.at, p.shard.reconciler.last), uncounted, p.from.runID
	if p.shard.reconciler.added != uncounted {
		b.Added = p.shard.reconciler.added + p.shard.reconciler.received
	}
	if err := p.shard.committer.commit(ctx, b, event.ID{}, nil, p.shard.retryCommit(ctx)); err != nil {
		return err
	}
	p.shard.reconciler.uncommittedLoss = false
	return nil
}
