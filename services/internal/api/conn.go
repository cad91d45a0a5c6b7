package api

import (
	"net"
	"sync"
	"time"
)

const (
	// readTimeout is the time for a whole request, from its first byte.
	readTimeout = 10 * time.Second
	// idleTimeout is the time between requests of a connection.
	idleTimeout = time.Minute
	// writeTimeout is the time for one write, of up to a megabyte. Config.MinReadRate bounds
	// the whole of a large answer.
	writeTimeout = time.Minute
	// deadlineTolerance is by how much a deadline may be off.
	deadlineTolerance = time.Second
)

// listener makes Close idempotent and sets the timeouts of its connections.
type listener struct {
	net.Listener

	writeTimeout time.Duration
	once         sync.Once
	err          error
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, writeTimeout: l.writeTimeout}, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}

// conn sets deadlines just before it reads or writes, and only if they are off by more than
// deadlineTolerance: the server's two a request cost a tenth of an answer from the cache.
type conn struct {
	net.Conn

	writeTimeout              time.Duration
	deadline, readBy, writeBy time.Time
	lines                     framingScanner
}

// SetReadDeadline implements net.Conn, for later reads only: it does not interrupt a blocked one.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if off := c.deadline.Sub(c.readBy); off > deadlineTolerance || off < -deadlineTolerance {
		if err := c.Conn.SetReadDeadline(c.deadline); err != nil {
			return 0, err
		}
		c.readBy = c.deadline
	}
	n, err := c.Conn.Read(p)
	c.lines.scan(p[:n])
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if by := time.Now().Add(c.writeTimeout); by.Sub(c.writeBy) > deadlineTolerance {
		if err := c.SetWriteDeadline(by); err != nil {
			return 0, err
		}
		c.writeBy = by
	}
	return c.Conn.Write(p)
}
