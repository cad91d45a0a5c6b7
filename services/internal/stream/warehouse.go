package stream

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Functions shared by the scripts that claim a shard for a warehouse. The claim is the last key;
// the third argument and those after it are the warehouse: identity, location, host. Without
// an identity nothing is claimed or compared.
const warehouseFunc = `
local function conflict()
  local owner = redis.call('HMGET', KEYS[#KEYS], 'identity', 'location', 'host')
  if ARGV[3] ~= '' and owner[1] and owner[1] ~= ARGV[3] then return owner end
  return false
end
local function claim()
  if ARGV[3] == '' then return 0 end
  return redis.call('HSET', KEYS[#KEYS], 'identity', ARGV[3], 'location', ARGV[4], 'host', ARGV[5])
end
`

const (
	// Keys: warehouse. Returns whether the claim is new, or the one of another warehouse.
	claimScript = shebang + warehouseFunc + `
local owner = conflict()
if owner then return owner end
if claim() > 0 then return 1 end
return 0`

	// Keys: warehouse. Removes a claim of the warehouse.
	unclaimScript = shebang + `
if redis.call('HGET', KEYS[1], 'identity') ~= ARGV[3] then return 0 end
return redis.call('DEL', KEYS[1])`

	// Keys: lease, warehouse. Returns the token of the worker that owns the lease, if it is
	// another warehouse's.
	moveScript = shebang + warehouseFunc + `
local holder = redis.call('GET', KEYS[1])
if holder and redis.call('HGET', KEYS[2], 'identity') ~= ARGV[3] then return holder end
claim()
return ''`
)

// warehouseArgs are the arguments of a script that claims a shard.
func warehouseArgs(token string, ttl int64, w event.Warehouse) []any {
	return []any{token, ttl, w.Identity, w.Location, w.Host}
}

// warehouseOf reads a claim from a reply of HMGET or a script.
func warehouseOf(fields []any) (w event.Warehouse) {
	for i, field := range []*string{&w.Identity, &w.Location, &w.Host} {
		if i < len(fields) {
			*field, _ = fields[i].(string)
		}
	}
	return w
}

// claimReply decodes the reply of a script that fails for another warehouse.
func (c *Client) claimReply(reply any, dataset string, this event.Warehouse) (int64, error) {
	switch r := reply.(type) {
	case int64:
		return r, nil
	case []any:
		return 0, &event.OtherWarehouseError{Dataset: dataset, Owner: warehouseOf(r), This: this, Redis: c.where}
	default:
		return 0, errProtocol
	}
}

// ClaimShards claims all shards of the datasets for the warehouse, so that only its workers
// acquire leases on them. Where one is claimed by another, it fails with
// *event.OtherWarehouseError and claims none. Concurrent claims conflict at the first shard:
// one gets all.
func (c *Client) ClaimShards(ctx context.Context, all []*contract.Contract, w event.Warehouse) error {
	all = slices.SortedFunc(slices.Values(all), func(a, b *contract.Contract) int { return cmp.Compare(a.Name, b.Name) })
	var claimed []string
	for _, d := range all {
		for shard := range d.Shards {
			key := addressOf(d, shard).warehouse()
			reply, err := c.eval(ctx, claimScript, []string{key}, warehouseArgs("", 0, w)...).Result()
			added := int64(0)
			if err == nil {
				added, err = c.claimReply(reply, d.Name, w)
			}
			if err != nil {
				c.unclaim(ctx, claimed, w)
				return fmt.Errorf("claim %s: %w", Key(d, shard), err)
			}
			if added > 0 {
				claimed = append(claimed, key)
			}
		}
	}
	return nil
}

// unclaim rolls claims back. One that remains blocks only other warehouses, until the shard is
// moved.
func (c *Client) unclaim(ctx context.Context, claimed []string, w event.Warehouse) {
	for _, key := range claimed {
		if err := c.eval(ctx, unclaimScript, []string{key}, warehouseArgs("", 0, w)...).Err(); err != nil {
			c.logger.Warn("roll back claim failed", slog.String("key", key), slog.Any("error", err))
		}
	}
}

// MoveShard claims the dataset's shard for the warehouse in place of any other. It returns the
// token of the worker of another warehouse that owns the shard's lease, if there is one: then
// nothing was changed.
func (c *Client) MoveShard(ctx context.Context, k *contract.Contract, shard int, w event.Warehouse) (holder string, err error) {
	at := addressOf(k, shard)
	holder, err = c.eval(ctx, moveScript, []string{at.lease(), at.warehouse()}, warehouseArgs("", 0, w)...).Text()
	if err != nil {
		return "", fmt.Errorf("move %s to another warehouse: %w", at.stream, err)
	}
	return holder, nil
}
