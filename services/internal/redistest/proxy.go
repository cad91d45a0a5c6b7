package redistest

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy is a TCP proxy in front of a server that can break its connections at an
// exact byte.
type Proxy struct {
	t        testing.TB
	listener net.Listener
	upstream string
	running  sync.WaitGroup

	mu     sync.Mutex
	moved  *sync.Cond // paused or cut changed
	paused bool
	// budget is how many bytes of replies may still pass; negative: any number.
	budget int64
	conns  map[net.Conn]bool
	closed bool
	passed int64
}

// NewProxy listens until the test ends and passes everything to upstream, a
// host and port.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the proxy: %v", err)
	}
	p := &Proxy{t: t, listener: listener, upstream: upstream, budget: -1, conns: make(map[net.Conn]bool)}
	p.moved = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// URL is where the proxy listens.
func (p *Proxy) URL() string { return "redis://" + p.Addr() }

// Addr is the proxy's host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// CutAfter lets n more bytes of replies pass, over all connections, and then cuts every
// connection, once. New ones work.
func (p *Proxy) CutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = n
}

// Cut cuts every connection now.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked()
}

// Pause holds every byte in both directions; connections stay up.
func (p *Proxy) Pause() { p.setPaused(true) }

// Resume lets go what Pause holds.
func (p *Proxy) Resume() { p.setPaused(false) }

// Passed is how many bytes of replies have passed.
func (p *Proxy) Passed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

func (p *Proxy) setPaused(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
	p.moved.Broadcast()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // the listener is closed
		}
		server, err := new(net.Dialer).DialContext(p.t.Context(), "tcp", p.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		if p.adopt(client, server) {
			p.running.Go(func() { p.pass(server, client, false) })
			p.running.Go(func() { p.pass(client, server, true) })
		}
	}
}

func (p *Proxy) adopt(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.conns[conn] = true
		if p.closed {
			_ = conn.Close()
		}
	}
	return !p.closed
}

// pass copies one direction until either end is closed, and closes both.
func (p *Proxy) pass(to, from net.Conn, replies bool) {
	defer p.forget(to, from)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		allowed := p.allow(n, replies)
		if _, failed := to.Write(buf[:allowed]); failed != nil || err != nil {
			return
		}
		if allowed < n {
			p.Cut()
			return
		}
	}
}

// allow waits while the proxy is paused and takes n bytes off the budget.
func (p *Proxy) allow(n int, replies bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.paused && !p.closed {
		p.moved.Wait()
	}
	if !replies {
		return n
	}
	if p.budget < 0 || int64(n) <= p.budget {
		if p.budget >= 0 {
			p.budget -= int64(n)
		}
		p.passed += int64(n)
		return n
	}
	allowed := int(p.budget)
	p.budget = -1
	p.passed += int64(allowed)
	return allowed
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.conns, conn)
		_ = conn.Close()
	}
}

func (p *Proxy) cutLocked() {
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.cutLocked()
	p.moved.Broadcast()
	p.mu.Unlock()
	if err := p.listener.Close(); err != nil && !isClosed(err) {
		p.t.Errorf("close the proxy: %v", err)
	}
	p.running.Wait()
}

func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || strings.Contains(err.Error(), "closed")
}
