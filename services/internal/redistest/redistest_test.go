package redistest_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerLivesAndDies(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.WithAOF(), redistest.WithMaxMemory(32<<20), redistest.WithPolicy("volatile-lru"))
	if server.Do("GET", "k") != nil || server.Do("SET", "k", "v") != "OK" {
		t.Fatal("the server does not work")
	}
	config, _ := server.Do("CONFIG", "GET", "maxmemory*").([]any)
	if len(config) == 0 {
		t.Fatal("no configuration")
	}
	pid := server.Pid()
	server.Restart()
	if server.Pid() == pid || server.Do("GET", "k") != "v" {
		t.Fatal("after a crash the value is gone, or there was no crash")
	}
	pid = server.Pid()
	server.Stop()
	if _, err := server.Try("PING"); err == nil || server.Pid() != 0 {
		t.Fatal("the server answers after Stop")
	}
	if process, err := os.FindProcess(pid); err == nil && process.Signal(syscall.Signal(0)) == nil {
		t.Fatal("the process is still there")
	}
	server.Restart()
	if server.Do("GET", "k") != "v" {
		t.Fatal("after Stop the value is gone")
	}
}

//nolint:tparallel // the subtest is over when we look
func TestServerIsGoneAfterItsTest(t *testing.T) {
	t.Parallel()
	var pid int
	t.Run("test", func(t *testing.T) { pid = redistest.Start(t).Pid() })
	if process, err := os.FindProcess(pid); err == nil && process.Signal(syscall.Signal(0)) == nil {
		t.Fatal("the process is still there")
	}
}

// TestServerOutlivesTheThreadThatStartedIt: Linux ends a child that dies with its
// parent when the parent's thread ends, and threads end in the middle of tests.
func TestServerOutlivesTheThreadThatStartedIt(t *testing.T) {
	t.Parallel()
	started := make(chan *redistest.Server)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		started <- redistest.Start(t)
	}()
	server := <-started
	time.Sleep(100 * time.Millisecond)
	if reply, err := server.Try("PING"); reply != "PONG" {
		t.Fatalf("the server answers %v, %v after the end of the thread", reply, err)
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do("SET", "k", strings.Repeat("v", 1000))
	proxy := redistest.NewProxy(t, server.Addr())
	dial := func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", proxy.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET k\r\n"); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	const reply = len("$1000\r\n") + 1000 + 2

	proxy.CutAfter(123)
	got, _ := io.ReadAll(dial())
	if len(got) != 123 || proxy.Passed() != 123 {
		t.Fatalf("got %d bytes and %d passed, want 123", len(got), proxy.Passed())
	}
	whole := bufio.NewReader(dial())
	if _, err := io.CopyN(io.Discard, whole, int64(reply)); err != nil {
		t.Fatalf("a new connection after the cut: %v", err)
	}
	proxy.Cut()
	if _, err := whole.ReadByte(); err == nil {
		t.Fatal("the connection is not cut")
	}

	proxy.Pause()
	held := dial()
	if err := held.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := held.Read(make([]byte, 1)); err == nil {
		t.Fatalf("%d bytes passed a paused proxy", n)
	}
	proxy.Resume()
	if err := held.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, held, int64(reply)); err != nil {
		t.Fatalf("after Resume: %v", err)
	}
}
