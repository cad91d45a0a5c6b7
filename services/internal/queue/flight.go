package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Flights lets those who ask for the same at the same time share one query. It belongs to
// none of them: it runs while anybody waits for it, whoever began it, and each waits as
// long as its own time.
type Flights[A Answer] struct {
	queue *Queue
	// life bounds every query; running counts those that run.
	life    context.Context //nolint:containedctx // the server's, not a request's
	running *sync.WaitGroup

	mu  sync.Mutex
	all map[string]*flight[A] // by the request's key; only those that may be joined
}

// Answer is what a query gives to those who wait for it.
type Answer interface {
	// Share gives a number of clients a part in the answer, each of which it must release;
	// for none it is dropped.
	Share(clients int)
	// Release ends a part in it.
	Release()
}

// NewFlights lets queries have the queue's turns. Each ends with life, and running counts it.
func NewFlights[A Answer](life context.Context, q *Queue, running *sync.WaitGroup) *Flights[A] {
	return &Flights[A]{queue: q, life: life, running: running, all: map[string]*flight[A]{}}
}

// flight is one query and those who wait for its answer.
type flight[A Answer] struct {
	turn   *Ticket
	cancel context.CancelFunc

	waiting int           // guarded by Flights.mu
	over    bool          // guarded by Flights.mu: the answer is there
	done    chan struct{} // closed then
	answer  A
	err     error
}

// Why a query ended before it had an answer.
var (
	ErrTimeout = errors.New("the query ran into its time limit")
	// ErrStopped is also that of a query that nobody waits for any more.
	ErrStopped = errors.New("the query was stopped")
)

// errNotOurs is a failure that does not concern those who joined the query: the time
// or the turn of the one who began it.
var errNotOurs = errors.New("another request's query was given up")

// Do gets the answer of the key, by run in a turn of the client's or by one that runs
// already, until ctx ends. The query is cancelled limit after it got its turn, and as soon
// as nobody waits. The caller has a part in the answer and must release it. The error is a
// *BusyError, one of ErrTimeout and ErrStopped, that of ctx, or what run returned.
func (f *Flights[A]) Do(ctx context.Context, client, key string, limit time.Duration, run func(context.Context) (A, error)) (A, error) {
	var none A
	for {
		fl, first, err := f.join(client, key, limit, run) //nolint:contextcheck // the query is none's who waits
		if err != nil {
			return none, err
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			return none, f.leave(ctx, key, fl)
		}
		if fl.err == nil || first || !errors.Is(fl.err, errNotOurs) || ctx.Err() != nil || f.life.Err() != nil {
			return fl.answer, fl.err
		}
	}
}

// join takes part in the flight of the key, and begins it if there is none.
func (f *Flights[A]) join(client, key string, limit time.Duration, run func(context.Context) (A, error)) (fl *flight[A], first bool, err error) {
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
	fl = &flight[A]{turn: turn, cancel: cancel, waiting: 1, done: make(chan struct{})}
	f.all[key] = fl
	f.running.Go(func() {
		defer cancel()
		answer, err := f.fly(ctx, turn, limit, run)
		f.land(key, fl, answer, err)
	})
	return fl, true, nil
}

// fly waits for the turn and runs the query in it.
func (f *Flights[A]) fly(ctx context.Context, turn *Ticket, limit time.Duration, run func(context.Context) (A, error)) (answer A, err error) {
	if err := f.queue.wait(ctx, turn); err != nil {
		return answer, errors.Join(err, errNotOurs)
	}
	defer f.queue.Release(turn)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err = caught(ctx, run)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = errors.Join(ErrTimeout, err, errNotOurs)
	case err != nil && ctx.Err() != nil:
		err = errors.Join(ErrStopped, err, errNotOurs)
	}
	return answer, err
}

// caught runs the query; a panic becomes an error, for it runs in a goroutine of its own.
func caught[A Answer](ctx context.Context, run func(context.Context) (A, error)) (answer A, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run(ctx)
}

// land gives the answer to those who wait, each a part in it; without them it is dropped.
func (f *Flights[A]) land(key string, fl *flight[A], answer A, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all[key] == fl {
		delete(f.all, key)
	}
	fl.answer, fl.err, fl.over = answer, err, true
	if err == nil {
		answer.Share(fl.waiting)
	}
	close(fl.done)
}

// leave stops waiting, and the query if that was the last; the error is why.
func (f *Flights[A]) leave(ctx context.Context, key string, fl *flight[A]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.waiting--
	switch {
	case fl.over && fl.err == nil:
		fl.answer.Release()
	case !fl.over && fl.waiting == 0:
		fl.cancel()
		delete(f.all, key) // who comes now begins another
	}
	if !f.queue.granted(fl.turn) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return timedOut(ctx.Err())
	}
	return ctx.Err()
}
