// Package queue gives queries their turns, which go round among the clients, and lets those who
// ask for the same at the same time share one query.
package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Queue lets a number of queries run and a number wait; more are refused, for a long
// queue only makes everyone late. Turns go round among the clients who wait, and none
// has so many that there is no other's.
type Queue struct {
	running, waiting int
	// share is how many turns one client may have, line how many of its requests may wait.
	share, line int

	mu    sync.Mutex
	taken int            // turns
	held  map[string]int // turns by client
	lines map[string][]*Ticket
	order []string // the clients with a line: the next to be asked first
	all   int      // tickets that wait
}

// Ticket is a position in the queue, then a turn.
type Ticket struct {
	ready  chan struct{} // closed when it is granted or refused
	client string        // whose turn it is, or who asked first
	state  ticketState
}

type ticketState int

const (
	inLine ticketState = iota
	granted
	refused // for one who has fewer in line
	ended
)

// New is a queue that lets that many queries run and that many wait.
func New(running, waiting int) *Queue {
	return &Queue{
		running: running, waiting: waiting, share: max(1, running-1), line: max(1, (waiting+1)/2),
		held: map[string]int{}, lines: map[string][]*Ticket{},
	}
}

// BusyError is why a request gets no turn.
type BusyError struct {
	// Detail is what the client can do.
	Detail string

	cause error
}

func (e *BusyError) Error() string { return e.Detail }

// Unwrap is why it was not waited any longer, nil if it was not waited at all.
func (e *BusyError) Unwrap() error { return e.cause }

func busy(detail string) error { return &BusyError{Detail: detail} }

// Acquire waits for a turn of the client's, which the caller releases afterwards. The error is
// a *BusyError.
func (q *Queue) Acquire(ctx context.Context, client string) (*Ticket, error) {
	t, err := q.ask(client)
	if err != nil {
		return nil, err
	}
	return t, q.wait(ctx, t)
}

// ask gets in line.
func (q *Queue) ask(client string) (*Ticket, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &Ticket{ready: make(chan struct{}), client: client}
	own := len(q.lines[client])
	canRun := q.taken < q.running && q.held[client] < q.share && own == 0
	switch {
	case canRun:
	case own >= q.line:
		return nil, busy(fmt.Sprintf("%d requests of this client wait already. Try again after a moment.", own))
	case q.all >= q.waiting && !q.displace(own+1):
		return nil, busy(fmt.Sprintf("%d queries run or wait already. Try again after a moment.", q.taken+q.all))
	}
	q.append(client, t)
	q.all++
	q.grant()
	return t, nil
}

// also lets a ticket that waits be granted to another client too, whichever comes first.
func (q *Queue) also(t *Ticket, client string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.state != inLine || client == t.client || len(q.lines[client]) >= q.line || slices.Contains(q.lines[client], t) {
		return
	}
	q.append(client, t)
	q.grant()
}

// wait waits until the ticket is granted. The caller releases it afterwards if there is no
// error.
func (q *Queue) wait(ctx context.Context, t *Ticket) error {
	select {
	case <-t.ready:
	case <-ctx.Done():
		if q.giveUp(t) {
			return timedOut(ctx.Err())
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.state == refused {
		return busy("As many queries run and wait as can, and other clients have fewer of them. Try again after a moment.")
	}
	return nil
}

func timedOut(cause error) error {
	return &BusyError{"The request waited for its turn until its time was over. Try again after a moment.", cause}
}

// Full reports whether who asks now has to wait.
func (q *Queue) Full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.taken >= q.running
}

// granted reports whether the ticket has or had its turn.
func (q *Queue) granted(t *Ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return t.state == granted || t.state == ended
}

// Release ends a turn.
func (q *Queue) Release(t *Ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.state = ended
	q.taken--
	if q.held[t.client]--; q.held[t.client] == 0 {
		delete(q.held, t.client)
	}
	q.grant()
}

// giveUp leaves the line; false if the turn came first.
func (q *Queue) giveUp(t *Ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.state != inLine {
		return false
	}
	t.state = refused
	q.remove(t)
	return true
}

// grant gives the free turns away, round the clients, one ticket each.
func (q *Queue) grant() {
	for q.taken < q.running {
		at := slices.IndexFunc(q.order, func(client string) bool { return q.held[client] < q.share })
		if at < 0 {
			return
		}
		client := q.order[at]
		t := q.lines[client][0]
		q.remove(t)
		if i := slices.Index(q.order, client); i >= 0 { // it has more, and is asked last
			q.order = append(slices.Delete(q.order, i, i+1), client)
		}
		t.state, t.client = granted, client
		q.taken++
		q.held[client]++
		close(t.ready)
	}
}

// displace refuses the last of the longest line, if that is longer than n.
func (q *Queue) displace(n int) bool {
	longest := ""
	for _, client := range q.order {
		if len(q.lines[client]) > max(n, len(q.lines[longest])) {
			longest = client
		}
	}
	line := q.lines[longest]
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
	if len(q.lines[client]) == 0 {
		q.order = append(q.order, client)
	}
	q.lines[client] = append(q.lines[client], t)
}

// remove takes the ticket out of every line that it is in.
func (q *Queue) remove(t *Ticket) {
	q.all--
	for _, client := range slices.Clone(q.order) {
		line := q.lines[client]
		at := slices.Index(line, t)
		if at < 0 {
			continue
		}
		if line = slices.Delete(line, at, at+1); len(line) > 0 {
			q.lines[client] = line
			continue
		}
		delete(q.lines, client)
		q.order = slices.DeleteFunc(q.order, func(c string) bool { return c == client })
	}
}
