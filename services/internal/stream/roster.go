package stream

import (
	"context"
	"fmt"
	"time"
)

// Workers notes that the owner is alive for the next ttl, by the server's
// clock, and returns how many owners are, itself included. With it workers
// share shards fairly: each holds at most its part, rounded up.
func (c *Client) Workers(ctx context.Context, owner string, ttl time.Duration) (int, error) {
	live, err := c.eval(ctx, heartbeatScript, []string{workersKey}, owner, ttl.Milliseconds()).Int()
	if err != nil {
		return 0, fmt.Errorf("note worker %s as alive: %w", owner, err)
	}
	return live, nil
}

// Leave takes the owner off the list of live workers.
func (c *Client) Leave(ctx context.Context, owner string) error {
	if err := c.rdb.ZRem(ctx, workersKey, owner).Err(); err != nil {
		return fmt.Errorf("take worker %s off the list: %w", owner, err)
	}
	return nil
}
