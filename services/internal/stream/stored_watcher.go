package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// watchEvery is how often stored positions are read while somebody waits for one.
const watchEvery = 5 * time.Millisecond

// ErrOtherServer is returned for an entry of a server that has restarted since, or whose place another has taken: it may
// have been lost, and a position above its ID be that of later entries.
var ErrOtherServer = errors.New("the server restarted before the entry was stored, so it may be lost")

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
	server   string   // its run ID, at the last look
	waiting  map[*storedWaiter]struct{}
}

type storedWaiter struct {
	id     event.ID
	server string
	stored chan event.ID // receives the position; closed if the server is another one
}

// StoredWatcher makes a watcher; Run runs it.
func (c *Client) StoredWatcher() *StoredWatcher {
	return &StoredWatcher{client: c, wake: make(chan struct{}, 1), shards: map[string]*storedWaiters{}}
}

// Server returns what names the server until it restarts or another takes its place. Ask before an entry is added that
// Await is to wait for.
func (w *StoredWatcher) Server(ctx context.Context) (string, error) {
	return w.client.currentRunID(ctx)
}

// Await returns the stored position of the shard once it is the entry's or above. It fails with ErrOtherServer, or
// the error of ctx.
func (w *StoredWatcher) Await(ctx context.Context, server string, k *contract.Contract, shard int, id event.ID) (event.ID, error) {
	key := addressOf(k, shard).stored()
	one := &storedWaiter{id: id, server: server, stored: make(chan event.ID, 1)}
	w.add(key, one)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	select {
	case at, ok := <-one.stored:
		if !ok {
			return event.ID{}, ErrOtherServer
		}
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
	w.shards[key].server = "" // the next look looks at all
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
	pipe := w.client.rdb.Pipeline() // one connection, so one server
	info := pipe.Info(ctx, "server")
	replies := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		replies[i] = pipe.HGet(ctx, key, "last")
	}
	_, _ = pipe.Exec(ctx) // each reply has its own error
	server := parseInfo(info.Val())["run_id"]
	if server == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, key := range keys {
		at, err := event.ParseID(replies[i].Val()) // without a report nothing is stored yet
		if err != nil {
			at = event.ID{}
		}
		w.shards[key].reached(server, at)
	}
}

// reached tells those who wait for the position of the server or one below it, and those of another server.
func (s *storedWaiters) reached(server string, at event.ID) {
	if at == s.position && server == s.server {
		return
	}
	s.position, s.server = at, server
	for one := range s.waiting {
		switch {
		case one.server != server:
			close(one.stored)
		case one.id.Compare(at) <= 0:
			one.stored <- at
		default:
			continue
		}
		delete(s.waiting, one)
	}
}
