package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/result"
)

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("after 10 s it is still not so that %s", what)
}

// gated is a Reader whose queries run when the gate opens, or end with their context.
type gated struct {
	counted

	open chan struct{}
	// free reports whether a query passes the gate.
	free func(args map[string]any) bool
}

func (g *gated) Stream(ctx context.Context, query string, args map[string]any, each func(result.Snapshot, result.Rows) error) error {
	if !checks(query) && (g.free == nil || !g.free(args)) {
		g.streams.Add(1)
		select {
		case <-g.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.Reader.Stream(ctx, query, args, each)
}

func setupGated(t *testing.T, free func(map[string]any) bool, files map[string]string, change ...func(*api.Config)) (instance, *gated) {
	t.Helper()
	g := &gated{open: make(chan struct{}), free: free}
	i := setup(t, "SELECT 1", files, append(change, func(cfg *api.Config) {
		g.Reader = cfg.Reader
		cfg.Reader = g
	})...)
	return i, g
}

// begin sends a request and does not wait for the answer.
func (i instance) begin(t *testing.T, path string, headers ...string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(i.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\n"+strings.Join(headers, "\r\n")+strings.Repeat("\r\n", min(1, len(headers)))+"\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// answered reads the answer's head from a connection.
func answered(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// A request that joins a query has its own timeout: that of the request which began the query does
// not fail it.
func TestLateJoinerHasItsOwnTime(t *testing.T) {
	t.Parallel()
	i, g := setupGated(t, nil, map[string]string{"n": "-- N.\n-- limit: time=2s\nSELECT 1 AS n"})
	first := i.begin(t, "/v1/test/n")
	time.Sleep(time.Second)
	second := i.begin(t, "/v1/test/n")
	if res := answered(t, first); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the first: %d", res.StatusCode)
	}
	close(g.open)
	if res := answered(t, second); res.StatusCode != http.StatusOK {
		t.Errorf("the second: %d\n%s", res.StatusCode, i.log)
	}
}

// A query goes on for its waiters when the request that began it ends.
func TestSharedQueryOutlivesTheFirst(t *testing.T) {
	t.Parallel()
	i, g := setupGated(t, nil, map[string]string{"n": "-- N.\nSELECT 1 AS n"})
	first := i.begin(t, "/v1/test/n")
	eventually(t, "the query runs", func() bool { return g.streams.Load() == 1 })
	second := i.begin(t, "/v1/test/n")
	time.Sleep(100 * time.Millisecond)
	first.Close()
	time.Sleep(200 * time.Millisecond)
	close(g.open)
	if res := answered(t, second); res.StatusCode != http.StatusOK || g.streams.Load() != 1 {
		t.Errorf("%d after %d queries", res.StatusCode, g.streams.Load())
	}
}

const slowQuery = "-- Slow.\n-- param: n integer\n-- limit: time=30s\nSELECT count(*) AS n FROM range(100000000000) a, range(100) b WHERE a.range % 7 = b.range + $n"

// Queries whose clients have disconnected are interrupted, and their turns released.
func TestClientsThatLeftEndTheirQueries(t *testing.T) {
	t.Parallel()
	statuses := make(chan int, 100)
	i := setup(t, "SELECT 1", map[string]string{"slow": slowQuery, "fast": "-- Fast.\n-- limit: time=10s\nSELECT 1 AS n"}, func(cfg *api.Config) {
		cfg.MaxRunning = 2
		cfg.Observe = func(_ string, status int, _ float64) { statuses <- status }
	})
	const left = 4
	for n := range left {
		conn := i.begin(t, fmt.Sprintf("/v1/test/slow?n=%d", n))
		time.Sleep(100 * time.Millisecond)
		conn.Close()
	}
	i.rows(t, "/v1/test/fast")
	for n := range left + 1 {
		select {
		case status := <-statuses:
			if status != 499 && status != http.StatusOK {
				t.Errorf("status %d counts as the server's fault", status)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d requests have ended", n, left+1)
		}
	}
	eventually(t, "the queries have ended", func() bool { return i.db.Stats().InUse == 0 })
}

// A key that saturates the queue leaves the others a turn.
func TestTurnsAreShared(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	secrets := keyFile(t, file, access.Key{Name: "greedy", Datasets: []string{"*"}}, access.Key{Name: "modest", Datasets: []string{"*"}})
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	i, g := setupGated(t, func(args map[string]any) bool { return fmt.Sprint(args["n"]) == "1000" },
		map[string]string{"n": "-- N.\n-- param: n integer required\n-- limit: time=10s\nSELECT $n AS n"},
		func(cfg *api.Config) {
			cfg.Access, cfg.MaxRunning, cfg.MaxWaiting = &access.Authenticator{Keys: keys}, 4, 8
		})
	for n := range 30 {
		i.begin(t, fmt.Sprintf("/v1/test/n?n=%d", n), "Authorization: Bearer "+secrets["greedy"])
	}
	eventually(t, "all turns that one may have are taken", func() bool { return g.streams.Load() == 3 })
	for range 3 {
		if status, _, body := i.body(t, "/v1/test/n?n=1000", "Authorization", "Bearer "+secrets["modest"]); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
	if n := g.streams.Load(); n != 3 {
		t.Errorf("one key holds %d of 4 turns", n)
	}
	close(g.open)
}

// large answers with 11 MB, more than sockets take.
const large = "-- Large.\n-- param: n integer required\n-- limit: rows=1000000\nSELECT range + $n AS i, md5(range::VARCHAR) AS t FROM range(220000)"

// Unread answers stay within the quota and return it.
func TestSpoolSpaceIsBounded(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"large": large, "small": "-- Small.\nSELECT 1 AS n"}, func(cfg *api.Config) { cfg.SpoolBytes = 64 << 20 })
	var readers []net.Conn
	refused := 0
	for n := range 6 {
		conn := i.begin(t, fmt.Sprintf("/v1/test/large?n=%d", n))
		readers = append(readers, conn)
		switch res := answered(t, conn); res.StatusCode {
		case http.StatusOK:
		case http.StatusServiceUnavailable:
			refused++
			if res.Header.Get("Retry-After") == "" || res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%v", res.Header)
			}
		default:
			t.Errorf("%d", res.StatusCode)
		}
	}
	if refused != 4 || i.api.Spooled() > 32<<20 { // one client has half of it
		t.Errorf("%d of 6 were refused, %d bytes are taken", refused, i.api.Spooled())
	}
	i.rows(t, "/v1/test/small")
	for _, conn := range readers {
		conn.Close()
	}
	eventually(t, "the room is free", func() bool { return i.api.Spooled() == 0 })
	if status, _, body := i.body(t, "/v1/test/large?n=9"); status != http.StatusOK || len(body) < 10<<20 {
		t.Errorf("%d, %d bytes", status, len(body))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, i.URL+"/v1/test/large?n=9", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	eventually(t, "the room is free after a HEAD", func() bool { return i.api.Spooled() == 0 })
}

// The disk's reserve is left for ingestion.
func TestSpoolLeavesAReserve(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"large": large, "small": "-- Small.\nSELECT 1 AS n"}, func(cfg *api.Config) { cfg.SpoolReserve, cfg.QueryTimeout = 1<<60, time.Minute })
	for _, format := range []string{"json", "parquet"} {
		if r := i.get(t, "/v1/test/large?n=1&format="+format); r.status != http.StatusInsufficientStorage || r.Type != "/docs/problems/no-room" || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %.300s", format, r.status, r.text)
		}
	}
	i.rows(t, "/v1/test/small")
	if n := i.api.Spooled(); n != 0 {
		t.Errorf("%d bytes are taken", n)
	}
}

// A file that nobody waits for is given up half-way, and one over the limit is refused.
func TestParquetIsGivenUp(t *testing.T) {
	t.Parallel()
	statuses := make(chan int, 1)
	i := setup(t, "SELECT 1", map[string]string{"endless": "-- Endless.\n-- limit: rows=100000000 time=1m\nSELECT md5(range::VARCHAR) AS t FROM range(100000000000)"}, func(cfg *api.Config) {
		cfg.MaxBytes = 32 << 20
		cfg.Observe = func(_ string, status int, _ float64) { statuses <- status }
	})
	conn := i.begin(t, "/v1/test/endless?format=parquet")
	eventually(t, "some of it is written", func() bool { return i.api.Spooled() > 4<<20 })
	conn.Close()
	eventually(t, "the room is free", func() bool { return i.api.Spooled() == 0 })
	if status := <-statuses; status != 499 {
		t.Errorf("%d", status)
	}
	if r := i.get(t, "/v1/test/endless?format=parquet"); r.status != http.StatusBadRequest || r.Type != "/docs/problems/answer-too-large" {
		t.Errorf("%d %.300s", r.status, r.text)
	}
}

// A client that reads too slowly loses its file.
func TestSlowReadersAreCutOff(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"large": large}, func(cfg *api.Config) { cfg.MinReadRate, cfg.ReadGrace = 1<<30, 100*time.Millisecond })
	conn := i.begin(t, "/v1/test/large?n=1")
	res := answered(t, conn)
	time.Sleep(200 * time.Millisecond)
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 20) // what sockets hold is soon read
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("it read all %d bytes", n)
	}
	eventually(t, "the room is free", func() bool { return i.api.Spooled() == 0 })
}
