package intake

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// storedPoll is how often the lag is polled.
	storedPoll = 50 * time.Millisecond
	// noWorkerTimeout is how long a shard may be without an owner: longer than a takeover.
	noWorkerTimeout = 10 * time.Second
	// redisTimeout is how long Redis may be unreachable: longer than a restart.
	redisTimeout = 10 * time.Second
	// stallTimeout is how long a worker may store nothing: MotherDuck's commits are seconds apart.
	stallTimeout = time.Minute
)

// storedWait is a wait until all that was published is stored.
type storedWait struct {
	publisher *Publisher
	// left is how many entries were not stored at the last poll; moved is when it last changed,
	// owned when every shard last had a worker.
	left         int64
	moved, owned time.Time
	next         time.Time // a line of progress
}

// AwaitStored waits until the warehouse has stored all published events.
func (p *Publisher) AwaitStored(ctx context.Context) error {
	now, check := time.Now(), p.check
	w := &storedWait{publisher: p, left: -1, moved: now, owned: now, next: now.Add(pipeEvery)}
	for {
		done, err := w.poll(ctx)
		if err == nil && done {
			say(check.Report, "publish %s: the warehouse has all of it, after %s", check.Dataset.Name, time.Since(check.Progress.begun).Round(time.Millisecond))
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-time.After(storedPoll):
		case <-ctx.Done():
			return fmt.Errorf("interrupted: all is in Redis, %d entries of its streams were not stored yet", max(w.left, 0))
		}
	}
}

// poll reports whether all is stored. It fails if that is not to be expected any more.
func (w *storedWait) poll(ctx context.Context) (bool, error) {
	d := w.publisher.check.Dataset
	all, err := w.publisher.client.Lags(ctx, d.Contract)
	if err != nil {
		if time.Since(w.moved) < redisTimeout {
			return false, nil
		}
		return false, fmt.Errorf("wait until all is stored: %w", err)
	}
	left, unowned := int64(0), -1
	for shard, b := range all {
		if b.Stored.Last.Compare(w.publisher.producer.Last(shard)) >= 0 {
			continue
		}
		left += max(b.Entries, 1)
		if b.Lease == "" {
			unowned = shard
		}
	}
	now := time.Now()
	if unowned < 0 {
		w.owned = now
	}
	if left != w.left {
		w.left, w.moved = left, now
	}
	if left > 0 && now.After(w.next) {
		w.next = now.Add(pipeEvery)
		say(w.publisher.check.Report, "publish %s: all is in Redis; %d entries of its streams are not stored yet", d.Name, left)
	}
	return left == 0, w.checkProgress(now, unowned)
}

// checkProgress fails if a shard (unowned) is without a worker or nothing was stored for too long.
func (w *storedWait) checkProgress(now time.Time, unowned int) error {
	switch {
	case now.Sub(w.owned) > noWorkerTimeout:
		return fmt.Errorf("all is in Redis, and not stored: no worker reads shard %d of %s. Start 'estela up' or 'estela worker'; "+
			"see 'estela doctor'", unowned, w.publisher.check.Dataset.Name)
	case now.Sub(w.moved) > stallTimeout:
		return errors.New("all is in Redis, and the worker has stored nothing for a minute: see 'estela doctor'")
	}
	return nil
}
