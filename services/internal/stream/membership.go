package stream

import (
	"context"
	"fmt"
	"time"
)

// Heartbeat keeps the owner a live member of the group for the next ttl, by the server's
// clock, and returns the number of live members, itself included. Workers of one warehouse and
// the same datasets derive their quota of shards from it. A worker of other datasets belongs to
// another group: it would lower a quota that it takes no shard of.
func (c *Client) Heartbeat(ctx context.Context, group, owner string, ttl time.Duration) (int, error) {
	live, err := c.eval(ctx, heartbeatScript, []string{workersKey(group)}, owner, ttl.Milliseconds()).Int()
	if err != nil {
		return 0, fmt.Errorf("heartbeat of worker %s: %w", owner, err)
	}
	return live, nil
}

// Leave removes the owner from the group, so that the others rebalance at once.
func (c *Client) Leave(ctx context.Context, group, owner string) error {
	if err := c.rdb.ZRem(ctx, workersKey(group), owner).Err(); err != nil {
		return fmt.Errorf("remove worker %s from membership: %w", owner, err)
	}
	return nil
}
