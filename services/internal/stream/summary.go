package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// contractsKey is a hash, the registry of contracts: each dataset's current one and, as fields
// DATASET@VERSION, its earlier versions.
const contractsKey = "estela:contracts"

// Summary is the state of one shard of a dataset in Redis.
type Summary struct {
	event.StreamState

	Shard int
	// Owner is the warehouse that claimed the shard, zero if none has.
	Owner event.Warehouse
	// Lease is the token of the worker that owns it, "" without one.
	Lease string
}

func isWrongType(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE") }

// Summaries returns, in order, those of a dataset's shards and of any further ones that have
// entries, whatever the contract says.
func (c *Client) Summaries(ctx context.Context, k *contract.Contract) ([]Summary, error) {
	lengths := make([]*redis.IntCmd, contract.MaxShards)
	if k.Stream != nil {
		lengths = lengths[:1]
	}
	_, err := c.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for shard := range lengths {
			lengths[shard] = pipe.XLen(ctx, Key(k, shard))
		}
		return nil
	})
	if err != nil && !isWrongType(err) {
		return nil, fmt.Errorf("look up streams of %s: %w", k.Name, err)
	}
	var all []Summary
	for shard, n := range lengths {
		if shard >= k.Shards && n.Val() == 0 || isWrongType(n.Err()) {
			continue // what is no stream has no state: see UnreadStreams
		}
		one, err := c.summary(ctx, k, shard)
		if err != nil {
			return nil, fmt.Errorf("look up state of %s: %w", Key(k, shard), err)
		}
		all = append(all, one)
	}
	return all, nil
}

func (c *Client) summary(ctx context.Context, k *contract.Contract, shard int) (s Summary, err error) {
	at := addressOf(k, shard)
	s.Shard = shard
	if s.StreamState, err = c.Shard(k, shard, "", ShardConfig{}).State(ctx); err != nil {
		return s, err
	}
	claim, err := c.rdb.HMGet(ctx, at.warehouse(), "identity", "location", "host").Result()
	if err != nil {
		return s, err
	}
	s.Owner = warehouseOf(claim)
	if s.Lease, err = c.rdb.Get(ctx, at.lease()).Result(); errors.Is(err, redis.Nil) {
		err = nil
	}
	return s, err
}

// RegisterContract registers the contract by which a warehouse stores the dataset, and its
// earlier versions, for producers who reach Redis only. Without replace a registered one stays.
func (c *Client) RegisterContract(ctx context.Context, k *contract.Contract, versions []string, replace bool) error {
	command := "HSETNX"
	if replace {
		command = "HSET"
	}
	args := []any{command, k.Name, k.Schema}
	for _, v := range versions {
		args = append(args, v)
	}
	if err := c.eval(ctx, contractScript, []string{contractsKey}, args...).Err(); err != nil {
		return fmt.Errorf("register contract of %s: %w", k.Name, err)
	}
	return nil
}

// Contract looks up the dataset's registered contract, nil if there is none.
func (c *Client) Contract(ctx context.Context, dataset string) (*contract.Contract, error) {
	schema, err := c.rdb.HGet(ctx, contractsKey, dataset).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil //nolint:nilnil // none is a normal reply
	}
	if err != nil {
		return nil, fmt.Errorf("look up contract of %s: %w", dataset, err)
	}
	k, err := contract.Parse(dataset, "the contract registered in Redis", schema)
	if err != nil {
		return nil, fmt.Errorf("read contract of %s, registered in Redis under %s: %w", dataset, contractsKey, err)
	}
	return k, nil
}

// HadVersion reports whether the version is an earlier one of the dataset's contract.
func (c *Client) HadVersion(ctx context.Context, dataset, version string) (bool, error) {
	had, err := c.rdb.HExists(ctx, contractsKey, dataset+"@"+version).Result()
	if err != nil {
		return false, fmt.Errorf("look up contract versions of %s: %w", dataset, err)
	}
	return had, nil
}
