package api

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// pollEvery is how often the connections of those who wait are polled.
const pollEvery = 50 * time.Millisecond

// errLeft is why a request ended whose client closed the connection.
var errLeft = errors.New("the client closed the connection")

// hangups notices clients that leave while a handler waits for their answer: the server
// reads from a connection between requests only, and would notice at the end.
type hangups struct {
	background *sync.WaitGroup // counts the one that polls

	mu      sync.Mutex
	all     map[*hangup]struct{}
	polling bool
}

type hangup struct {
	socket syscall.RawConn
	left   func()
}

// watch calls left once the client has closed the connection, or its half of it. The caller
// stops that before the handler returns.
func (h *hangups) watch(c net.Conn, left func()) (stop func()) {
	ours, ok := c.(*conn)
	if !ok {
		return func() {}
	}
	inner, ok := ours.Conn.(syscall.Conn)
	if !ok {
		return func() {}
	}
	socket, err := inner.SyscallConn()
	if err != nil {
		return func() {}
	}
	one := &hangup{socket, left}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[one] = struct{}{}
	if !h.polling {
		h.polling = true
		h.background.Go(h.poll)
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, one)
	}
}

// poll polls every connection until none is watched.
func (h *hangups) poll() {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for range tick.C {
		if !h.once() {
			return
		}
	}
}

// once polls each; false if there is none.
func (h *hangups) once() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.polling = len(h.all) > 0
	for one := range h.all {
		gone := false
		if err := one.socket.Control(func(fd uintptr) { gone = hungUp(int(fd)) }); err != nil || gone {
			delete(h.all, one)
			one.left()
		}
	}
	return h.polling
}
