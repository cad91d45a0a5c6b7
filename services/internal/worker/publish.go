package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

// publishTimeout bounds one publication: the next one is newer anyway.
const publishTimeout = 2 * time.Second

// positionPublisher publishes the committed position in Redis, for producers and operators. Nothing
// waits for it: changes since the start of a publication are in the next one.
type positionPublisher struct {
	due, done chan struct{}
	// caughtUp: this pipeline has read and committed all up to the position, even if it
	// rereads.
	caughtUp atomic.Bool
}

func newPositionPublisher() positionPublisher {
	return positionPublisher{due: make(chan struct{}, 1), done: make(chan struct{})}
}

// trigger makes a publication due.
func (r *positionPublisher) trigger() {
	select {
	case r.due <- struct{}{}:
	default:
	}
}

// publishPosition publishes each change until all is committed, and then once more. One that fails is
// retried with the next change: a pipeline begins with one.
func (p *pipeline) publishPosition(ctx context.Context) {
	var published event.Position
	for more := true; more; {
		select {
		case <-p.positionPublisher.due:
		case <-p.positionPublisher.done:
			more = false
		}
		at := p.storedPosition()
		if at == published {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, publishTimeout)
		if err := p.shard.source.PublishPosition(bounded, at); err != nil {
			p.shard.log.Debug("publish position failed", slog.Any("error", err))
		} else {
			published = at
		}
		cancel()
	}
}

// storedPosition is the position up to which all of the stream is stored. That is below the
// committed one while the stream is reread because it may have been replaced.
func (p *pipeline) storedPosition() event.Position {
	at, committedTo := p.shard.committer.position(), p.shard.inFlight.committedTo()
	if !p.positionPublisher.caughtUp.Load() && committedTo.Compare(p.from.reread) < 0 {
		at.Last, at.Added = committedTo, uncounted
	}
	return at
}
