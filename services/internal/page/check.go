package page

import (
	"context"
	"sync"
	"time"
)

const (
	// checkEvery is the age from which findings are renewed when somebody looks.
	checkEvery = 10 * time.Second
	// checkTimeout bounds a check, firstCheck how long a page waits for the first one.
	checkTimeout, firstCheck = 20 * time.Second, 500 * time.Millisecond
)

// checks holds what the last check of the pipeline has found.
type checks struct {
	find func(context.Context) []Finding

	mu      sync.Mutex
	found   []Finding
	at      time.Time     // of the last check, zero before the first
	running chan struct{} // closed when it ends; nil if none runs
	tasks   sync.WaitGroup
}

// latest returns the last findings; ok is false before the first check. It begins another one if they are old, which
// only the first caller waits for.
func (c *checks) latest(ctx context.Context) (found []Finding, ok bool) {
	c.mu.Lock()
	if c.running == nil && time.Since(c.at) > checkEvery {
		running := make(chan struct{})
		c.running = running
		c.tasks.Go(func() { c.check(context.WithoutCancel(ctx), running) })
	}
	first, running := c.at.IsZero(), c.running
	c.mu.Unlock()
	if first {
		select {
		case <-running:
		case <-ctx.Done():
		case <-time.After(firstCheck):
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.found, !c.at.IsZero()
}

func (c *checks) check(ctx context.Context, running chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	found := c.find(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found, c.at, c.running = found, time.Now(), nil
	close(running)
}
