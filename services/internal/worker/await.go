package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/estela-dev/estela/services/internal/contract"
)

// errAgain ends an attachment because the stream is to be read again.
var errAgain = errors.New("the stream is read again")

// waiters wait for a shard's stream to be drained: read to its end and
// committed.
type waiters struct {
	mu     sync.Mutex
	again  []chan struct{} // asked for a new reading, which has not begun
	drains []chan struct{} // wait for the end of the current one
}

func (w *waiters) add(again bool) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := make(chan struct{})
	if again {
		w.again = append(w.again, ch)
	} else {
		w.drains = append(w.drains, ch)
	}
	return ch
}

func (w *waiters) wantAgain() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.again) > 0
}

// begin reports whether a new reading was asked for, which begins now.
func (w *waiters) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	again := len(w.again) > 0
	w.drains, w.again = append(w.drains, w.again...), nil
	return again
}

// waiting is how many wait now: a read that begins after it is theirs.
func (w *waiters) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.drains)
}

// drained ends the wait of the first n. Who came while the last read was under
// way may have been promised an entry that it did not give.
func (w *waiters) drained(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.drains[:n] {
		close(ch)
	}
	w.drains = w.drains[n:]
}

// Drained waits until all that the dataset's streams held when it was called is
// committed. It waits for ever where another process owns a shard; a shard that has stopped
// for good ends it with the reason.
func (w *Worker) Drained(ctx context.Context, c *contract.Contract) error {
	return w.await(ctx, c, false)
}

// Replay reads again all that the dataset's streams still hold and waits for
// the end. What is stored is not stored again.
func (w *Worker) Replay(ctx context.Context, c *contract.Contract) error {
	return w.await(ctx, c, true)
}

func (w *Worker) await(ctx context.Context, c *contract.Contract, again bool) error {
	for _, s := range w.shards {
		if s.contract.Name != c.Name {
			continue
		}
		select {
		case <-s.waiters.add(again):
		case <-s.failed:
			return s.failure
		case <-ctx.Done():
			return fmt.Errorf("wait for shard %d of %s to be drained (%s): %w", s.number, c.Name, s.reason(), ctx.Err())
		}
	}
	return nil
}
