package stream

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
)

// The scripts that give a shard to a warehouse share these. The note is the last key; the
// third argument and those after it are the warehouse: identity, location, host. Without an
// identity nothing is noted or compared.
const warehouseFunc = `
local function other()
  local noted = redis.call('HMGET', KEYS[#KEYS], 'identity', 'location', 'host')
  if ARGV[3] ~= '' and noted[1] and noted[1] ~= ARGV[3] then return noted end
  return false
end
local function note()
  if ARGV[3] == '' then return 0 end
  return redis.call('HSET', KEYS[#KEYS], 'identity', ARGV[3], 'location', ARGV[4], 'host', ARGV[5])
end
`

const (
	// Keys: warehouse. Returns whether the note is new, or whose the shard is.
	noteScript = shebang + warehouseFunc + `
local owner = other()
if owner then return owner end
if note() > 0 then return 1 end
return 0`

	// Keys: warehouse. Takes back a note that is the warehouse's.
	unnoteScript = shebang + `
if redis.call('HGET', KEYS[1], 'identity') ~= ARGV[3] then return 0 end
return redis.call('DEL', KEYS[1])`

	// Keys: lease, warehouse. Returns the token of the worker that is in the way.
	moveScript = shebang + warehouseFunc + `
local holder = redis.call('GET', KEYS[1])
if holder and redis.call('HGET', KEYS[2], 'identity') ~= ARGV[3] then return holder end
note()
return ''`
)

func warehouseKey(stream string) string { return stream + ":warehouse" }

func leaseKey(stream string) string { return stream + ":lease" }

// warehouseArgs are the arguments of a script that notes a warehouse.
func warehouseArgs(token string, ttl int64, w contract.Warehouse) []any {
	return []any{token, ttl, w.Identity, w.Location, w.Host}
}

// warehouseOf reads what HMGET or a script gives of a note.
func warehouseOf(noted []any) (w contract.Warehouse) {
	for i, field := range []*string{&w.Identity, &w.Location, &w.Host} {
		if i < len(noted) {
			*field, _ = noted[i].(string)
		}
	}
	return w
}

// answered reads the reply of a script that refuses another warehouse.
func (c *Client) answered(reply any, dataset string, this contract.Warehouse) (int64, error) {
	switch r := reply.(type) {
	case int64:
		return r, nil
	case []any:
		return 0, &contract.OtherWarehouseError{Dataset: dataset, Owner: warehouseOf(r), This: this, Redis: c.where}
	default:
		return 0, errProtocol
	}
}

// NoteWarehouse notes that the streams of the datasets belong to the warehouse, so that
// leases on them are given to its workers alone. Where one belongs to another, it fails with
// *contract.OtherWarehouseError and leaves all as it was. Two that do so at once meet at the
// first shard: one gets all.
func (c *Client) NoteWarehouse(ctx context.Context, all []*contract.Contract, w contract.Warehouse) error {
	all = slices.SortedFunc(slices.Values(all), func(a, b *contract.Contract) int { return cmp.Compare(a.Name, b.Name) })
	var made []string
	for _, d := range all {
		for shard := range d.Shards {
			key := warehouseKey(Key(d.Name, shard))
			reply, err := c.eval(ctx, noteScript, []string{key}, warehouseArgs("", 0, w)...).Result()
			fresh := int64(0)
			if err == nil {
				fresh, err = c.answered(reply, d.Name, w)
			}
			if err != nil {
				c.takeBack(ctx, made, w)
				return fmt.Errorf("note whose %s is: %w", Key(d.Name, shard), err)
			}
			if fresh > 0 {
				made = append(made, key)
			}
		}
	}
	return nil
}

// takeBack removes notes. One that stays behind is in the way of others only, and a claim
// removes it.
func (c *Client) takeBack(ctx context.Context, made []string, w contract.Warehouse) {
	for _, key := range made {
		if err := c.eval(ctx, unnoteScript, []string{key}, warehouseArgs("", 0, w)...).Err(); err != nil {
			c.logger.Warn("a note of a warehouse that was refused stays behind", slog.String("key", key), slog.Any("error", err))
		}
	}
}

// MoveWarehouse gives the dataset's shard to the warehouse, whosever it was. It returns the
// token of the worker of another warehouse that holds the shard's lease, if there is one:
// then nothing was changed.
func (c *Client) MoveWarehouse(ctx context.Context, dataset string, shard int, w contract.Warehouse) (holder string, err error) {
	key := Key(dataset, shard)
	holder, err = c.eval(ctx, moveScript, []string{leaseKey(key), warehouseKey(key)}, warehouseArgs("", 0, w)...).Text()
	if err != nil {
		return "", fmt.Errorf("give %s to another warehouse: %w", key, err)
	}
	return holder, nil
}
