package api

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// flights lets those who ask for the same at the same time share one query. It belongs to
// none of them: it runs while anybody waits for it, whoever began it, and each waits as
// long as its own time.
type flights struct {
	queue *queue
	// life bounds every query; behind counts those that run.
	life   context.Context //nolint:containedctx // the server's, not a request's
	behind *sync.WaitGroup

	mu  sync.Mutex
	all map[string]*flight // by the request's key; only those that may be joined
}

// flight is one query and those who wait for its answer.
type flight struct {
	turn   *ticket
	cancel context.CancelFunc

	waiting int           // guarded by flights.mu
	over    bool          // guarded by flights.mu: the answer is there
	done    chan struct{} // closed then
	e       *entry
	err     error
}

// errNotOurs is why an answer failed that says nothing about those who joined it: the time
// or the place of the one who began it.
var errNotOurs = errors.New("another request's query was given up")

// do gets the answer of the key, by run in a turn of the client's or by one that runs
// already, until ctx ends. The query is cancelled limit after it got its turn, and as soon
// as nobody waits. The caller has a part in the answer and must give it back.
func (f *flights) do(ctx context.Context, client, key string, limit time.Duration, run func(context.Context) (*entry, error)) (*entry, error) {
	for {
		fl, first, err := f.join(client, key, limit, run) //nolint:contextcheck // the query is none's who waits
		if err != nil {
			return nil, err
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			return nil, f.leave(ctx, key, fl)
		}
		if fl.err == nil || first || !errors.Is(fl.err, errNotOurs) || ctx.Err() != nil || f.life.Err() != nil {
			return fl.e, fl.err
		}
	}
}

// join takes part in the flight of the key, and begins it if there is none.
func (f *flights) join(client, key string, limit time.Duration, run func(context.Context) (*entry, error)) (fl *flight, first bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl = f.all[key]; fl != nil {
		fl.waiting++
		f.queue.also(fl.turn, client)
		return fl, false, nil
	}
	turn, err := f.queue.ask(client)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithCancel(f.life)
	fl = &flight{turn: turn, cancel: cancel, waiting: 1, done: make(chan struct{})}
	f.all[key] = fl
	f.behind.Go(func() {
		defer cancel()
		e, err := f.fly(ctx, turn, limit, run)
		f.land(key, fl, e, err)
	})
	return fl, true, nil
}

// fly waits for the turn and runs the query in it.
func (f *flights) fly(ctx context.Context, turn *ticket, limit time.Duration, run func(context.Context) (*entry, error)) (*entry, error) {
	if err := f.queue.wait(ctx, turn); err != nil {
		return nil, errors.Join(err, errNotOurs)
	}
	defer f.queue.leave(turn)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	e, err := caught(ctx, run)
	if err != nil && ctx.Err() != nil {
		return nil, errors.Join(failed(ctx, err), errNotOurs)
	}
	return e, err
}

// caught runs the query; a panic becomes an error, for it runs in a goroutine of its own.
func caught(ctx context.Context, run func(context.Context) (*entry, error)) (e *entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run(ctx)
}

// land gives the answer to those who wait, each a part in it; without them it is dropped.
func (f *flights) land(key string, fl *flight, e *entry, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[key] == fl {
		delete(f.all, key)
	}
	fl.e, fl.err, fl.over = e, err, true
	if e != nil {
		e.share(fl.waiting)
	}
	close(fl.done)
}

// leave stops waiting, and the query if that was the last; the error says what for.
func (f *flights) leave(ctx context.Context, key string, fl *flight) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.waiting--
	switch {
	case fl.over && fl.e != nil:
		fl.e.release()
	case !fl.over && fl.waiting == 0:
		fl.cancel()
		delete(f.all, key) // who comes now begins another
	}
	if !f.queue.granted(fl.turn) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return waitedInVain(ctx.Err())
	}
	return ctx.Err()
}
