package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/event"
)

// conn is a connection of its own, outside go-redis' pool, for what has to be
// fast: blocked reads and flushes. It speaks RESP2.
type conn struct {
	net.Conn
	out []byte
}

// dialing is how to connect and log in.
type dialing struct {
	network, address string
	tls              *tls.Config // nil without TLS
	timeout          time.Duration
	login            func(ctx context.Context) (user, password string, err error)
	db               int
}

// newDialing returns the part of go-redis' options that our own connections have in common.
func newDialing(opts *redis.Options) *dialing {
	d := &dialing{
		network: opts.Network, address: opts.Addr, tls: opts.TLSConfig, timeout: opts.DialTimeout,
		login: opts.CredentialsProviderContext, db: opts.DB,
	}
	if d.login == nil {
		user, password := opts.Username, opts.Password
		d.login = func(context.Context) (string, string, error) { return user, password, nil }
	}
	return d
}

// dial connects and logs in as go-redis would with the same options.
func dial(ctx context.Context, opts *dialing) (*conn, error) {
	raw, err := dialRaw(ctx, opts)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw}
	stop := c.closeOn(ctx)
	defer stop()
	if err := c.login(ctx, opts); err != nil {
		return nil, errors.Join(err, ctx.Err(), c.Close())
	}
	return c, nil
}

func dialRaw(ctx context.Context, opts *dialing) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: opts.timeout}
	if opts.tls == nil {
		return dialer.DialContext(ctx, opts.network, opts.address)
	}
	secure := &tls.Dialer{NetDialer: dialer, Config: opts.tls}
	return secure.DialContext(ctx, opts.network, opts.address)
}

// closeOn closes the connection when ctx ends, so that whatever uses it returns
// at once. Calling stop ends the watch.
func (c *conn) closeOn(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.Close() })
}

func (c *conn) login(ctx context.Context, opts *dialing) error {
	user, password, err := opts.login(ctx)
	if err != nil {
		return err
	}
	var commands [][]string
	switch {
	case user != "":
		commands = append(commands, []string{"AUTH", user, password})
	case password != "":
		commands = append(commands, []string{"AUTH", password})
	}
	if opts.db != 0 {
		commands = append(commands, []string{"SELECT", strconv.Itoa(opts.db)})
	}
	return c.do(opts.timeout, commands)
}

// do sends commands whose replies are one line each, and returns the first error
// among these.
func (c *conn) do(timeout time.Duration, commands [][]string) error {
	if len(commands) == 0 {
		return nil
	}
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	c.out = c.out[:0]
	for _, command := range commands {
		c.out = appendCommand(c.out, command...)
	}
	if _, err := c.Write(c.out); err != nil {
		return err
	}
	in := bufio.NewReader(c)
	for _, command := range commands {
		if _, err := readLine(in); err != nil {
			return fmt.Errorf("%s: %w", command[0], err)
		}
	}
	return nil
}

// appendCommand writes a command as RESP.
func appendCommand(buf []byte, args ...string) []byte {
	buf = appendHeader(buf, '*', len(args))
	for _, arg := range args {
		buf = appendHeader(buf, '$', len(arg))
		buf = append(append(buf, arg...), '\r', '\n')
	}
	return buf
}

func appendHeader(buf []byte, kind byte, n int) []byte {
	buf = strconv.AppendInt(append(buf, kind), int64(n), 10)
	return append(buf, '\r', '\n')
}

// readLine reads a reply of one line. It is valid until the next read. An error
// reply is a [ReplyError].
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	line = trimCRLF(line)
	if len(line) == 0 {
		return nil, errProtocol
	}
	if line[0] == '-' {
		return nil, ReplyError(line[1:])
	}
	return line, nil
}

// readInt reads a header or an integer of the given kind.
func readInt(in *bufio.Reader, kind byte) (int64, error) {
	line, err := readLine(in)
	if err != nil {
		return 0, err
	}
	n, ok := parseInt(line[1:])
	if line[0] != kind || !ok {
		return 0, errProtocol
	}
	return n, nil
}

// readID reads a bulk string that is the ID of an entry.
func readID(in *bufio.Reader) (event.ID, error) {
	if _, err := readInt(in, '$'); err != nil {
		return event.ID{}, err
	}
	line, err := readLine(in)
	if err != nil {
		return event.ID{}, err
	}
	id, ok := parseID(line)
	if !ok {
		return event.ID{}, errProtocol
	}
	return id, nil
}

func trimCRLF(line []byte) []byte {
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}
