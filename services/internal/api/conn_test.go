package api_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
)

// connected returns both ends of a connection that the server's listener has accepted.
func connected(t *testing.T, stall time.Duration) (server, client net.Conn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := api.Bound(inner, stall)
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), l.Close()); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
	if client, err = net.Dial("tcp", inner.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, client
}

// A read times out at the deadline that was set last, though the socket's is set lazily.
func TestReadsAreBounded(t *testing.T) {
	t.Parallel()
	server, client := connected(t, time.Minute)
	waits := func(d time.Duration) error {
		if err := server.SetReadDeadline(time.Now().Add(d)); err != nil {
			t.Fatal(err)
		}
		_, err := server.Read(make([]byte, 1))
		return err
	}
	// Longer, shorter and longer again, each by more than the tolerance.
	client.Write([]byte("a"))
	if err := waits(time.Minute); err != nil {
		t.Errorf("with a byte there: %v", err)
	}
	if err := waits(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with nothing there: %v", err)
	}
	client.Write([]byte("b"))
	if err := waits(time.Minute); err != nil {
		t.Errorf("after a read that ran out of time: %v", err)
	}
}

// A client that reads none of its answer is disconnected.
func TestStalledClientsAreLeft(t *testing.T) {
	t.Parallel()
	server, _ := connected(t, 50*time.Millisecond)
	piece := make([]byte, 1<<20)
	for range 100 {
		if _, err := server.Write(piece); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("100 MiB were written to a client that reads nothing")
}

// A request has the same answer from the cache as from the router.
func TestCacheKnowsPaths(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- param: n integer\n-- cache: 1m\nSELECT $n AS n"})
	for range 2 {
		for path, want := range map[string]string{
			"/v1/test/one?n=1": `"n":1`, "/v1/test/one/?n=1": `"n":1`,
			"/v1/test/one?n=%31": `"n":1`, "/v1/test/%6fne?n=1": `"n":1`, "/v1/test/one?n=2": `"n":2`, "/v1/test/one?": `"n":null`, "/v1/test/one": `"n":null`,
		} {
			if r := i.get(t, path); r.status != http.StatusOK || !strings.Contains(r.text, want) {
				t.Errorf("%s: %d %s, want %s", path, r.status, r.text, want)
			}
		}
		for path, want := range map[string]int{
			"/v1/test/one?n=1?n=2": http.StatusBadRequest, "//v1/test/one?n=1": http.StatusNotFound,
		} {
			if r := i.get(t, path); r.status != want {
				t.Errorf("%s: %d %s, want %d", path, r.status, r.text, want)
			}
		}
	}
}
