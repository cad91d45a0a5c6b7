package worker

import (
	"errors"
	"log/slog"
	"slices"
	"sort"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// errGap ends a pipeline because more entries were added to the stream than were received,
// or fewer: it is reread from its oldest entry.
var errGap = errors.New("entries received differ from entries added, rereading the stream")

// maxRereads is how often in a row a stream is reread for gaps; after that the count restarts.
const maxRereads = 10

// gap is a range in which entries were expected and not received. Those that the stream still
// has are found when it is reread; only the others are lost.
type gap struct {
	reconciliation
	// found are entries above reconciliation.after that were not received before.
	found int64
}

// match counts entries of the gap in what was reread.
func (g *gap) match(entries []event.Entry) {
	for _, e := range entries {
		if e.ID.Compare(g.after) > 0 && e.ID.Compare(g.upTo) <= 0 && !g.received(e.ID) {
			g.found++
		}
	}
}

// received reports whether the entry was received before. Spans are in order.
func (g *gap) received(id event.ID) bool {
	i := sort.Search(len(g.spans), func(i int) bool { return id.Compare(g.spans[i].last) <= 0 })
	return i < len(g.spans) && id.Compare(g.spans[i].first) >= 0
}

// handleReconciliation reports a result. errGap: entries are missing, and the stream may have
// them.
func (s *shard) handleReconciliation(r reconciliation, compared bool) error {
	if !compared {
		return nil
	}
	if r.missing > 0 && !r.needsReread() {
		s.reportLost(r, r.missing)
		return nil
	}
	s.observe.Reconciled(s.contract.Name, r.received, 0)
	if !r.needsReread() {
		return nil
	}
	s.log.Warn("entries received differ from entries added, rereading the stream",
		slog.Any("after", r.after), slog.Any("up_to", r.upTo), slog.Int64("missing", r.missing))
	s.gaps = append(s.gaps, gap{reconciliation: r})
	s.rereads++
	return errGap
}

// reportLost counts and logs entries that were removed from the stream before they were read.
func (s *shard) reportLost(r reconciliation, entries int64) {
	s.observe.Reconciled(s.contract.Name, r.received, entries)
	s.log.Error("entries lost: removed from the stream before they were read",
		slog.Any("after", r.after), slog.Any("up_to", r.upTo), slog.Int64("entries", entries),
		slog.String("hint", "look for a producer with MAXLEN, or for XTRIM and XDEL by others, and publish them again"))
}

// inGap reports whether a deleted entry is in a gap that is known already, and is counted once
// the stream has been reread.
func (s *shard) inGap(id event.ID) bool {
	return slices.ContainsFunc(s.gaps, func(g gap) bool { return id.Compare(g.upTo) <= 0 })
}

// gapsReread reports whether all that can contain the gaps' entries was reread and committed.
func (p *pipeline) gapsReread() bool {
	committed := p.shard.inFlight.committedTo()
	return p.rereadComplete() && committed.Compare(p.from.reread) >= 0 &&
		!slices.ContainsFunc(p.shard.gaps, func(g gap) bool { return committed.Compare(g.upTo) < 0 })
}

// rereadComplete reports whether nothing was skipped while the gaps were reread: an entry that
// somebody consumed meanwhile would be counted as lost. Without a count that is unknown.
func (p *pipeline) rereadComplete() bool {
	verified := p.shard.reconciler.verified
	return p.shard.reconciler.added == uncounted || verified.Compare(p.from.reread) >= 0 &&
		!slices.ContainsFunc(p.shard.gaps, func(g gap) bool { return verified.Compare(g.upTo) < 0 })
}

// closeGaps reports what of the gaps was recovered and what is lost, once the stream was reread
// to its end and all of it is committed. Below the first gap, where it is unknown what was
// received, entries count as found if any of their rows was new.
func (p *pipeline) closeGaps() {
	recovered := p.recovered.Load()
	for _, g := range p.shard.gaps {
		if g.missing < 0 {
			continue
		}
		r := g.reconciliation
		r.received = min(r.missing, g.found+recovered)
		recovered = 0
		if lost := r.missing - r.received; lost > 0 {
			p.shard.reportLost(r, lost)
			continue
		}
		p.shard.observe.Reconciled(p.shard.contract.Name, r.received, 0)
		p.shard.log.Info("recovered skipped entries", slog.Int64("entries", r.missing))
	}
	p.shard.gaps, p.shard.rereads = nil, 0
}

// countRecovered counts the entries up to the ID that have rows or rejects left in the batch
// after dedupe.
func countRecovered(b *contract.Batch, upTo event.ID) (entries int64) {
	var last event.ID
	rejects := b.Rejects
	count := func(id event.ID) {
		if id != last && id.Compare(upTo) <= 0 {
			entries++
		}
		last = id
	}
	for i := range b.Rows {
		row := event.ID{MS: b.MS[i], Seq: b.Seq[i]}
		for len(rejects) > 0 && rejects[0].ID.Compare(row) <= 0 {
			count(rejects[0].ID)
			rejects = rejects[1:]
		}
		count(row)
	}
	for _, r := range rejects {
		count(r.ID)
	}
	return entries
}
