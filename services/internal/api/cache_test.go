package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/result"
)

// counted is a Reader that counts the queries it runs.
type counted struct {
	api.Reader

	streams, revisions atomic.Int64
	// gate, if set, blocks queries until it is closed.
	gate chan struct{}
}

func (c *counted) Stream(ctx context.Context, query string, args map[string]any, each func(result.Snapshot, result.Rows) error) error {
	if checks(query) {
		return c.Reader.Stream(ctx, query, args, each)
	}
	c.streams.Add(1)
	if c.gate != nil {
		<-c.gate
	}
	return c.Reader.Stream(ctx, query, args, each)
}

// checks reports whether a query belongs to the SQL check, which runs once.
func checks(query string) bool {
	return strings.Contains(query, "json_serialize_sql") || strings.Contains(query, "duckdb_views()")
}

func (c *counted) Revision(ctx context.Context) (result.Snapshot, error) {
	c.revisions.Add(1)
	return c.Reader.Revision(ctx)
}

func setupCounted(t *testing.T, files map[string]string, change ...func(*api.Config)) (instance, *counted) {
	t.Helper()
	c := &counted{}
	i := setup(t, "CREATE TABLE things AS SELECT 1 AS n", files, append(change, func(cfg *api.Config) {
		c.Reader = cfg.Reader
		cfg.Reader = c
	})...)
	return i, c
}

func (i instance) commit(t *testing.T, statement string) {
	t.Helper()
	if _, err := i.db.Exec("BEGIN; " + statement + "; INSERT INTO commits SELECT max(committed_at) + INTERVAL 1 SECOND FROM commits; COMMIT"); err != nil {
		t.Fatal(err)
	}
}

// Within its cache time an answer is served from the cache; after it, it is revalidated: the query
// runs only if there was a commit.
func TestCache(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{
		"kept":  "-- Kept.\n-- cache: 300ms\nSELECT sum(n) AS n FROM things",
		"fresh": "-- Fresh.\nSELECT sum(n) AS n FROM things",
	})
	expect := func(path string, n string, streams int64) reply {
		t.Helper()
		before := c.streams.Load()
		r := i.rows(t, path)
		if got := fmt.Sprint(r.Data[0]["n"]); got != n || c.streams.Load()-before != streams {
			t.Errorf("%s: %s after %d queries, want %s after %d", path, got, c.streams.Load()-before, n, streams)
		}
		return r
	}
	expect("/v1/test/kept", "1", 1)
	expect("/v1/test/kept", "1", 0)
	expect("/v1/test/fresh", "1", 1)
	first := expect("/v1/test/fresh", "1", 0) // the warehouse was asked, and had nothing new
	i.commit(t, "INSERT INTO things VALUES (10)")
	second := expect("/v1/test/fresh", "11", 1)
	if first.header.Get("ETag") == second.header.Get("ETag") || first.header.Get("Data-As-Of") == second.header.Get("Data-As-Of") {
		t.Errorf("a commit changed neither ETag nor Data-As-Of: %v", second.header)
	}
	if got := first.header.Get("Cache-Control"); got != "public, no-cache" {
		t.Errorf("Cache-Control: %s", got)
	}
	time.Sleep(310 * time.Millisecond)
	expect("/v1/test/kept", "11", 1)
	time.Sleep(310 * time.Millisecond)
	expect("/v1/test/kept", "11", 0)
}

// While an answer is being refreshed, or can't be, the stale one is served: clients of a popular
// endpoint don't wait for a query that takes longer than the cache time.
func TestStaleWhileBusy(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{
		"kept":  "-- Kept.\n-- cache: 100ms\n-- limit: time=20s\nSELECT sum(n) AS n FROM things",
		"other": "-- Other.\n-- param: n integer\nSELECT sum(n) + $n AS n FROM things",
	}, func(cfg *api.Config) { cfg.MaxRunning, cfg.MaxWaiting = 1, 2 })
	i.rows(t, "/v1/test/kept")
	i.commit(t, "INSERT INTO things VALUES (10)")
	time.Sleep(110 * time.Millisecond)
	c.gate = make(chan struct{})
	before := c.streams.Load()
	var first sync.WaitGroup
	first.Go(func() {
		if got := fmt.Sprint(i.rows(t, "/v1/test/kept").Data[0]["n"]); got != "11" {
			t.Errorf("who asked first got %s, not the new answer", got)
		}
	})
	for c.streams.Load() == before {
		time.Sleep(time.Millisecond)
	}
	if got := fmt.Sprint(i.rows(t, "/v1/test/kept").Data[0]["n"]); got != "1" {
		t.Errorf("beside the query: %s", got)
	}
	close(c.gate)
	first.Wait()

	// Without a free turn the stale answer is served at once.
	i.commit(t, "INSERT INTO things VALUES (100)")
	time.Sleep(110 * time.Millisecond)
	c.gate = make(chan struct{})
	before = c.streams.Load()
	var others sync.WaitGroup
	for n := range 2 {
		others.Go(func() { i.get(t, fmt.Sprintf("/v1/test/other?n=%d", n)) })
	}
	for c.streams.Load() == before {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the other gets in line
	for range 3 {
		if r := i.get(t, "/v1/test/kept"); r.status != http.StatusOK || !strings.Contains(r.text, `"n":11`) {
			t.Errorf("without a free turn: %d %s", r.status, r.text)
		}
	}
	close(c.gate)
	others.Wait()
}

// A volatile answer is not revalidated by the last commit.
func TestVolatileIsNotKept(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{
		"now":  "-- Now.\nSELECT epoch_us(now()) AS n",
		"view": "-- Of a view.\nSELECT 1 AS n",
	})
	first := i.rows(t, "/v1/test/now")
	second := i.rows(t, "/v1/test/now")
	if fmt.Sprint(first.Data) == fmt.Sprint(second.Data) || first.header.Get("ETag") == second.header.Get("ETag") || c.streams.Load() != 2 {
		t.Errorf("%s then %s", first.text, second.text)
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{
		"big":  "-- Big.\n-- limit: rows=1000000\nSELECT range AS i, md5(range::VARCHAR) AS t FROM range(40000)",
		"kept": "-- Kept.\n-- cache: 1h\nSELECT 1 AS n",
	})
	for _, path := range []string{"/v1/test/big", "/v1/test/kept", "/v1/test/big?format=parquet", "/v1", "/openapi.json"} {
		_, header, _ := i.body(t, path)
		etag, before := header.Get("ETag"), c.streams.Load()
		for _, names := range []string{etag, `"other", ` + etag, "*", strings.TrimPrefix(etag, "W/")} {
			status, header, body := i.body(t, path, "If-None-Match", names)
			if status != http.StatusNotModified || len(body) > 0 || header.Get("ETag") != etag {
				t.Errorf("%s with %s: %d, %d bytes, %v", path, names, status, len(body), header)
			}
			if strings.HasPrefix(path, "/v1/") && header.Get("Data-As-Of") == "" {
				t.Errorf("%s: 304 without Data-As-Of", path)
			}
		}
		if n := c.streams.Load() - before; n > 1 { // "*" has to be asked for
			t.Errorf("%s: 304 took %d queries", path, n)
		}
		if status, _, _ := i.body(t, path, "If-None-Match", `"other"`); status != http.StatusOK {
			t.Errorf("%s with another ETag: %d", path, status)
		}
	}
	_, header, _ := i.body(t, "/v1/test/kept")
	if header.Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("Cache-Control: %s", header.Get("Cache-Control"))
	}
	big := i.rows(t, "/v1/test/kept").header.Get("ETag")
	i.commit(t, "SELECT 1")
	if status, _, _ := i.body(t, "/v1/test/big", "If-None-Match", big); status != http.StatusOK {
		t.Errorf("after a commit: %d", status)
	}
}

// Concurrent equal requests share one query, large answers too.
func TestSingleFlight(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{1, 50_000} {
		i, c := setupCounted(t, map[string]string{"rows": "-- Rows.\n-- param: n integer required\n-- limit: rows=1000000\nSELECT range AS i, md5(range::VARCHAR) AS t FROM range($n)"}, func(cfg *api.Config) { cfg.QueryTimeout = time.Minute })
		i.rows(t, "/v1/test/rows?n=5") // learns the shape
		c.streams.Store(0)
		c.gate = make(chan struct{})
		var group sync.WaitGroup
		var wrong atomic.Int64
		const clients = 20
		for range clients {
			group.Go(func() {
				if r := i.get(t, fmt.Sprintf("/v1/test/rows?n=%d", rows)); r.status != http.StatusOK || len(r.Data) != rows {
					wrong.Add(1)
				}
			})
		}
		time.Sleep(200 * time.Millisecond)
		close(c.gate)
		group.Wait()
		if n := c.streams.Load(); wrong.Load() > 0 || n > 2 { // a late one asks again
			t.Errorf("%d rows: %d queries, %d wrong answers", rows, n, wrong.Load())
		}
	}
}

// The cache is bounded.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{"rows": "-- Rows.\n-- param: n integer required\n-- cache: 1h\nSELECT string_agg(md5(($n * 1000 + range)::VARCHAR), '') AS t, $n AS n FROM range(300)"}, func(cfg *api.Config) {
		cfg.CacheBytes = 200_000
	})
	for n := range 100 {
		i.rows(t, fmt.Sprintf("/v1/test/rows?n=%d", n))
	}
	time.Sleep(100 * time.Millisecond) // the cache drops what is too much beside the requests
	c.streams.Store(0)
	for n := range 100 {
		i.rows(t, fmt.Sprintf("/v1/test/rows?n=%d", n))
	}
	if kept := 100 - c.streams.Load(); kept > 30 {
		t.Errorf("%d answers of 10 kB were kept in 200 kB", kept)
	}
}
