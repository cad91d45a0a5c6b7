package page_test

import (
	"context"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/page"
	"github.com/estela-dev/estela/services/internal/problem"
)

// askedVisit is a visit whose questions are answered by a function.
type askedVisit struct {
	page.Visit // what these pages don't ask

	c        *fiber.Ctx
	inspects bool
	answer   func(file string, query url.Values) (status int, header http.Header, body string)
}

func (v askedVisit) Inspects() bool { return v.inspects }
func (v askedVisit) Guarded() bool  { return false }

func (v askedVisit) Datasets() []endpoint.Dataset {
	return []endpoint.Dataset{
		{Name: "flights", Columns: []contract.Column{{Name: "origin", Unit: "<i>"}}, Tables: []string{"airports"}, Views: "CREATE VIEW late AS SELECT 1 AS n;"},
		{Name: "other"},
	}
}

func (v askedVisit) Ask(file string, query url.Values) (int, http.Header, []byte, error) {
	status, header, body := v.answer(file, query)
	return status, header, []byte(body), nil
}

func (v askedVisit) Send(file string, query url.Values) error {
	return v.c.SendString(file + "\n" + query.Encode())
}

// visited serves a page to the visit.
func visited(t *testing.T, cfg page.Config, v askedVisit, target string, header ...string) (int, string) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := page.New(cfg)
	app := fiber.New(fiber.Config{ReadBufferSize: 32 << 10})
	app.Get("/*", func(c *fiber.Ctx) error {
		v.c = c
		return s.Serve(c, v)
	})
	status, _, body := get(t, app, target, header...)
	return status, body
}

func sqlURL(sql string, more ...string) string {
	query := url.Values{"sql": {sql}}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return "/sql?" + query.Encode()
}

const hostileSQL = `</textarea><script>alert(1)</script>'"&`

// answers are those of an answer with hostile names and values.
func answers(query url.Values) string {
	if query.Get("format") == "dictionary" {
		return "name,type,unit,title,description,example\r\nn,HUGEINT,<b>km</b>,,,\r\nt,VARCHAR,,,,\r\n\"" + strings.ReplaceAll(hostileSQL, `"`, `""`) + "\",VARCHAR,,,,\r\n"
	}
	return `{"data":[{"n":170141183460469231731687303715884105727,"t":"","x":"<script>alert(2)</script>"},{"n":1.10,"t":null,"x":"` + strings.Repeat("long ", 100) + `"},{"n":[1,"<u>"],"t":"null","x":"NULL"},{"n":null,"t":"a","x":"b"}],"meta":{"rows":4,"next":"a&b"}}`
}

// largeVisit is a visit whose answers are too large for a page.
type largeVisit struct{ askedVisit }

func (v largeVisit) Ask(file string, query url.Values) (int, http.Header, []byte, error) {
	if query.Get("format") == "json" {
		return 0, nil, nil, problem.Kind{Status: http.StatusBadRequest, Title: "Answer too large"}.New("", "It is too large for a page.")
	}
	return v.askedVisit.Ask(file, query)
}

// What is too large for a page can be downloaded from it, and the SQL is still there.
func TestLargeAnswerIsForDownload(t *testing.T) {
	t.Parallel()
	s := page.New(page.Config{Logger: slog.New(slog.DiscardHandler)})
	app := fiber.New()
	v := largeVisit{askedVisit{inspects: true, answer: func(_ string, query url.Values) (int, http.Header, string) {
		return http.StatusOK, nil, answers(query)
	}}}
	app.Get("/*", func(c *fiber.Ctx) error { return s.Serve(c, v) })
	status, _, body := get(t, app, sqlURL("SELECT 42 AS large"))
	for _, want := range []string{"It is too large for a page.", `download="query.csv"`, "SELECT 42 AS large</textarea>"} {
		if status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%d, no %s in\n%s", status, want, body)
		}
	}
}

// A NULL that may be another value in the answer's JSON is said to be one.
func TestDoubtfulNulls(t *testing.T) {
	t.Parallel()
	for kind, doubtful := range map[string]bool{"DOUBLE": true, "TIMESTAMP WITH TIME ZONE": true, "DATE": true, "VARCHAR": false, "INTEGER": false} {
		v := askedVisit{inspects: true, answer: func(_ string, query url.Values) (int, http.Header, string) {
			if query.Get("format") == "dictionary" {
				return http.StatusOK, nil, "name,type,unit,title,description,example\r\nn," + kind + ",,,,\r\n"
			}
			return http.StatusOK, nil, `{"data":[{"n":null}],"meta":{"rows":1,"next":null}}`
		}}
		if _, body := visited(t, page.Config{}, v, sqlURL("SELECT 1")); strings.Contains(body, "NULL here may be a NaN") != doubtful {
			t.Errorf("%s: %s", kind, body)
		}
	}
}

func TestSQLPage(t *testing.T) {
	t.Parallel()
	var files []string
	var queries []url.Values
	v := askedVisit{inspects: true, answer: func(file string, query url.Values) (int, http.Header, string) {
		if !strings.HasPrefix(file, "-- Columns") {
			files, queries = append(files, file), append(queries, query)
		}
		return http.StatusOK, http.Header{"Estela-More-Rows": {"true"}}, answers(query)
	}}
	sql := "SELECT '" + hostileSQL + "' AS x\r\nFROM flights JOIN other USING (n)"
	status, body := visited(t, page.Config{}, v, sqlURL(sql, "kind", "bar", "x", "t", "y", "n", "lang", "en"))
	for _, want := range []string{
		">170141183460469231731687303715884105727</td>", ">1.10</td>", `<td class="short"></td>`, `<span class="null">NULL</span>`, `<td class="short">null</td>`, `<td class="short">NULL</td>`,
		"&lt;script&gt;alert(2)&lt;/script&gt;", html.EscapeString(hostileSQL)[:20], "<small>HUGEINT</small>", "There are more rows", "<details><summary>long",
		`src="/sql/answer?format=svg&amp;kind=bar&amp;sql=`, `download="query.parquet"`, "cursor=a%26b", "4 rows in", `<td class="number"><span class="null">NULL</span>`, `<option selected>bar</option>`,
		"flights/endpoints/my-query.sql", "-- reads: other\n", "-- chart: bar x=t y=n", "&lt;b&gt;km", `<code>origin</code>`, "<summary>late</summary>", "<summary>airports</summary>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	if status != http.StatusOK || strings.Contains(body, "<script>alert") || strings.Contains(body, "<u>") || strings.Contains(body, "<i>") {
		t.Errorf("%d\n%s", status, body)
	}
	plain := strings.ReplaceAll(sql, "\r\n", "\n")
	if len(files) != 3 || files[1] != "-- Query\n-- limit: time=10s\n"+plain || files[2] != "-- Query\n-- limit: time=10s\n-- chart: bar x=t y=n\n"+plain || queries[1].Get("limit") != "1000" {
		t.Errorf("%q %v", files, queries)
	}
	// The answer itself.
	_, body = visited(t, page.Config{}, v, strings.Replace(sqlURL("-- Mine.\n-- param: a integer\n-- limit: rows=50\nSELECT $a", "p.a", "7", "p.b", "8", "format", "csv"), "/sql", "/sql/answer", 1))
	if body != "-- Mine.\n-- param: a integer\n-- limit: rows=50\nSELECT $a\na=7&format=csv&limit=50" {
		t.Errorf("%q", body)
	}
	// A header of one's own: its parameters have fields.
	own := "\n-- Mine.\n-- param: name string required enum=\"<a>\",b -- Which <one>.\n-- chart: bar x=t y=n\nSELECT $name"
	files = nil
	_, body = visited(t, page.Config{}, v, sqlURL(own, "p.name", "<a>", "kind", "line", "x", "t"))
	if !strings.Contains(body, `<select id="p-name" name="p.name"><option value=""></option><option selected>&lt;a&gt;</option>`) || !strings.Contains(body, "Which &lt;one&gt;.") || strings.Contains(body, `name="kind"`) || !strings.Contains(body, `class="chart"`) || files[0] != own {
		t.Errorf("%q\n%s", files, body)
	}
	if _, body = visited(t, page.Config{}, v, "/sql"); strings.Contains(body, `id="answer"`) || !strings.Contains(body, "<textarea") {
		t.Error(body)
	}
}

func TestSQLPageFaults(t *testing.T) {
	t.Parallel()
	problem := `{"title":"Bad request","detail":"%s"}`
	v := askedVisit{inspects: true}
	fails := func(status int, body string) {
		v.answer = func(string, url.Values) (int, http.Header, string) { return status, nil, body }
	}
	for _, c := range []struct {
		sql, detail string
		want        []string
	}{
		{"SELECT ñ,\n <x> FROM t", `query.sql:4:2: reads <x>; no`, []string{"Line 2, column 2: reads &lt;x&gt;; no", "<li>SELECT ñ,</li>", "<li> <mark>&lt;</mark>x&gt; FROM t</li>", `aria-invalid="true"`}},
		{"SELECT ñ, möwe", `query.sql:3:11: what`, []string{"Line 1, column 11", "<li>SELECT ñ, <mark>möwe</mark></li>"}},
		{"SELECT 1", `query.sql:3: what\nand more\nquery.sql:99:7: beyond\nquery.sql:2: ours\nquery.sql: all`, []string{"Line 1: what\nand more", "<li><mark>SELECT 1</mark></li>", ">ours</li>", ">all</li>"}},
		{"-- Own.\nSELECT 1", `query.sql:2:8: what`, []string{"Line 2, column 8", "SELECT <mark>1</mark>"}},
		{"-- Own.\nSELECT 1", `busy <b>`, []string{"Bad request: busy &lt;b&gt;"}},
	} {
		fails(http.StatusBadRequest, fmt.Sprintf(problem, c.detail))
		status, body := visited(t, page.Config{}, v, sqlURL(c.sql))
		for _, want := range c.want {
			if status != http.StatusBadRequest || !strings.Contains(body, want) {
				t.Errorf("%q: %d, no %s in\n%s", c.sql, status, want, body)
			}
		}
	}
	fails(http.StatusBadRequest, `{"title":"x","detail":"It must be <an> integer.","parameter":"a"}`)
	if _, body := visited(t, page.Config{}, v, sqlURL("-- Own.\n-- param: a integer\nSELECT $a", "p.a", `"><b>`)); !strings.Contains(body, `<p class="error" id="f-a">It must be &lt;an&gt; integer.</p>`) || !strings.Contains(body, `aria-describedby="f-a"`) || !strings.Contains(body, `value="&#34;&gt;&lt;b&gt;"`) {
		t.Error(body)
	}
	fails(http.StatusBadGateway, "no JSON")
	if status, body := visited(t, page.Config{}, v, sqlURL("SELECT 1")); status != http.StatusBadGateway || !strings.Contains(body, "no JSON") {
		t.Errorf("%d %s", status, body)
	}
	for _, c := range []struct {
		target, site string
		inspects     bool
		status       int
		want         string
	}{
		{sqlURL(strings.Repeat("é", 5000)), "", true, http.StatusRequestURITooLong, "14 KiB"},
		{"/sql?sql=a%26b", "cross-site", true, http.StatusForbidden, `<a href="/sql?sql=a%26b">`},
		{"/sql/answer?sql=SELECT", "same-site", true, http.StatusForbidden, "Open the page"},
		{"/sql", "same-origin", false, http.StatusForbidden, "right to inspect"},
		{"/sql/none", "none", true, http.StatusNotFound, "Nothing is here"},
	} {
		v.inspects = c.inspects
		if status, body := visited(t, page.Config{}, v, c.target, "Sec-Fetch-Site", c.site); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%.60s: %d %s", c.target, status, body)
		}
	}
}

// someRejects are those of a dataset.
type someRejects struct {
	groups []page.RejectGroup
	all    []page.Reject
	err    error
}

func (s someRejects) Groups(_ context.Context, _ string, limit int) ([]page.RejectGroup, error) {
	return s.groups[:min(limit, len(s.groups))], s.err
}

func (s someRejects) Newest(_ context.Context, _, keyword, place string, _ int) (found []page.Reject, err error) {
	for _, r := range s.all {
		if v := r.Reason(); v.Keyword == keyword && v.Pointer == place {
			found = append(found, r)
		}
	}
	return found, s.err
}

func (s someRejects) List(_ context.Context, _ string, limit int, after string) (found []page.Reject, err error) {
	if after == "x" {
		return nil, page.ErrNoReject
	}
	for _, r := range s.all {
		if r.ID > after && len(found) < limit {
			found = append(found, r)
		}
	}
	return found, s.err
}

func (s someRejects) Get(_ context.Context, _, id string) (page.Reject, error) {
	for _, r := range s.all {
		if r.ID == id {
			return r, s.err
		}
	}
	return page.Reject{}, page.ErrNoReject
}

func TestRejectPages(t *testing.T) {
	t.Parallel()
	var s someRejects
	for i := range 120 {
		s.all = append(s.all, page.Reject{
			ID: fmt.Sprintf("0/1-%03d/0", i), At: time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC), Payload: []byte(`{"<a>": "<script>alert(1)</script>", "b": 2}`),
			Violations: []page.Violation{{Pointer: "/<a>", Keyword: "<k>", Message: "want integer, found \"<script>\""}, {Keyword: "required", Message: "lacks c"}},
		})
	}
	s.all[7].Violations = nil
	for i := range 101 {
		s.groups = append(s.groups, page.RejectGroup{Keyword: "<k>", Place: "/<a>", Message: "<i>" + strings.Repeat("x", 300), Rejects: 12_345, First: time.Date(2026, 1, 2, 0, 0, i, 0, time.UTC)})
	}
	cfg := page.Config{Rejects: s, DataDir: "/srv/it's", Data: []string{"/srv/data"}}
	flags := html.EscapeString(` --data '/srv/data' --data-dir '/srv/it'\''s'`)
	tab := `aria-current="page">Rejects</a>`
	v := askedVisit{inspects: true}
	for _, c := range []struct {
		path   string
		status int
		want   []string
	}{
		{"/datasets/flights/rejects", 200, []string{"12,345", "2026-01-02 00:00:01", "There are more reasons", "keyword=%3Ck%3E", "place=%2F%3Ca%3E", `href="/datasets/flights/rejects/0/1-000/0"`, "after=0%2F1-049%2F0", "estela rejects replay flights" + flags, "--older-than 720h --yes" + flags, tab}},
		{"/datasets/flights/rejects?lang=es", 200, []string{"Motivos", "12.345", "/datasets/flights/rejects/0/1-000/0?lang=es"}},
		{"/datasets/flights/rejects?after=0/1-049/0", 200, []string{"0/1-050/0", "after=0%2F1-099%2F0", "First page"}},
		{"/datasets/flights/rejects?after=0/1-099/0", 200, []string{"0/1-119/0"}},
		{"/datasets/flights/rejects?after=0/2-0/0", 200, []string{"no rejects here any more"}},
		{"/datasets/flights/rejects?after=x", 404, nil},
		{"/datasets/flights/rejects?keyword=%3Ck%3E&place=/%3Ca%3E", 200, []string{"Newest of this reason", "0/1-119/0", "All rejects"}},
		{"/datasets/flights/rejects/0/1-003/0", 200, []string{"<mark>&#34;&lt;script&gt;alert(1)&lt;/script&gt;&#34;</mark>, &#34;b&#34;: 2}", "<mark>{</mark>", "lacks c", "estela rejects show flights 0/1-003/0 --raw" + flags, "estela publish flights event.json" + flags, tab}},
		{"/datasets/flights/rejects/0/1-007/0", 200, []string{"{&#34;&lt;a&gt;"}},
		{"/datasets/flights/rejects/0/1-999/0", 404, []string{"replayed or purged"}},
		{"/datasets/flights/rejects/%2e%2e/%2f/%00", 404, nil},
		{"/datasets/none/rejects", 404, nil},
		{"/datasets/none/rejects/0/1-003/0", 404, nil},
	} {
		status, body := visited(t, cfg, v, c.path)
		if status != c.status || strings.Contains(body, "<script>alert") || strings.Contains(body, "<i>x") {
			t.Errorf("%s: %d\n%s", c.path, status, body)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in\n%s", c.path, want, body)
			}
		}
	}
	for _, path := range []string{"/datasets/flights/rejects", "/datasets/flights/rejects/0/1-003/0"} {
		if status, _ := visited(t, page.Config{}, v, path); status != http.StatusNotFound {
			t.Errorf("%s without rejects: %d", path, status)
		}
		if status, _ := visited(t, cfg, askedVisit{}, path); status != http.StatusForbidden {
			t.Errorf("%s without the right: %d", path, status)
		}
		slow := s
		slow.err = fmt.Errorf("read: %w", context.DeadlineExceeded)
		if status, body := visited(t, page.Config{Rejects: slow}, v, path); status != http.StatusServiceUnavailable || !strings.Contains(body, "took too long") {
			t.Errorf("%s of a slow warehouse: %d %s", path, status, body)
		}
	}
	if _, body := visited(t, page.Config{Rejects: someRejects{}}, v, "/datasets/flights/rejects"); !strings.Contains(body, "There are no rejects.") || strings.Contains(body, "estela rejects replay") {
		t.Error(body)
	}
}
