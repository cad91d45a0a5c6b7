// Package queue limits how many queries run at once, schedules them round-robin among the
// clients, and deduplicates concurrent equal requests (singleflight).
package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Queue bounds the running and the waiting queries and refuses more, for a long queue only
// makes everyone late. Turns are granted round-robin among the waiting clients; limits a
// client keep one of them from taking all.
type Queue struct {
	maxRunning, maxWaiting                   int
	maxRunningPerClient, maxWaitingPerClient int

	mu              sync.Mutex
	running         int
	runningByClient map[string]int
	waitingByClient map[string][]*Ticket
	roundRobin      []string // clients with waiting tickets, the next first
	waiting         int
}

// Ticket is a request's place in the queue and, once granted, its turn.
type Ticket struct {
	ready  chan struct{} // closed when it is granted or refused
	client string        // who has the turn or, while it waits, who enqueued it
	state  ticketState
}

type ticketState int

const (
	waiting ticketState = iota
	granted
	refused // in favour of a client with fewer waiting, or abandoned
	released
)

// New returns a queue for that many running and that many waiting queries.
func New(running, waiting int) *Queue {
	return &Queue{
		maxRunning: running, maxWaiting: waiting, maxRunningPerClient: max(1, running-1), maxWaitingPerClient: max(1, (waiting+1)/2),
		runningByClient: map[string]int{}, waitingByClient: map[string][]*Ticket{},
	}
}

// BusyError is returned if a request gets no turn.
type BusyError struct {
	// Detail says what the client can do.
	Detail string

	cause error
}

func (e *BusyError) Error() string { return e.Detail }

// Unwrap returns why waiting ended, nil if the request was refused at once.
func (e *BusyError) Unwrap() error { return e.cause }

func busy(detail string) error { return &BusyError{Detail: detail} }

// Acquire waits for a turn, counted for the client. The caller releases it. The error is a
// *BusyError.
func (q *Queue) Acquire(ctx context.Context, client string) (*Ticket, error) {
	t, err := q.enqueue(client)
	if err != nil {
		return nil, err
	}
	return t, q.wait(ctx, t)
}

// enqueue adds a ticket of the client, or refuses it with a *BusyError.
func (q *Queue) enqueue(client string) (*Ticket, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &Ticket{ready: make(chan struct{}), client: client}
	own := len(q.waitingByClient[client])
	canRun := q.running < q.maxRunning && q.runningByClient[client] < q.maxRunningPerClient && own == 0
	switch {
	case canRun:
	case own >= q.maxWaitingPerClient:
		return nil, busy(fmt.Sprintf("%d requests of this client wait already. Try again after a moment.", own))
	case q.waiting >= q.maxWaiting && !q.evictLongest(own+1):
		return nil, busy(fmt.Sprintf("%d queries run or wait already. Try again after a moment.", q.running+q.waiting))
	}
	q.append(client, t)
	q.waiting++
	q.grant()
	return t, nil
}

// addClient puts a waiting ticket into another client's line too: it is granted to whichever
// client's turn comes first.
func (q *Queue) addClient(t *Ticket, client string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.state != waiting || client == t.client || len(q.waitingByClient[client]) >= q.maxWaitingPerClient || slices.Contains(q.waitingByClient[client], t) {
		return
	}
	q.append(client, t)
	q.grant()
}

// wait blocks until the ticket is granted. Without an error the caller must release it.
func (q *Queue) wait(ctx context.Context, t *Ticket) error {
	select {
	case <-t.ready:
	case <-ctx.Done():
		if q.abandon(t) {
			return waitTimeout(ctx.Err())
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.state == refused {
		return busy("As many queries run and wait as can, and other clients have fewer of them. Try again after a moment.")
	}
	return nil
}

func waitTimeout(cause error) error {
	return &BusyError{"The request waited for its turn until its time was over. Try again after a moment.", cause}
}

// Full reports whether a new request would have to wait.
func (q *Queue) Full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running >= q.maxRunning
}

// granted reports whether the ticket got its turn, which may have been released since.
func (q *Queue) granted(t *Ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return t.state == granted || t.state == released
}

// Release returns a turn.
func (q *Queue) Release(t *Ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.state = released
	q.running--
	if q.runningByClient[t.client]--; q.runningByClient[t.client] == 0 {
		delete(q.runningByClient, t.client)
	}
	q.grant()
}

// abandon removes a waiting ticket; false if it was granted or refused before.
func (q *Queue) abandon(t *Ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.state != waiting {
		return false
	}
	t.state = refused
	q.remove(t)
	return true
}

// grant hands out the free turns round-robin, one ticket a client at a time.
func (q *Queue) grant() {
	for q.running < q.maxRunning {
		at := slices.IndexFunc(q.roundRobin, func(client string) bool { return q.runningByClient[client] < q.maxRunningPerClient })
		if at < 0 {
			return
		}
		client := q.roundRobin[at]
		t := q.waitingByClient[client][0]
		q.remove(t)
		if i := slices.Index(q.roundRobin, client); i >= 0 { // more waiting: to the end
			q.roundRobin = append(slices.Delete(q.roundRobin, i, i+1), client)
		}
		t.state, t.client = granted, client
		q.running++
		q.runningByClient[client]++
		close(t.ready)
	}
}

// evictLongest refuses the newest ticket of the client with the most waiting, if it has more
// than n; false if none has.
func (q *Queue) evictLongest(n int) bool {
	longest := ""
	for _, client := range q.roundRobin {
		if len(q.waitingByClient[client]) > max(n, len(q.waitingByClient[longest])) {
			longest = client
		}
	}
	line := q.waitingByClient[longest]
	if len(line) == 0 {
		return false
	}
	t := line[len(line)-1]
	t.state = refused
	q.remove(t)
	close(t.ready)
	return true
}

func (q *Queue) append(client string, t *Ticket) {
	if len(q.waitingByClient[client]) == 0 {
		q.roundRobin = append(q.roundRobin, client)
	}
	q.waitingByClient[client] = append(q.waitingByClient[client], t)
}

// remove takes the ticket out of the line of every client.
func (q *Queue) remove(t *Ticket) {
	q.waiting--
	for _, client := range slices.Clone(q.roundRobin) {
		line := q.waitingByClient[client]
		at := slices.Index(line, t)
		if at < 0 {
			continue
		}
		if line = slices.Delete(line, at, at+1); len(line) > 0 {
			q.waitingByClient[client] = line
			continue
		}
		delete(q.waitingByClient, client)
		q.roundRobin = slices.DeleteFunc(q.roundRobin, func(c string) bool { return c == client })
	}
}
