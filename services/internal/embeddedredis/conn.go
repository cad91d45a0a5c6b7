package embeddedredis

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2/server"
)

const (
	// maxArgs and maxBulk are redis-server's limits of a command.
	maxArgs, maxBulk = 1 << 20, 512 << 20
	// flushBytes is how much of replies is kept back while further commands are there already.
	flushBytes = 256 << 10
)

var errProtocol = errors.New("ERR Protocol error: an array of bulk strings is expected")

// conn is a client's connection. It speaks RESP.
type conn struct {
	net.Conn
	call

	server *Server
	in     *bufio.Reader
	buf    []byte
	ends   []int
	// transaction has the commands between MULTI and EXEC. It is dirty if one was refused.
	transaction          [][]string
	inMulti, dirty, quit bool
}

func newConn(s *Server, raw net.Conn) *conn {
	c := &conn{Conn: raw, server: s, in: bufio.NewReaderSize(raw, 64<<10)}
	c.peer = server.NewPeer(bufio.NewWriter(&replies{c}))
	return c
}

// replies takes what miniredis writes.
type replies struct{ c *conn }

func (r *replies) Write(p []byte) (int, error) {
	r.c.out = append(r.c.out, p...)
	return len(p), nil
}

// serve runs commands until the connection ends.
func (c *conn) serve() {
	for !c.quit {
		if c.in.Buffered() == 0 || len(c.out) >= flushBytes {
			if c.flush() != nil {
				return
			}
		}
		var err error
		if c.args, err = c.read(); errors.Is(err, errProtocol) {
			c.fail(err.Error())
			_ = c.flush()
		}
		if err != nil {
			return
		}
		if len(c.args) > 0 && c.execute() != nil {
			return
		}
	}
	_ = c.flush()
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.Write(c.out)
	if c.out = c.out[:0]; cap(c.out) > 2*flushBytes {
		c.out = nil
	}
	return err
}

// read reads a command, whose arguments share one string.
func (c *conn) read() ([]string, error) {
	n, err := c.header('*')
	if err != nil || n <= 0 {
		return nil, err
	}
	if n > maxArgs {
		return nil, errProtocol
	}
	c.buf, c.ends = c.buf[:0], c.ends[:0]
	for range n {
		size, err := c.header('$')
		if err != nil {
			return nil, err
		}
		if size < 0 || size > maxBulk {
			return nil, errProtocol
		}
		if err := c.readBulk(size); err != nil {
			return nil, err
		}
	}
	text, start := string(c.buf), 0
	args := make([]string, n)
	for i, end := range c.ends {
		args[i] = text[start:end]
		start = end
	}
	if cap(c.buf) > 2*flushBytes {
		c.buf = nil
	}
	return args, nil
}

// readBulk appends to the buffer, which grows no faster than bytes arrive.
func (c *conn) readBulk(size int) error {
	for size > 0 {
		n := min(size, flushBytes)
		c.buf = slices.Grow(c.buf, n)
		at := len(c.buf)
		c.buf = c.buf[:at+n]
		if _, err := io.ReadFull(c.in, c.buf[at:]); err != nil {
			return err
		}
		size -= n
	}
	c.ends = append(c.ends, len(c.buf))
	_, err := c.in.Discard(len("\r\n"))
	return err
}

// header reads a line with a number.
func (c *conn) header(kind byte) (int, error) {
	line, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, errProtocol
	}
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || line[0] != kind {
		return 0, errProtocol
	}
	n, err := strconv.Atoi(string(line[1 : len(line)-2]))
	if err != nil {
		return 0, errProtocol
	}
	return n, nil
}

// execute runs a command, or queues it. It returns an error if the connection ended while it waited.
func (c *conn) execute() error {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	s.tick(c.peer)
	switch c.name() {
	case "MULTI":
		c.multi()
	case "EXEC":
		c.exec()
	case "DISCARD":
		if !c.inMulti {
			c.fail("ERR DISCARD without MULTI")
			return nil
		}
		c.endTransaction()
		c.ok()
	case "QUIT":
		c.quit = true
		c.ok()
	default:
		if !c.inMulti {
			return c.runOrWait()
		}
		c.enqueue()
	}
	return nil
}

// runOrWait runs a command until it has something to reply, its time is over or the connection ends. While it
// waits, the connection waits for the client's next byte: its end is noticed, and a deadline that wake sets ends it.
func (c *conn) runOrWait() error {
	s, at, started := c.server, len(c.out), time.Now()
	for {
		c.waits = false
		s.run(&c.call)
		var deadline time.Time
		if c.block > 0 {
			deadline = started.Add(c.block)
		}
		if !c.waits || c.block > 0 && !time.Now().Before(deadline) {
			return nil
		}
		null := c.out[at:]
		c.out = c.out[:at]
		if err := c.SetReadDeadline(deadline); err != nil {
			return err
		}
		s.wake()
		s.waiting[c] = true
		s.mu.Unlock()
		err := c.flush()
		if err == nil {
			_, err = c.in.Peek(1)
		}
		s.mu.Lock()
		delete(s.waiting, c)
		at = len(c.out)
		if err == nil { // the client doesn't wait any more: it has sent another command
			c.out = append(c.out, null...)
		}
		if ended := c.SetReadDeadline(time.Time{}); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || ended != nil {
			return errors.Join(err, ended)
		}
	}
}

func (c *conn) multi() {
	if c.inMulti {
		c.fail("ERR MULTI calls can not be nested")
		return
	}
	c.inMulti = true
	c.ok()
}

func (c *conn) enqueue() {
	if refusal := c.server.refuse(&c.call); refusal != "" {
		c.dirty = true
		c.fail(refusal)
		return
	}
	c.transaction = append(c.transaction, c.args)
	c.out = append(c.out, "+QUEUED\r\n"...)
}

func (c *conn) exec() {
	s, queued, dirty := c.server, c.transaction, c.dirty
	if !c.inMulti {
		c.fail("ERR EXEC without MULTI")
		return
	}
	c.endTransaction()
	if dirty {
		c.fail("EXECABORT Transaction discarded because of previous errors.")
		return
	}
	for _, c.args = range queued {
		if refusal := s.refuse(&c.call); refusal != "" {
			c.fail("EXECABORT Transaction discarded because of: " + refusal)
			return
		}
	}
	c.array(len(queued))
	s.allowOOM = true
	for _, c.args = range queued {
		s.run(&c.call)
	}
	s.allowOOM = false
}

func (c *conn) endTransaction() { c.transaction, c.inMulti, c.dirty = nil, false, false }
