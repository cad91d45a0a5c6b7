package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Flights is a singleflight whose queries take turns in a Queue: concurrent requests for the
// same key share one query. It runs while anybody waits for it, also after the request that
// began it has gone, and each request waits no longer than its own context.
type Flights[A Answer] struct {
	queue *Queue
	// life bounds every query; background counts the running ones.
	life       context.Context //nolint:containedctx // the server's, not a request's
	background *sync.WaitGroup

	mu       sync.Mutex
	inFlight map[string]*flight[A] // by the request's key; only those that can be joined
}

// Answer is a query's result, shared by reference counting.
type Answer interface {
	// Share sets the number of references, each of which must be released; 0 frees the answer.
	Share(clients int)
	// Release drops a reference.
	Release()
}

// NewFlights returns Flights that run queries in turns of the queue. The end of life cancels
// them, and background counts their goroutines.
func NewFlights[A Answer](life context.Context, q *Queue, background *sync.WaitGroup) *Flights[A] {
	return &Flights[A]{queue: q, life: life, background: background, inFlight: map[string]*flight[A]{}}
}

// flight is one query and its waiters.
type flight[A Answer] struct {
	turn   *Ticket
	cancel context.CancelFunc

	waiters  int           // guarded by Flights.mu
	finished bool          // guarded by Flights.mu: answer or err is set
	done     chan struct{} // closed when finished
	answer   A
	err      error
}

// Errors of a query that was cancelled.
var (
	ErrTimeout = errors.New("the query ran into its time limit")
	// ErrStopped is also the error of a query without waiters.
	ErrStopped = errors.New("the query was stopped")
)

// errSharedCancelled marks a failure that is due to the request that began the query, its
// time limit or its turn: those that joined it try again.
var errSharedCancelled = errors.New("shared query was cancelled")

// Do returns the answer for the key: it joins the query in flight, or calls query in a turn
// of the client. The query is cancelled limit after it got its turn, and as soon as nobody waits
// for it. The caller must release the answer. The error is a *BusyError, ErrTimeout,
// ErrStopped, that of ctx, or what query returned.
func (f *Flights[A]) Do(ctx context.Context, client, key string, limit time.Duration, query func(context.Context) (A, error)) (A, error) {
	var none A
	for {
		fl, first, err := f.join(client, key, limit, query) //nolint:contextcheck // the query outlives a waiter
		if err != nil {
			return none, err
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			return none, f.leave(ctx, key, fl)
		}
		if fl.err == nil || first || !errors.Is(fl.err, errSharedCancelled) || ctx.Err() != nil || f.life.Err() != nil {
			return fl.answer, fl.err
		}
	}
}

// join adds a waiter to the key's flight and begins one if there is none.
func (f *Flights[A]) join(client, key string, limit time.Duration, query func(context.Context) (A, error)) (fl *flight[A], first bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl = f.inFlight[key]; fl != nil {
		fl.waiters++
		f.queue.addClient(fl.turn, client)
		return fl, false, nil
	}
	turn, err := f.queue.enqueue(client)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithCancel(f.life)
	fl = &flight[A]{turn: turn, cancel: cancel, waiters: 1, done: make(chan struct{})}
	f.inFlight[key] = fl
	f.background.Go(func() {
		defer cancel()
		answer, err := f.run(ctx, turn, limit, query)
		f.finish(key, fl, answer, err)
	})
	return fl, true, nil
}

// run waits for the turn and runs the query with its time limit.
func (f *Flights[A]) run(ctx context.Context, turn *Ticket, limit time.Duration, query func(context.Context) (A, error)) (answer A, err error) {
	if err := f.queue.wait(ctx, turn); err != nil {
		return answer, errors.Join(err, errSharedCancelled)
	}
	defer f.queue.Release(turn)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err = runRecovered(ctx, query)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = errors.Join(ErrTimeout, err, errSharedCancelled)
	case err != nil && ctx.Err() != nil:
		err = errors.Join(ErrStopped, err, errSharedCancelled)
	}
	return answer, err
}

// runRecovered turns a panic into an error: nothing else recovers in the query's goroutine.
func runRecovered[A Answer](ctx context.Context, query func(context.Context) (A, error)) (answer A, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return query(ctx)
}

// finish hands the answer to the waiters, a reference each.
func (f *Flights[A]) finish(key string, fl *flight[A], answer A, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.inFlight[key] == fl {
		delete(f.inFlight, key)
	}
	fl.answer, fl.err, fl.finished = answer, err, true
	if err == nil {
		answer.Share(fl.waiters)
	}
	close(fl.done)
}

// leave removes a waiter whose ctx ended and returns why. The last one cancels the query.
func (f *Flights[A]) leave(ctx context.Context, key string, fl *flight[A]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.waiters--
	switch {
	case fl.finished && fl.err == nil:
		fl.answer.Release()
	case !fl.finished && fl.waiters == 0:
		fl.cancel()
		delete(f.inFlight, key) // the next request begins another
	}
	if !f.queue.granted(fl.turn) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return waitTimeout(ctx.Err())
	}
	return ctx.Err()
}
