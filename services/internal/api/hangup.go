package api

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// lookEvery is how often the connections of those who wait are looked at.
const lookEvery = 50 * time.Millisecond

// errLeft is why a request ended whose client closed the connection.
var errLeft = errors.New("the client closed the connection")

// hangups notices clients that leave while a handler waits for their answer: the server
// reads from a connection between requests only, and would learn of it at the end.
type hangups struct {
	behind *sync.WaitGroup // counts the one who looks

	mu      sync.Mutex
	all     map[*hangup]struct{}
	looking bool
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
	if !h.looking {
		h.looking = true
		h.behind.Go(h.look)
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, one)
	}
}

// look looks at every connection until none is watched.
func (h *hangups) look() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for range tick.C {
		if !h.once() {
			return
		}
	}
}

// once looks at each; false if there is none.
func (h *hangups) once() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looking = len(h.all) > 0
	for one := range h.all {
		gone := false
		if err := one.socket.Control(func(fd uintptr) { gone = hungUp(int(fd)) }); err != nil || gone {
			delete(h.all, one)
			one.left()
		}
	}
	return h.looking
}
