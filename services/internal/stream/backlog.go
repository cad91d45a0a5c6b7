package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
)

// Backlog is how far a shard is stored, as the worker that carries it has noted in Redis. It is
// for producers and operators, who may reach Redis only: the position that counts lies in the
// warehouse.
type Backlog struct {
	contract.StreamState

	Shard int
	// Stored is up to where all of the stream is stored, and its count; zero if nobody has
	// noted it.
	Stored contract.Position
	// Noted says that a worker has.
	Noted bool
	// Entries is how many are above Stored.
	Entries int64
	// Lease is the token of the worker that carries the shard, "" without one.
	Lease string
}

func storedKey(stream string) string { return stream + ":stored" }

// NoteStored notes how far the shard is stored and how much ever was. Without the lease nothing
// is noted. It may be called while another goroutine uses the reader.
func (s *Shard) NoteStored(ctx context.Context, at contract.Position) error {
	err := s.client.eval(ctx, storedScript, []string{s.leaseKey(), storedKey(s.key)},
		s.token, at.Last.String(), at.Added, at.Rows+at.Duplicates).Err()
	if err != nil {
		return fmt.Errorf("note how far %s is stored: %w", s.key, err)
	}
	return nil
}

// Backlogs are those of a dataset's shards, in order.
func (c *Client) Backlogs(ctx context.Context, dataset string, shards int) ([]Backlog, error) {
	all := make([]Backlog, shards)
	for shard := range all {
		b, err := c.backlog(ctx, Key(dataset, shard))
		if err != nil {
			return nil, err
		}
		b.Shard, all[shard] = shard, b
	}
	return all, nil
}

func (c *Client) backlog(ctx context.Context, key string) (b Backlog, err error) {
	pipe := c.rdb.Pipeline()
	info := pipe.Do(ctx, "XINFO", "STREAM", key)
	noted := pipe.HMGet(ctx, storedKey(key), "last", "added", "stored", "at")
	lease := pipe.Get(ctx, leaseKey(key))
	_, _ = pipe.Exec(ctx) // each answer has its own error
	if b.StreamState, err = c.parseStream(info); err == nil {
		err = b.setStored(noted)
	}
	if err != nil {
		return b, fmt.Errorf("ask how far %s is stored: %w", key, err)
	}
	if b.Newest.IsZero() && b.Length > 0 {
		b.Newest = b.Last // where XINFO does not tell
	}
	if b.Lease, err = lease.Result(); err != nil && !errors.Is(err, redis.Nil) {
		return b, fmt.Errorf("ask for the lease of %s: %w", key, err)
	}
	b.Entries = b.Length
	if b.Noted {
		b.Entries = b.Unstored(b.Stored)
	}
	return b, nil
}

// setStored reads a note; one that is not complete is none.
func (b *Backlog) setStored(answer *redis.SliceCmd) error {
	fields, err := answer.Result()
	if err != nil {
		return err
	}
	var numbers [3]int64
	for i := range numbers {
		text, _ := fields[i+1].(string)
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil //nolint:nilerr // nobody, or not we, wrote it
		}
	}
	b.Noted = true
	b.Stored.Added, b.Stored.Rows, b.Stored.CommittedAt = numbers[0], numbers[1], time.UnixMilli(numbers[2])
	return setID(&b.Stored.Last, fields[0])
}

// Promised reports whether a contract that is noted binds anybody: a worker carries a shard of
// it, or an event was stored. Where no worker has noted that, it does.
func (c *Client) Promised(ctx context.Context, k *contract.Contract) (bool, error) {
	all, err := c.Backlogs(ctx, k.Name, k.Shards)
	for _, b := range all {
		if !b.Noted || b.Stored.Rows > 0 || b.Lease != "" {
			return true, nil
		}
	}
	return false, err
}
