package stream

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// watchEvery is how often stored positions are read while somebody waits for one.
const watchEvery = 5 * time.Millisecond

// StoredWatcher waits for the positions that workers report in Redis ([Shard.PublishPosition]). However many
// wait, one goroutine reads the positions. It is safe for concurrent use.
type StoredWatcher struct {
	client *Client
	wake   chan struct{}

	mu     sync.Mutex
	shards map[string]*storedWaiters // by the key of the report
}

// storedWaiters are those who wait for one shard.
type storedWaiters struct {
	position event.ID // at the last look
	waiting  map[*storedWaiter]struct{}
}

type storedWaiter struct {
	id     event.ID
	stored chan event.ID // receives the position
}

// StoredWatcher makes a watcher; Run runs it.
func (c *Client) StoredWatcher() *StoredWatcher {
	return &StoredWatcher{client: c, wake: make(chan struct{}, 1), shards: map[string]*storedWaiters{}}
}

// Await returns the stored position of the shard once it is the entry's or above, or the error of ctx.
func (w *StoredWatcher) Await(ctx context.Context, k *contract.Contract, shard int, id event.ID) (event.ID, error) {
	key := addressOf(k, shard).stored()
	one := &storedWaiter{id: id, stored: make(chan event.ID, 1)}
	w.add(key, one)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	select {
	case at := <-one.stored:
		return at, nil
	case <-ctx.Done():
		w.remove(key, one)
		return event.ID{}, ctx.Err()
	}
}

func (w *StoredWatcher) add(key string, one *storedWaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shards[key] == nil {
		w.shards[key] = &storedWaiters{waiting: map[*storedWaiter]struct{}{}}
	}
	w.shards[key].waiting[one] = struct{}{}
	w.shards[key].position = event.ID{} // the next look looks at all
}

func (w *StoredWatcher) remove(key string, one *storedWaiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.shards[key]; s != nil {
		delete(s.waiting, one)
	}
}

// Run reads the positions until ctx ends. While nobody waits it does nothing.
func (w *StoredWatcher) Run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		keys := w.keys()
		if len(keys) == 0 {
			select {
			case <-w.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		w.look(ctx, keys)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// keys are those of the shards that somebody waits for.
func (w *StoredWatcher) keys() (keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, s := range w.shards {
		if len(s.waiting) == 0 {
			delete(w.shards, key)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

// look reads the positions and tells those whose entries are stored. A position that can't be read is read
// again at the next look.
func (w *StoredWatcher) look(ctx context.Context, keys []string) {
	pipe := w.client.rdb.Pipeline()
	replies := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		replies[i] = pipe.HGet(ctx, key, "last")
	}
	_, _ = pipe.Exec(ctx) // each reply has its own error
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, key := range keys {
		text, err := replies[i].Result()
		if err != nil {
			continue
		}
		if at, err := event.ParseID(text); err == nil {
			w.shards[key].reached(at)
		}
	}
}

// reached tells those who wait for the position or one below it.
func (s *storedWaiters) reached(at event.ID) {
	if at == s.position {
		return
	}
	s.position = at
	for one := range s.waiting {
		if one.id.Compare(at) <= 0 {
			one.stored <- at
			delete(s.waiting, one)
		}
	}
}
