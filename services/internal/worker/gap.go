package worker

import (
	"errors"
	"log/slog"
	"slices"
	"sort"

	"github.com/estela-dev/estela/services/internal/contract"
)

// errGap ends an attachment because the server was given more entries than were received, or
// fewer: the stream is read again from its oldest entry.
var errGap = errors.New("what was received is not what the stream was given: reading again what it keeps")

// maxRereads is how often a stream is read again for gaps before a gap is found no more.
const maxRereads = 10

// gap is entries that the server counted and that did not arrive. Those that the stream still
// holds are found when it is read again; only the others are lost.
type gap struct {
	audit
	// found are entries above audit.after that were not received before.
	found int64
}

// read notes entries of the reading that looks for the gap.
func (g *gap) read(entries []contract.Entry) {
	for _, e := range entries {
		if e.ID.Compare(g.after) > 0 && e.ID.Compare(g.upTo) <= 0 && !g.received(e.ID) {
			g.found++
		}
	}
}

// received reports whether the entry was received before. Spans are in order.
func (g *gap) received(id contract.ID) bool {
	i := sort.Search(len(g.spans), func(i int) bool { return id.Compare(g.spans[i].last) <= 0 })
	return i < len(g.spans) && id.Compare(g.spans[i].first) >= 0
}

// reconciled takes what a comparison found. errGap: entries are missing, and the stream may
// hold them.
func (s *shard) reconciled(a audit, compared bool) error {
	if !compared {
		return nil
	}
	if a.missing > 0 && !a.leadsOn() {
		s.lost(a, a.missing)
		return nil
	}
	s.observe.Reconciled(s.contract.Name, a.received, 0)
	if !a.leadsOn() {
		return nil
	}
	s.log.Warn("entries received differ from entries added, reading the stream again",
		slog.Any("after", a.after), slog.Any("up_to", a.upTo), slog.Int64("missing", a.missing))
	s.gaps = append(s.gaps, gap{audit: a})
	s.rereads++
	return errGap
}

// lost counts entries that are in the stream no more and were not received.
func (s *shard) lost(a audit, entries int64) {
	s.observe.Reconciled(s.contract.Name, a.received, entries)
	s.log.Error("entries were added to the stream and gone before they were read",
		slog.Any("after", a.after), slog.Any("up_to", a.upTo), slog.Int64("entries", entries),
		slog.String("hint", "look for a producer with MAXLEN, or for XTRIM and XDEL by others, and publish them again"))
}

// inGap reports whether an entry that is gone is among those that are known to be missing, and
// are counted once the stream has been read again.
func (s *shard) inGap(id contract.ID) bool {
	return slices.ContainsFunc(s.gaps, func(g gap) bool { return id.Compare(g.upTo) <= 0 })
}

// gapsRead reports whether all is stored in which the gaps' entries can be.
func (p *pipeline) gapsRead() bool {
	settled := p.inFlight.settledTo()
	return p.readWhole() && settled.Compare(p.reread) >= 0 &&
		!slices.ContainsFunc(p.gaps, func(g gap) bool { return settled.Compare(g.upTo) < 0 })
}

// readWhole reports whether nothing was skipped while what a gap lies in was read again: what
// somebody took then would be taken for lost. Without a count nobody can tell.
func (p *pipeline) readWhole() bool {
	verified := p.ledger.verified
	return p.ledger.added == uncounted || verified.Compare(p.reread) >= 0 &&
		!slices.ContainsFunc(p.gaps, func(g gap) bool { return verified.Compare(g.upTo) < 0 })
}

// closeGaps tells, once the stream was read again to its end and all of that is stored, what
// is lost of what was missing. Below the first gap, where it isn't known what was received,
// entries count as found if something of them was stored now.
func (p *pipeline) closeGaps() {
	recovered := p.recovered.Load()
	for _, g := range p.gaps {
		if g.missing < 0 {
			continue
		}
		a := g.audit
		a.received = min(a.missing, g.found+recovered)
		recovered = 0
		if lost := a.missing - a.received; lost > 0 {
			p.lost(a, lost)
			continue
		}
		p.observe.Reconciled(p.contract.Name, a.received, 0)
		p.log.Info("entries that were skipped are stored", slog.Int64("entries", a.missing))
	}
	p.gaps, p.rereads = nil, 0
}

// recoveredIn counts the entries up to the ID of which something is left in the batch after
// what was stored before has been removed from it.
func recoveredIn(b *contract.Batch, upTo contract.ID) (entries int64) {
	var last contract.ID
	rejects := b.Rejects
	count := func(id contract.ID) {
		if id != last && id.Compare(upTo) <= 0 {
			entries++
		}
		last = id
	}
	for i := range b.Rows {
		row := contract.ID{MS: b.MS[i], Seq: b.Seq[i]}
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
