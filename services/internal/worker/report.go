package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

// reportTimeout bounds one report: the next one is newer anyway.
const reportTimeout = 2 * time.Second

// reporter reports the committed position in Redis, for producers and operators. Nothing waits
// for it: changes since the start of a report are in the next one.
type reporter struct {
	due, done chan struct{}
	// caughtUp: this attachment has read and committed all up to the position, even if it
	// rereads.
	caughtUp atomic.Bool
}

func newReporter() reporter { return reporter{due: make(chan struct{}, 1), done: make(chan struct{})} }

// trigger makes a report due.
func (r *reporter) trigger() {
	select {
	case r.due <- struct{}{}:
	default:
	}
}

// report reports each change until all is committed, and then once more. A report that fails is
// retried with the next change: an attachment begins with one.
func (p *pipeline) report(ctx context.Context) {
	var reported event.Position
	for more := true; more; {
		select {
		case <-p.reporter.due:
		case <-p.reporter.done:
			more = false
		}
		at := p.storedPosition()
		if at == reported {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, reportTimeout)
		if err := p.shard.source.ReportPosition(bounded, at); err != nil {
			p.shard.log.Debug("report position failed", slog.Any("error", err))
		} else {
			reported = at
		}
		cancel()
	}
}

// storedPosition is the position up to which all of the stream is stored. That is below the
// committed one while the stream is reread because it may have been replaced.
func (p *pipeline) storedPosition() event.Position {
	at, committedTo := p.shard.committer.position(), p.shard.inFlight.committedTo()
	if !p.reporter.caughtUp.Load() && committedTo.Compare(p.from.reread) < 0 {
		at.Last, at.Added = committedTo, uncounted
	}
	return at
}
