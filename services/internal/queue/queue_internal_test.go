package queue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// asks enqueues n tickets of the client.
func asks(t *testing.T, q *Queue, client string, n int) (all []*Ticket) {
	t.Helper()
	for range n {
		one, err := q.enqueue(client)
		if err != nil {
			t.Fatalf("%s: %v", client, err)
		}
		all = append(all, one)
	}
	return all
}

func count(q *Queue, all []*Ticket) (n int) {
	for _, one := range all {
		if q.granted(one) {
			n++
		}
	}
	return n
}

func TestQueueGoesRound(t *testing.T) {
	t.Parallel()
	q := New(4, 64)
	a := asks(t, q, "a", 10)
	if n := count(q, a); n != 3 {
		t.Fatalf("one client holds %d of 4 turns", n)
	}
	b := asks(t, q, "b", 1)
	c := asks(t, q, "c", 2)
	if !q.granted(b[0]) || count(q, c) != 0 {
		t.Fatal("the last turn was not the next client's")
	}
	q.Release(a[0]) // three clients: now a's turn again or c's, but a holds fewer than its share
	q.Release(a[1])
	if count(q, c) != 1 || count(q, a) != 4 {
		t.Fatalf("c got %d turns, a %d", count(q, c), count(q, a))
	}
}

func TestQueueOfOneTurn(t *testing.T) {
	t.Parallel()
	q := New(1, 8)
	a := asks(t, q, "a", 3)
	b := asks(t, q, "b", 1)
	q.Release(a[0])
	if count(q, a) != 2 || q.granted(b[0]) {
		t.Error("who came first is not next")
	}
	q.Release(a[1])
	if !q.granted(b[0]) {
		t.Error("b's turn did not come")
	}
}

// In a full queue the client with the most tickets loses one to a client with fewer.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	q := New(2, 4)
	a := asks(t, q, "a", 3) // one runs
	if _, err := q.enqueue("a"); !errors.As(err, new(*BusyError)) {
		t.Errorf("a has three in line: %v", err)
	}
	asks(t, q, "b", 3) // one runs
	c := asks(t, q, "c", 1)
	if err := q.wait(t.Context(), a[2]); err == nil && q.granted(a[2]) {
		t.Error("a kept its place")
	}
	if _, err := q.enqueue("c"); err == nil {
		t.Error("nobody has more than c would, and it got in")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.wait(ctx, c[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if q.waiting != 3 {
		t.Errorf("%d wait", q.waiting)
	}
}

// A ticket of two clients is granted once, in the first turn of either.
func TestQueueOfTwoClients(t *testing.T) {
	t.Parallel()
	q := New(2, 20)
	a := asks(t, q, "a", 5)
	b := asks(t, q, "b", 1)
	q.addClient(a[4], "c")
	q.addClient(a[4], "c")
	q.Release(b[0])
	if !q.granted(a[4]) || a[4].client != "c" || q.waiting != 3 {
		t.Fatalf("granted: %t to %q, %d wait", q.granted(a[4]), a[4].client, q.waiting)
	}
	for _, one := range []*Ticket{a[4], a[0], a[1], a[2], a[3]} {
		q.Release(one)
	}
	if q.running != 0 || len(q.runningByClient) != 0 || len(q.waitingByClient) != 0 || len(q.roundRobin) != 0 || q.waiting != 0 {
		t.Errorf("left: %+v", q)
	}
}

type answer struct{}

func (*answer) Share(int) {}
func (*answer) Release()  {}

func newFlights(t *testing.T, running int) *Flights[*answer] {
	t.Helper()
	var queries sync.WaitGroup
	life, end := context.WithCancel(t.Context())
	t.Cleanup(func() { end(); queries.Wait() })
	return NewFlights[*answer](life, New(running, 64), &queries)
}

// A query is cancelled when its last waiter leaves, and not before.
func TestFlightEndsWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	f := newFlights(t, 4)
	began, ended := make(chan struct{}), make(chan struct{})
	run := func(ctx context.Context) (*answer, error) {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}
	var cancels []context.CancelFunc
	errs := make(chan error, 2)
	for n := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		cancels = append(cancels, cancel)
		go func() {
			_, err := f.Do(ctx, "a", "key", time.Minute, run)
			errs <- err
		}()
		if n == 0 {
			<-began
		}
	}
	for f.waiting("key") != 2 {
		time.Sleep(time.Millisecond)
	}
	cancels[0]()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	select {
	case <-ended:
		t.Fatal("the query ended while somebody waits")
	case <-time.After(50 * time.Millisecond):
	}
	cancels[1]()
	<-ended
	<-errs
}

func (f *Flights[A]) waiting(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl := f.inFlight[key]; fl != nil {
		return fl.waiters
	}
	return 0
}

// Those who joined a query retry if the request that began it is refused a turn.
func TestFlightOfOneWithoutAPlace(t *testing.T) {
	t.Parallel()
	f := newFlights(t, 1)
	hold := asks(t, f.queue, "a", 1)
	first := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	run := func(context.Context) (*answer, error) { return &answer{}, nil }
	go func() {
		_, err := f.Do(ctx, "a", "key", time.Minute, run)
		first <- err
	}()
	for f.waiting("key") != 1 {
		time.Sleep(time.Millisecond)
	}
	second := make(chan error, 1)
	go func() {
		_, err := f.Do(t.Context(), "b", "key", time.Minute, run)
		second <- err
	}()
	var busy *BusyError
	if err := <-first; !errors.As(err, &busy) {
		t.Errorf("the first waited for its turn in vain: %v", err)
	}
	f.queue.Release(hold[0])
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
}

// No query runs longer than its limit, however many join it.
func TestFlightHasALimit(t *testing.T) {
	t.Parallel()
	f := newFlights(t, 1)
	runs := 0
	run := func(ctx context.Context) (*answer, error) {
		if runs++; runs == 1 {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return &answer{}, nil
	}
	first := make(chan error, 1)
	go func() {
		_, err := f.Do(t.Context(), "a", "key", 200*time.Millisecond, run)
		first <- err
	}()
	for f.waiting("key") != 1 {
		time.Sleep(time.Millisecond)
	}
	if _, err := f.Do(t.Context(), "b", "key", 200*time.Millisecond, run); err != nil {
		t.Errorf("who joined began no other: %v", err)
	}
	if err := <-first; !errors.Is(err, ErrTimeout) {
		t.Errorf("the first: %v", err)
	}
}
