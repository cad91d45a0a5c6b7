package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// noteTimeout bounds one note: the next one says more anyway.
const noteTimeout = 2 * time.Second

// notes tells producers and operators, by way of Redis, how far the shard is stored. It is
// never waited for: what has changed since the last note was begun goes with the next one.
type notes struct {
	due, done chan struct{}
	// level says that this attachment has read and committed all up to the position, also
	// where it reads again.
	level atomic.Bool
}

func newNotes() notes { return notes{due: make(chan struct{}, 1), done: make(chan struct{})} }

// changed says that there is more to note than before.
func (n *notes) changed() {
	select {
	case n.due <- struct{}{}:
	default:
	}
}

// note writes what has changed until all is committed, and then once more. What fails is
// written with the next change: an attachment begins with one.
func (p *pipeline) note(ctx context.Context) {
	var noted contract.Position
	for more := true; more; {
		select {
		case <-p.notes.due:
		case <-p.notes.done:
			more = false
		}
		at := p.storedTo()
		if at == noted {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, noteTimeout)
		if err := p.source.NoteStored(bounded, at); err != nil {
			p.log.Debug("position not noted in Redis", slog.Any("error", err))
		} else {
			noted = at
		}
		cancel()
	}
}

// storedTo is the position up to which all that the stream holds is stored. What is read again
// because the stream may be another one is not, though the position is beyond it.
func (p *pipeline) storedTo() contract.Position {
	at, committedTo := p.committer.position(), p.inFlight.committedTo()
	if !p.notes.level.Load() && committedTo.Compare(p.reread) < 0 {
		at.Last, at.Added = committedTo, uncounted
	}
	return at
}
