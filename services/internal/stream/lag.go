package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Lag is how far the stored position of a shard is behind its stream, by the report of the
// worker that owns it. It is for producers and operators, who may reach Redis only: the position
// that workers resume from is in the warehouse.
type Lag struct {
	event.StreamState

	Shard int
	// Stored is the position up to which all of the stream is stored; zero if none was reported.
	Stored event.Position
	// Reported is true if a worker has reported it.
	Reported bool
	// Entries is the lag in entries: those above Stored.
	Entries int64
	// Lease is the token of the worker that owns the shard, "" without one.
	Lease string
}

// PublishPosition writes the stored position and the total of stored events. Without the lease
// it writes nothing. It may be called while another goroutine uses the reader.
func (s *Shard) PublishPosition(ctx context.Context, at event.Position) error {
	err := s.client.eval(ctx, storedScript, []string{s.at.lease(), s.at.stored()},
		s.token, at.Last.String(), at.Added, at.Rows+at.Duplicates).Err()
	if err != nil {
		return fmt.Errorf("publish position of %s: %w", s.key, err)
	}
	return nil
}

// Lags returns the lag of each of a dataset's shards, in order.
func (c *Client) Lags(ctx context.Context, k *contract.Contract) ([]Lag, error) {
	all := make([]Lag, k.Shards)
	for shard := range all {
		l, err := c.lag(ctx, addressOf(k, shard))
		if err != nil {
			return nil, err
		}
		l.Shard, all[shard] = shard, l
	}
	return all, nil
}

func (c *Client) lag(ctx context.Context, at address) (l Lag, err error) {
	pipe := c.rdb.Pipeline()
	info := pipe.Do(ctx, "XINFO", "STREAM", at.stream)
	reported := pipe.HMGet(ctx, at.stored(), "last", "added", "stored", "at")
	lease := pipe.Get(ctx, at.lease())
	_, _ = pipe.Exec(ctx) // each reply has its own error
	if l.StreamState, err = parseStream(info); err == nil {
		err = l.setStored(reported)
	}
	if err != nil {
		return l, fmt.Errorf("look up lag of %s: %w", at.stream, err)
	}
	if l.Lease, err = lease.Result(); err != nil && !errors.Is(err, redis.Nil) {
		return l, fmt.Errorf("look up lease of %s: %w", at.stream, err)
	}
	l.Entries = l.Length
	if l.Reported {
		l.Entries = l.Unstored(l.Stored)
	}
	return l, nil
}

// setStored reads a report; an incomplete one is ignored.
func (l *Lag) setStored(answer *redis.SliceCmd) error {
	fields, err := answer.Result()
	if err != nil {
		return err
	}
	var numbers [3]int64
	for i := range numbers {
		text, _ := fields[i+1].(string)
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil //nolint:nilerr // there is none, or a worker didn't write it
		}
	}
	l.Reported = true
	l.Stored.Added, l.Stored.Rows, l.Stored.CommittedAt = numbers[0], numbers[1], time.UnixMilli(numbers[2])
	return setID(&l.Stored.Last, fields[0])
}

// Promised reports whether a registered contract is in use: a worker owns a shard of it, or an
// event was stored. Where no worker has reported, it is.
func (c *Client) Promised(ctx context.Context, k *contract.Contract) (bool, error) {
	all, err := c.Lags(ctx, k)
	for _, l := range all {
		if !l.Reported || l.Stored.Rows > 0 || l.Lease != "" {
			return true, nil
		}
	}
	return false, err
}
