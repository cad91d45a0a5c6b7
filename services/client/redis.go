package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

// RedisConfig configures the connection to Redis.
type RedisConfig struct {
	// URL is redis://, rediss:// (TLS) or unix://, with user, password and database where needed.
	URL string

	// CA are the certificates, in PEM, of which one must have signed that of a rediss:// server.
	//
	// Default: the system's.
	CA []byte

	// Login returns the user and the password for each new connection, where they change: a token that expires.
	//
	// Default: those of the URL.
	Login func(ctx context.Context) (user, password string, err error)
}

// Redis publishes to the streams of a pipeline itself, beside the API. It is safe for concurrent use.
type Redis struct {
	client   *stream.Client
	appender *stream.Appender
	watcher  *stream.StoredWatcher
	cancel   context.CancelFunc
	watching sync.WaitGroup
}

// OpenRedis connects to Redis. It refuses a server that would lose events silently.
func OpenRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	client, err := stream.Open(ctx, stream.Config{URL: cfg.URL, CA: cfg.CA, Login: cfg.Login})
	if err != nil {
		return nil, err
	}
	if err := client.Check(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	r := &Redis{client: client, appender: client.Appender(), watcher: client.StoredWatcher()}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.watching.Go(func() { r.watcher.Run(ctx) })
	return r, nil
}

// Close closes the connections. Close the publishers first.
func (r *Redis) Close() error {
	r.cancel()
	r.watching.Wait()
	r.appender.Close()
	return r.client.Close()
}

// Publisher publishes events to a dataset's streams. It runs until Close, or until ctx ends. The events are checked here, by
// the contract that the dataset's workers have registered in Redis.
func (r *Redis) Publisher(ctx context.Context, dataset string, cfg PublisherConfig) (*Publisher, error) {
	t := &streams{redis: r, dataset: dataset, cfg: cfg.withDefaults()}
	if _, err := t.refresh(ctx); err != nil {
		return nil, fmt.Errorf("publish to %s: %w", dataset, err)
	}
	return newPublisher(ctx, t.cfg, func(events [][]byte) func(context.Context) error {
		b := &additions{streams: t, key: rand.Text(), events: events}
		return b.send
	}), nil
}

// streams are where a dataset's events go. They belong to the publisher's sender.
type streams struct {
	redis    *Redis
	dataset  string
	cfg      PublisherConfig
	contract *contract.Contract
	decoder  *contract.Decoder
	row      *contract.Batch
}

// refresh looks the contract up and reports whether it is another one.
func (s *streams) refresh(ctx context.Context) (changed bool, err error) {
	k, err := s.redis.client.Contract(ctx, s.dataset)
	switch {
	case err != nil:
		return false, err
	case k == nil:
		return false, errors.New("no worker has stored this dataset from this Redis: check the name, or start 'estela up' or 'estela worker' first")
	case !stream.CanPublish(k):
		return false, fmt.Errorf("the entries of its stream %q have a field for each property, and only that stream's own producers write them", k.Stream.Key)
	case s.contract != nil && s.contract.Version == k.Version:
		return false, nil
	}
	s.contract, s.decoder, s.row = k, k.NewDecoder(), k.NewBatch(0, 1)
	return true, nil
}

// check checks the events and returns the shard of each, and what is wrong with the invalid ones.
func (s *streams) check(events [][]byte) (shards []int, invalid invalidEventsError) {
	invalid = invalidEventsError{}
	for i, doc := range events {
		s.row.Reset()
		if s.decoder.Decode(s.row, doc, event.ID{}, 0) {
			shards = append(shards, event.Shard(s.row.PartitionString(0), s.contract.Shards))
			continue
		}
		// A reject has no place among the events of a partition, and may have none.
		shards = append(shards, event.Shard(string(doc), s.contract.Shards))
		for _, v := range s.row.Rejects[0].Violations {
			invalid.add(i, Violation{Pointer: v.Pointer, Keyword: v.Keyword, Detail: v.Message})
		}
	}
	return shards, invalid
}

// additions are the entries of a batch. Those that were added are not added again: beside each stream is a record of
// how many events the batch's key has added to it.
type additions struct {
	*streams

	key     string
	events  [][]byte
	server  string            // of before the first of them was added
	entries [][]event.Payload // by shard, those that are left; nil until the events are checked
	added   []event.Range     // by shard
}

// send adds what is left to the streams.
func (a *additions) send(ctx context.Context) error {
	if a.entries == nil {
		if err := a.pack(ctx); err != nil {
			return redisError(err)
		}
		if a.cfg.Stored {
			var err error
			if a.server, err = a.redis.watcher.Server(ctx); err != nil {
				a.entries = nil
				return redisError(err)
			}
		}
	}
	for {
		left := a.left()
		if len(left) == 0 {
			return a.await(ctx)
		}
		if err := a.append(ctx, left); err != nil {
			return redisError(err)
		}
		for _, one := range left {
			a.record(one)
		}
	}
}

// pack checks the events and makes entries of them. Invalid ones may be valid by a newer contract.
func (a *additions) pack(ctx context.Context) error {
	shards, invalid := a.check(a.events)
	if len(invalid) > 0 {
		changed, err := a.refresh(ctx)
		if err != nil {
			return err
		}
		if changed {
			shards, invalid = a.check(a.events)
		}
	}
	if len(invalid) > 0 && !a.cfg.KeepInvalid {
		return invalid
	}
	a.entries, a.added = make([][]event.Payload, a.contract.Shards), make([]event.Range, a.contract.Shards)
	for i, doc := range a.events {
		to := &a.entries[shards[i]]
		*to = a.extend(*to, doc)
	}
	return nil
}

// extend adds an event to the last entry, or in a new one.
func (a *additions) extend(entries []event.Payload, doc []byte) []event.Payload {
	const maxEvents, maxBytes = 1000, 256 << 10 // as POST packs them
	if a.contract.Stream.EventField() != "" {
		return append(entries, event.Payload{Kind: event.Single, Events: 1, Data: doc})
	}
	if n := len(entries); n == 0 || entries[n-1].Events == maxEvents || len(entries[n-1].Data) >= maxBytes {
		entries = append(entries, event.Payload{Kind: event.Lines})
	}
	last := &entries[len(entries)-1]
	last.Events++
	last.Data = append(append(last.Data, doc...), '\n')
	return entries
}

// left are the additions that are still to be made.
func (a *additions) left() (left []event.Addition) {
	for shard, entries := range a.entries {
		if len(entries) > 0 {
			once := &event.Request{Key: a.key, Body: a.key, Before: a.added[shard].Events}
			left = append(left, event.Addition{Shard: shard, Entries: entries, Once: once})
		}
	}
	return left
}

// append makes the additions. If ctx ends first, whether they were made is not known.
func (a *additions) append(ctx context.Context, left []event.Addition) error {
	done := make(chan error, 1)
	go func() { done <- a.redis.appender.Append(a.contract, left) }() //nolint:contextcheck // it has none, and ends within seconds
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// record drops the entries that the stream has.
func (a *additions) record(done event.Addition) {
	entries, missing := a.entries[done.Shard], done.Added.Events-a.added[done.Shard].Events
	for ; len(entries) > 0 && missing >= entries[0].Events; entries = entries[1:] {
		missing -= entries[0].Events
	}
	a.entries[done.Shard], a.added[done.Shard] = entries, done.Added
}

// await waits until the warehouse has stored the batch, if that is asked for.
func (a *additions) await(ctx context.Context) error {
	for shard, added := range a.added {
		if !a.cfg.Stored || added.Events == 0 {
			continue
		}
		_, err := a.redis.watcher.Await(ctx, a.server, a.contract, shard, added.Last)
		if errors.Is(err, stream.ErrOtherServer) {
			a.entries = nil // all over again, of which the record knows what is there
			return redisError(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// redisError marks the errors that a retry may not meet again.
func redisError(err error) error {
	if _, ok := errors.AsType[invalidEventsError](err); ok || !stream.IsTransient(err) {
		return err
	}
	return &transientError{error: err}
}
