package stream

import (
	"context"
	"fmt"
	"time"
)

// Workers notes that the owner is a live member of the group for the next ttl, by the
// server's clock, and returns how many members are, itself included. With it workers of one
// warehouse and the same datasets share shards fairly: each holds at most its part, rounded
// up. Who carries other shards is no member: it would lower a quota that it takes nothing of.
func (c *Client) Workers(ctx context.Context, group, owner string, ttl time.Duration) (int, error) {
	live, err := c.eval(ctx, heartbeatScript, []string{workersKey(group)}, owner, ttl.Milliseconds()).Int()
	if err != nil {
		return 0, fmt.Errorf("note worker %s as alive: %w", owner, err)
	}
	return live, nil
}

// Leave takes the owner off the group's list of live workers.
func (c *Client) Leave(ctx context.Context, group, owner string) error {
	if err := c.rdb.ZRem(ctx, workersKey(group), owner).Err(); err != nil {
		return fmt.Errorf("take worker %s off the list: %w", owner, err)
	}
	return nil
}
