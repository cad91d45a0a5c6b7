package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/stream"
)

// How long a wait for the warehouse goes on in vain, and how often it looks.
const (
	storedEvery = 50 * time.Millisecond
	// nobodyStores is how long a shard may be without a worker: one that follows another, or
	// takes over from one that was killed, is there by then.
	nobodyStores = 10 * time.Second
	// nothingMoves is how long a worker may store nothing: MotherDuck's commits are seconds apart.
	nothingMoves = time.Minute
)

// storing is the wait for what was published.
type storing struct {
	*publisher
	client *stream.Client
	// left is how many entries were not stored at the last look; moved is when it had changed,
	// owned when every shard had a worker.
	left         int64
	moved, owned time.Time
	next         time.Time // a line of progress
}

// awaitStored waits until the warehouse has taken in all that was published.
func (p *publisher) awaitStored(ctx context.Context, client *stream.Client) error {
	now := time.Now()
	w := &storing{publisher: p, client: client, left: -1, moved: now, owned: now, next: now.Add(pipeEvery)}
	for {
		done, err := w.look(ctx)
		if err == nil && done {
			say(p.report, "publish %s: the warehouse has all of it, after %s", p.dataset.Name, time.Since(p.progress.begun).Round(time.Millisecond))
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-time.After(storedEvery):
		case <-ctx.Done():
			return fmt.Errorf("interrupted: all is in Redis, %d entries of its streams were not stored yet", max(w.left, 0))
		}
	}
}

// look reports whether all is stored, or why it won't be.
func (w *storing) look(ctx context.Context) (bool, error) {
	all, err := w.client.Lags(ctx, w.dataset.Name, w.dataset.Shards)
	if err != nil {
		if time.Since(w.moved) < nobodyStores {
			return false, nil // a server that restarts is there again by then
		}
		return false, fmt.Errorf("wait until all is stored: %w", err)
	}
	left, lone := int64(0), -1
	for shard, b := range all {
		if b.Stored.Last.Compare(w.producer.Last(shard)) >= 0 {
			continue
		}
		left += max(b.Entries, 1)
		if b.Lease == "" {
			lone = shard
		}
	}
	now := time.Now()
	if lone < 0 {
		w.owned = now
	}
	if left != w.left {
		w.left, w.moved = left, now
	}
	if left > 0 && now.After(w.next) {
		w.next = now.Add(pipeEvery)
		say(w.report, "publish %s: all is in Redis; %d entries of its streams are not stored yet", w.dataset.Name, left)
	}
	return left == 0, w.inVain(now, lone)
}

func (w *storing) inVain(now time.Time, lone int) error {
	switch {
	case now.Sub(w.owned) > nobodyStores:
		return fmt.Errorf("all is in Redis and nothing stores it: no worker carries shard %d of %s. Start 'estela up' or 'estela worker'; "+
			"'estela doctor' says more", lone, w.dataset.Name)
	case now.Sub(w.moved) > nothingMoves:
		return errors.New("all is in Redis, and the worker has stored nothing for a minute: 'estela doctor' says why")
	}
	return nil
}
