package main_test

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestE2EInspect: SQL and rejects on the pages of a running 'up', with its own API and warehouse behind them.
func TestE2EInspect(t *testing.T) {
	t.Parallel()
	data := things(t, "readings", readings)
	writeFile(t, filepath.Join(data, "readings", "views.sql"), "CREATE VIEW warm AS SELECT id, celsius FROM readings WHERE celsius > 20;")
	s := up(t, t.TempDir(), "--data", data, "--no-sample")
	const script = "<script>alert(1)</script>"
	s.redis("XADD", "estela:{readings:0}", "*", "event", `{"id":"a`+script+`","measured_at":"2026-01-01T00:00:00Z","celsius":21.50}`)
	s.redis("XADD", "estela:{readings:0}", "*", "event", `{"id":"b","measured_at":"2026-01-01T00:00:00Z","celsius":"`+script+`"}`)
	s.redis("XADD", "estela:{readings:0}", "*", "event", script)
	page := func(path string, status int, wants ...string) (body string) {
		t.Helper()
		res, err := http.Get("http://" + s.api + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body = bodyOf(t, res)
		if res.StatusCode != status || strings.Contains(body, script) && strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d\n%s", path, res.StatusCode, body)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in\n%s", path, want, body)
			}
		}
		return body
	}
	sql := func(path, text string, more ...string) string {
		query := url.Values{"sql": {text}}
		for i := 0; i+1 < len(more); i += 2 {
			query.Set(more[i], more[i+1])
		}
		return path + "?" + query.Encode()
	}
	eventually(t, "the event is stored, and the rejects", func() error {
		if body := page("/datasets/readings/rejects", 200); strings.Count(body, "/datasets/readings/rejects/0/") != 2 {
			return fmt.Errorf("%s", body)
		}
		if body := page(sql("/sql", "SELECT id FROM readings"), 200); !strings.Contains(body, "1 rows in") {
			return fmt.Errorf("%s", body)
		}
		return nil
	})
	page(sql("/sql", "SELECT *, NULL AS nothing FROM warm"), 200, "a&lt;script&gt;", ">21.5</td>", `<span class="null">NULL</span>`, "<small>DOUBLE</small>", "<summary>warm</summary>", "readings/endpoints/my-query.sql")
	page(sql("/sql", "SELECT *\nFROM nothing"), 400, "Line 2, column 6: reads nothing", "FROM <mark>nothing</mark>")
	page(sql("/sql", "-- Mine.\n-- param: least number default=30\nSELECT id FROM warm WHERE celsius > $least", "p.least", "20"), 200, "1 rows in", `value="20"`)
	page(sql("/sql", "-- Mine.\n-- param: least number\nSELECT id FROM warm WHERE celsius > $least", "p.least", "hot"), 400, `id="f-least"`, "hot")
	page(sql("/sql", "SELECT range AS n FROM range(2000)"), 200, "1,000 rows in", "There are more rows")
	page(sql("/sql", "-- All.\n-- order: n\nSELECT range AS n FROM range(2000)"), 200, "cursor=")
	page(sql("/sql", "SELECT id AS x, celsius AS y FROM warm", "kind", "bar", "x", "x", "y", "y"), 200, `<img class="chart" src="/sql/answer?`)
	page(sql("/sql", "SELECT id AS x FROM warm", "kind", "bar", "x", "x", "y", "x"), 200, "is no number")
	page(sql("/sql/answer", "SELECT id AS x, celsius AS y FROM warm", "kind", "bar", "x", "x", "y", "y", "format", "svg"), 200, "<svg", "&lt;script&gt;")
	page(sql("/sql/answer", "SELECT range AS n FROM range(2000)", "format", "csv"), 200, "n\r\n0\r\n", "\r\n1999\r\n")
	for _, word := range []string{"SELECT * FROM estela.rejects", "SELECT * FROM warehouse.estela.positions", "SELECT * FROM read_text('/etc/hostname')", "DROP TABLE readings"} {
		page(sql("/sql", word), 400, `id="sql-faults"`)
	}
	page("/ask?"+url.Values{"sql": {"SELECT 1"}}.Encode(), 404)
	eventually(t, "what is longer than the header may be is said to be", func() error {
		res, err := http.Get("http://" + s.api + sql("/sql", strings.Repeat("x", 20_000)))
		if err != nil {
			return errors.Unwrap(err) // the server closes without reading the rest, which can reset the connection
		}
		defer res.Body.Close()
		if body := bodyOf(t, res); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !strings.Contains(body, "16 KiB") {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		return nil
	})
	// What the page of "save as endpoint" shows passes the check that it names.
	body := page(sql("/sql", "-- Warm.\nSELECT id FROM warm ORDER BY id LIMIT 10"), 200)
	match := regexp.MustCompile(`(?s)<code>(readings/endpoints/my-query.sql)</code>.*?<pre data-copy="Copy" data-copied="Copied">(.*?)</pre>`).FindStringSubmatch(body)
	if match == nil {
		t.Fatal(body)
	}
	if err := os.MkdirAll(filepath.Join(data, "readings", "endpoints"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(data, match[1]), html.UnescapeString(match[2]))
	must(t, "", "endpoint", "check", "--data", data)
	// The rejects by reason, and one with its place marked.
	list := page("/datasets/readings/rejects", 200, "/celsius", "(document)", "estela rejects replay readings")
	path := regexp.MustCompile(`/datasets/readings/rejects/0/[0-9]+-[0-9]+/0`).FindString(list)
	page(path, 200, `&#34;celsius&#34;:<mark>&#34;&lt;script&gt;alert(1)&lt;/script&gt;&#34;</mark>}`, "number")
	page("/datasets/readings/rejects?keyword=json&place=", 200, "Newest of this reason")
	page("/datasets/readings/rejects?after=x", 404)
	page("/datasets/readings/rejects/x/y/z", 404)
	must(t, "", "rejects", "purge", "readings", "--yes", "--data", data, "--data-dir", s.dir)
	page(path, 404, "replayed or purged")
	page("/datasets/readings/rejects", 200, "There are no rejects.")
}

// bodyOf reads a response.
func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
