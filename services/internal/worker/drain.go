package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/estela-dev/estela/services/internal/contract"
)

// errReplay ends a pipeline because a replay was requested.
var errReplay = errors.New("replay requested")

// drainRequests are calls that wait until a shard's stream is drained: read to its end and committed.
type drainRequests struct {
	mu      sync.Mutex
	replays []chan struct{} // request a replay, which has not begun
	current []chan struct{} // await the end of the current read
}

func (r *drainRequests) add(replay bool) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := make(chan struct{})
	if replay {
		r.replays = append(r.replays, ch)
	} else {
		r.current = append(r.current, ch)
	}
	return ch
}

func (r *drainRequests) replayRequested() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.replays) > 0
}

// begin reports whether a replay was requested, which begins now.
func (r *drainRequests) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	replay := len(r.replays) > 0
	r.current, r.replays = append(r.current, r.replays...), nil
	return replay
}

// pending is the number of current requests: a read that begins after it covers them.
func (r *drainRequests) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.current)
}

// complete completes the first n requests. One that came during the last read may await an
// entry that it did not return.
func (r *drainRequests) complete(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ch := range r.current[:n] {
		close(ch)
	}
	r.current = r.current[n:]
}

// Drained waits until all that was in the dataset's streams when it was called is committed. It
// waits for ever where another process owns a shard; it fails where a shard has stopped for
// good.
func (w *Worker) Drained(ctx context.Context, c *contract.Contract) error {
	return w.await(ctx, c, false)
}

// Replay rereads the dataset's streams from their oldest entries and waits until they are
// drained. What is stored is not stored again.
func (w *Worker) Replay(ctx context.Context, c *contract.Contract) error {
	return w.await(ctx, c, true)
}

func (w *Worker) await(ctx context.Context, c *contract.Contract, replay bool) error {
	for _, s := range w.shards {
		if s.contract.Name != c.Name {
			continue
		}
		select {
		case <-s.drains.add(replay):
		case <-s.failed:
			return s.failure
		case <-ctx.Done():
			return fmt.Errorf("drain shard %d of %s (%s): %w", s.number, c.Name, s.reason(), ctx.Err())
		}
	}
	return nil
}
