package embeddedredis_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/embeddedredis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a server until the test ends and returns its address.
func start(t testing.TB, maxMemory int) (*embeddedredis.Server, string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	s, err := embeddedredis.Serve(l, maxMemory)
	must(t, err)
	t.Cleanup(s.Close)
	return s, l.Addr().String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client is a connection that returns replies as they are: strings, int64, lists of these, nil, and replyError.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

type replyError string

func dial(t testing.TB, addr string) *client {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(commands ...[]string) {
	c.t.Helper()
	var b strings.Builder
	for _, args := range commands {
		fmt.Fprintf(&b, "*%d\r\n", len(args))
		for _, arg := range args {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
		}
	}
	_, err := io.WriteString(c.conn, b.String())
	must(c.t, err)
}

func (c *client) do(args ...string) any {
	c.t.Helper()
	c.send(args)
	return c.reply()
}

func (c *client) reply() any {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	must(c.t, err)
	text := strings.TrimRight(line[1:], "\r\n")
	n, _ := strconv.Atoi(text)
	switch line[0] {
	case '-':
		return replyError(text)
	case ':':
		return int64(n)
	case '$':
		if n < 0 {
			return nil
		}
		buf := make([]byte, n+2)
		_, err := io.ReadFull(c.in, buf)
		must(c.t, err)
		return string(buf[:n])
	case '*':
		if n < 0 {
			return nil
		}
		list := make([]any, n)
		for i := range list {
			list[i] = c.reply()
		}
		return list
	default:
		return text
	}
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Fatalf("%s: got %#v, want %#v", what, got, want)
	}
}
