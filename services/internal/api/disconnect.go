package api

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// pollInterval is how often watched connections are polled.
const pollInterval = 50 * time.Millisecond

// errClientClosed is the cause of a request's cancellation when its client has disconnected.
var errClientClosed = errors.New("the client closed the connection")

// disconnects cancels requests whose client disconnects while a handler runs: fasthttp reads
// from a connection between requests only, and would notice at the next write.
type disconnects struct {
	background *sync.WaitGroup // counts the polling goroutine

	mu      sync.Mutex
	watched map[*watchedConn]struct{}
	polling bool
}

type watchedConn struct {
	socket       syscall.RawConn
	onDisconnect func()
}

// watch calls onDisconnect when the client has closed the connection, or its half of it. The
// caller must call stop before the handler returns.
func (h *disconnects) watch(c net.Conn, onDisconnect func()) (stop func()) {
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
	one := &watchedConn{socket, onDisconnect}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watched[one] = struct{}{}
	if !h.polling {
		h.polling = true
		h.background.Go(h.poll)
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watched, one)
	}
}

// poll runs until no connection is watched.
func (h *disconnects) poll() {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for range tick.C {
		if !h.pollOnce() {
			return
		}
	}
}

// pollOnce polls every watched connection; false if there is none.
func (h *disconnects) pollOnce() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.polling = len(h.watched) > 0
	for one := range h.watched {
		gone := false
		if err := one.socket.Control(func(fd uintptr) { gone = peerClosed(int(fd)) }); err != nil || gone {
			delete(h.watched, one)
			one.onDisconnect()
		}
	}
	return h.polling
}
