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
	// stallTimeout is the time for a piece of an answer, of up to a megabyte. How fast
	// all of a large one must be read is Config.ReadPace.
	stallTimeout = time.Minute
	// slack is by how much a time-out may be off.
	slack = time.Second
)

// listener closes once however often Close is called, and bounds how long each of its
// connections waits.
type listener struct {
	net.Listener

	stall time.Duration
	once  sync.Once
	err   error
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, stall: l.stall}, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}

// conn sets deadlines when it is about to wait, and only if they are off by more than
// slack. The server sets two for every request, most of which are there in one read:
// a tenth of what an answer from the cache costs.
type conn struct {
	net.Conn

	stall                   time.Duration
	wanted, readBy, writeBy time.Time
	lines                   lines
}

// SetReadDeadline implements net.Conn for one who reads afterwards, not for one who
// would stop a read that waits.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.wanted = t
	return nil
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if off := c.wanted.Sub(c.readBy); off > slack || off < -slack {
		if err := c.Conn.SetReadDeadline(c.wanted); err != nil {
			return 0, err
		}
		c.readBy = c.wanted
	}
	n, err := c.Conn.Read(p)
	c.lines.scan(p[:n])
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if by := time.Now().Add(c.stall); by.Sub(c.writeBy) > slack {
		if err := c.SetWriteDeadline(by); err != nil {
			return 0, err
		}
		c.writeBy = by
	}
	return c.Conn.Write(p)
}
