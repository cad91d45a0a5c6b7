package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/telemetrytest"
)

// askPages are pages that ask what their URL says: /sql shows the answer to ?file= with the other parameters,
// /sql/answer is it, and any other says what is open.
type askPages struct{}

func (askPages) Serve(c *fiber.Ctx, v *api.Visit) error {
	query, err := url.ParseQuery(string(c.Context().URI().QueryString()))
	if err != nil {
		return err
	}
	file := query.Get("file")
	query.Del("file")
	switch c.Path() {
	case "/sql/answer":
		return v.Send(file, query)
	case "/sql":
		status, header, body, err := v.Ask(file, query)
		if err != nil {
			return err
		}
		for _, name := range []string{"Estela-More-Rows", "Cache-Control", "Link", "Content-Type"} {
			c.Set("Inner-"+name, header.Get(name))
		}
		return c.Status(status).Send(body)
	case "/live":
		status, _, body, err := v.Get("/v1/test/one", "")
		if err != nil {
			return err
		}
		return c.Status(status).Send(body)
	}
	return c.JSON(map[string]bool{"inspects": v.Inspects()})
}

func (askPages) ServeAsset(c *fiber.Ctx) error { return c.SendString("asset") }

// local serves pages to whoever is on this machine.
func local(cfg *api.Config) { cfg.Pages, cfg.LocalOnly = askPages{}, true }

// asked returns the path of a page that asks.
func asked(page, sql string, more ...string) string {
	query := url.Values{"file": {sql}}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return page + "?" + query.Encode()
}

const things = "CREATE TABLE things AS SELECT range AS n, 'a' || range AS t FROM range(250); CREATE VIEW few AS SELECT n FROM things WHERE n < 3; CREATE SCHEMA other; CREATE TABLE other.secret AS SELECT 'hunter2' AS word"

func TestAdhoc(t *testing.T) {
	t.Parallel()
	i := setup(t, things, map[string]string{"one": "-- One.\nSELECT 1 AS n"}, local, func(cfg *api.Config) {
		cfg.Datasets[0].Views = "CREATE VIEW few AS SELECT n FROM things WHERE n < 3;"
		cfg.Datasets = append(cfg.Datasets, endpoint.Dataset{Name: "second"}) // none of the queries reads it
	})
	r := i.rows(t, asked("/sql", "-- Two.\n-- param: least integer default=2\nSELECT n FROM few WHERE n >= $least", "least", "1"))
	if len(r.Data) != 2 || r.header.Get("Inner-Cache-Control") != "no-store" || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v", r)
	}
	// Pages by the cursor, an answer in one piece by a limit.
	paged := "-- Pages.\n-- order: n\nSELECT n FROM things"
	if r = i.rows(t, asked("/sql", paged, "limit", "100")); len(r.Data) != 100 || r.Meta.Next == nil {
		t.Fatalf("%+v", r.Meta)
	}
	if r = i.rows(t, asked("/sql", paged, "limit", "200", "cursor", *r.Meta.Next)); len(r.Data) != 150 || r.Meta.Next != nil || r.header.Get("Inner-Link") != "" {
		t.Errorf("%+v", r.Meta)
	}
	for limit, more := range map[string]string{"249": "true", "250": "", "1000": ""} {
		if r = i.rows(t, asked("/sql", "-- All.\nSELECT * FROM things", "limit", limit)); r.header.Get("Inner-Estela-More-Rows") != more || len(r.Data) != map[string]int{"249": 249}[limit] && len(r.Data) != 250 {
			t.Errorf("limit %s: %d rows, more: %q", limit, len(r.Data), r.header.Get("Inner-Estela-More-Rows"))
		}
	}
	for path, want := range map[string]string{
		asked("/sql", "-- X.\nSELECT n FROM things", "limit", "100001"):                              "at most 100000",
		asked("/sql", "-- X.\nSELECT n FROM things", "cursor", "x"):                                  "in one piece",
		asked("/sql", "-- X.\n-- limit: rows=100\nSELECT n FROM things"):                             "more than 100 rows",
		asked("/sql", "-- X.\n-- limit: rows=1000000 time=1h\nSELECT range AS n FROM range(100001)"): "more than 100000 rows",
		asked("/sql", "-- X.\n-- param: n integer\nSELECT $n AS n", "n", "x"):                        "It must be",
	} {
		if r := i.get(t, path); r.status != http.StatusBadRequest || !strings.Contains(r.Detail, want) {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	status, header, body := i.body(t, asked("/sql/answer", "-- X.\nSELECT 1.50 AS a, NULL AS b", "format", "csv"))
	if status != http.StatusOK || string(body) != "a,b\r\n1.50,\r\n" || header.Get("Cache-Control") != "no-store" || header.Get("Link") != "" {
		t.Errorf("%d %q %v", status, body, header)
	}
	status, header, body = i.body(t, asked("/sql/answer", "-- X.\nSELECT x", "format", "csv"))
	if status != http.StatusBadRequest || !strings.Contains(string(body), `"instance":"/sql/answer"`) || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", status, body)
	}
	status, header, body = i.body(t, asked("/sql/answer", "-- X.\nSELECT 1 AS n", "format", "dictionary"))
	if status != http.StatusOK || !strings.Contains(string(body), "INTEGER") || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", status, body, header)
	}
	// Without a Visit nothing is there.
	for _, path := range []string{"/ask", "/ask?adhoc=SELECT", "/none"} {
		if r := i.get(t, path); r.status != http.StatusNotFound || !strings.Contains(r.Detail, "GET /v1 lists") {
			t.Errorf("%s: %s", path, r.text)
		}
	}
}

// Only SELECTs on what datasets have; a fault has the line and the column of the text.
func TestAdhocRefusals(t *testing.T) {
	t.Parallel()
	i := setup(t, things, nil, local)
	for sql, want := range map[string]string{
		"SELECT *\nFROM nothing":                            "query.sql:3:6: reads nothing",
		"SELECT *\n  FROM things\n WHERE ñ = 'ñ' AND x = 1": "query.sql:4:8: ",
		"SELECT 'ñandú' AS a,\n  'é' || 1 ++ FROM things":   "query.sql:3:",
		"SELECT n FROM things; SELECT 1":                    "query.sql:2: has several statements",
		"SELECT":                                            "query.sql:2",
		"":                                                  "is not a query",
		"\x00":                                              "UTF-8",
		"DELETE FROM things":                                "is not a query",
		"ATTACH '/tmp/x.db'":                                "is not a query",
		"COPY things TO '/tmp/x.csv'":                       "is not a query",
		"PRAGMA database_list":                              "is not a query",
		"SET memory_limit = '1TB'":                          "is not a query",
		"FROM things":                                       "is not a query",
		"DESCRIBE things":                                   "is not a query",
		"WITH x AS (DELETE FROM things RETURNING *) SELECT * FROM x": "query.sql:",
		"SELECT * FROM read_csv('/etc/passwd')":                      "function read_csv",
		"SELECT * FROM read_text('/etc/passwd')":                     "function read_text",
		"SELECT * FROM '/etc/passwd'":                                "/etc/passwd",
		"SELECT * FROM 'x.parquet'":                                  "x.parquet",
		"SELECT * FROM glob('/etc/*')":                               "function glob",
		"SELECT * FROM query('SELECT 1')":                            "function query",
		"SELECT * FROM query_table('other.secret')":                  "function query_table",
		"SELECT * FROM duckdb_settings()":                            "function duckdb_settings",
		"SELECT * FROM duckdb_secrets()":                             "function duckdb_secrets",
		"SELECT * FROM pragma_table_info('things')":                  "function pragma_table_info",
		"SELECT getenv('HOME') AS x":                                 "function getenv",
		"SELECT current_setting('home_directory') AS x":              "function current_setting",
		"SELECT * FROM information_schema.tables":                    "not a dataset's",
		"SELECT * FROM pg_catalog.pg_class":                          "not a dataset's",
		"SELECT * FROM other.secret":                                 "not a dataset's",
		"SELECT * FROM memory.other.secret":                          "not a dataset's",
		"SELECT * FROM sqlite_master":                                "sqlite_master",
		"SELECT (SELECT word FROM other.secret) AS x":                "not a dataset's",
		"SELECT repeat('x', 1000000000000) AS x":                     "query.sql:2",
		"SELECT CAST('x' || n AS INTEGER) AS x FROM things":          "Could not convert string 'x0'",
		"SELECT $p AS x":                                             "not declared",
		"SELECT ? AS x":                                              "has the parameter ?",
	} {
		r := i.get(t, asked("/sql", "-- X.\n"+sql))
		if r.status != http.StatusBadRequest || !strings.Contains(r.Detail, want) || strings.Contains(r.text, "hunter2") || strings.Contains(r.text, "root:") {
			t.Errorf("%s: %d %s", sql, r.status, r.text)
		}
	}
	// All faults come together, one a line.
	if r := i.get(t, asked("/sql", "-- X.\n-- param: a integer\n-- cash: 2s\nSELECT 1 AS n")); strings.Count("\n"+r.Detail, "\nquery.sql:") != 2 {
		t.Errorf("%q", r.Detail)
	}
	if log := i.log.String(); strings.Contains(log, "level=ERROR") {
		t.Error(log)
	}
}

// A page of another site has nothing run here, and neither has who lacks the right.
func TestAdhocRights(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	all := []access.Key{{Name: "inspector", Datasets: []string{"*"}, Inspect: true, Rate: 1000}, {Name: "reader", Datasets: []string{"*"}}}
	secrets := map[string]string{}
	for n := range all {
		secret, key := access.NewKey(all[n].Name, all[n].Datasets)
		key.Inspect, key.Rate = all[n].Inspect, all[n].Rate
		all[n], secrets[key.Name] = key, secret
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, text)
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"one": "-- One.\n-- cache: 1h\nSELECT 1 AS n"}
	guarded := setup(t, things, files, local, func(cfg *api.Config) {
		cfg.Access, cfg.LocalOnly, cfg.AccessLog = &access.Authenticator{Keys: keys}, false, "all"
	})
	anonymous := setup(t, things, files, local, func(cfg *api.Config) { cfg.LocalOnly = false })
	open := setup(t, things, files, local)
	basic := func(name string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+secrets[name]))
	}
	const page = "/sql?file=--+X.%0ASELECT+1+AS+n&format=json"
	answer := strings.Replace(page, "/sql", "/sql/answer", 1)
	for _, c := range []struct {
		from                instance
		path, authorization string
		site                string
		want                int
	}{
		{open, page, "", "", 200},
		{open, page, "", "same-origin", 200},
		{open, page, "", "none", 200},
		{open, page, "", "cross-site", 403},
		{open, page, "", "same-site", 403},
		{open, answer, "", "cross-site", 403},
		{open, answer, "", "", 200},
		{open, "/", "", "cross-site", 200},
		{open, "/docs", "", "cross-site", 200},
		{anonymous, page, "", "", 403},
		{anonymous, answer, "", "", 403},
		{guarded, page, "", "", 401},
		{guarded, page, "Bearer " + secrets["reader"], "", 403},
		{guarded, answer, basic("reader"), "", 403},
		{guarded, page, "Bearer " + secrets["inspector"], "", 200},
		{guarded, page, basic("inspector"), "same-origin", 200},
		{guarded, answer, basic("inspector"), "same-origin", 200},
		{guarded, answer, basic("inspector"), "cross-site", 403},
		{guarded, "/live", basic("reader"), "same-origin", 200}, // asks /v1/test/one
		{guarded, "/v1/test/one", "Bearer " + secrets["reader"], "cross-site", 200},
		{guarded, "/v1/test/one", basic("reader"), "same-origin", 200},
		{guarded, "/v1/test/one", basic("reader"), "", 200},
		{guarded, "/v1/test/one", basic("reader"), "cross-site", 401},
		{guarded, "/v1/test/one", basic("reader"), "same-site", 401},
		{guarded, "/v1/test/one?format=csv", basic("reader"), "none", 200},
		{guarded, "/v1", basic("reader"), "none", 200},
		{guarded, "/v1/test/one", "", "same-origin", 401},
	} {
		header := []string{"Authorization", c.authorization, "Sec-Fetch-Site", c.site}
		if c.site == "" {
			header = header[:2]
		}
		status, got, body := c.from.body(t, c.path, header...)
		if status != c.want {
			t.Errorf("%s as %.12s from %q: %d, want %d: %s", c.path, c.authorization, c.site, status, c.want, body)
		}
		if challenge := got.Get("WWW-Authenticate"); status == 401 && strings.HasPrefix(c.path, "/v1") != strings.HasPrefix(challenge, "Bearer") {
			t.Errorf("%s: %s", c.path, challenge)
		}
	}
	// A link from elsewhere leads to the whole page; a script from there, though of an origin that may read answers, gets
	// what needs no right.
	for mode, want := range map[string]string{"navigate": "true", "cors": "false", "no-cors": "false"} {
		if _, _, body := open.body(t, "/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", mode); !strings.Contains(string(body), want) {
			t.Errorf("%s: %s", mode, body)
		}
	}
	log := guarded.log.String()
	if strings.Contains(log, "SELECT") || strings.Contains(log, "/ask") || !strings.Contains(log, "endpoint=page") {
		t.Error(log)
	}
}

// A page is observed and paid for once, whatever it asks.
func TestAdhocIsObservedOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen, accounted := map[string]int{}, map[string]int{}
	i := setup(t, things, nil, local, func(cfg *api.Config) {
		cfg.Rate = 2
		cfg.Observe = func(label string, status int, _ float64) {
			mu.Lock()
			defer mu.Unlock()
			seen[fmt.Sprint(label, " ", status)]++
		}
		cfg.Account = func(a api.Answer) {
			mu.Lock()
			defer mu.Unlock()
			accounted[a.Endpoint]++
		}
	})
	statuses := map[int]int{}
	for range 4 {
		statuses[i.get(t, asked("/sql", "-- X.\nSELECT 1 AS n")).status]++
	}
	mu.Lock()
	defer mu.Unlock()
	if statuses[200] < 2 || statuses[429] == 0 || seen["page 200"] != statuses[200] || len(seen) != 2 || accounted["page"] != 4 || len(accounted) != 1 {
		t.Errorf("%v %v %v", statuses, seen, accounted)
	}
}

// slow runs for as long as it is let.
const slow = "SELECT sum(a.n * b.n * c.n * d.n) AS n FROM things a, things b, things c, things d"

// Ad hoc queries leave a turn to readers, end in time, and their answers are in no cache.
func TestAdhocLeavesRoom(t *testing.T) {
	t.Parallel()
	i := setup(t, things, map[string]string{"few": "-- Few.\nSELECT count(*) AS n FROM things"}, local, func(cfg *api.Config) {
		cfg.MaxRunning, cfg.MaxWaiting, cfg.QueryTimeout = 2, 8, 1500*time.Millisecond
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			sql := fmt.Sprintf("-- Slow.\n-- limit: time=1h\n%s WHERE a.n > %d", slow, n)
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL+asked("/sql", sql), nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("a slow query: %d", res.StatusCode)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	for range 5 {
		start := time.Now()
		i.rows(t, "/v1/test/few")
		if took := time.Since(start); took > time.Second {
			t.Errorf("a reader waited %s", took)
		}
	}
	all.Wait()
}

// An ad hoc text never gets into what others read, though its cache key were made to collide.
func TestAdhocIsNotCached(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{"one": "-- One.\n-- cache: 1h\nSELECT 1 AS n"}, local)
	const sql = "-- One.\n-- cache: 1h\nSELECT 1 AS n"
	i.rows(t, asked("/sql", sql))
	before := c.streams.Load()
	i.rows(t, asked("/sql", sql))
	if c.streams.Load()-before != 1 {
		t.Errorf("%d queries", c.streams.Load()-before)
	}
}

// FuzzAdhoc: whatever is asked, and wherever, is answered, and never as the server's fault.
func FuzzAdhoc(f *testing.F) {
	for _, seed := range []string{"-- X.\nSELECT 1 AS n", "-- X.\n-- chart: bar x=a y=b\nSELECT 1", "-- X.\n-- order: n\nSELECT n FROM things", "SELECT", "-- X.\n-- param: a integer\nSELECT $a, '\"$$", "--", "/* ", "-- X\nSELECT * FROM (VALUES (1)) t(\"ñ\")"} {
		f.Add(seed, "/sql", "limit=1")
	}
	f.Add("", "/sql/%2e%2e/\xff", "%zz&a=b;c")
	db, err := openDB()
	if err != nil {
		f.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(things); err != nil {
		f.Fatal(err)
	}
	var log telemetrytest.Log
	cfg := api.Config{
		Datasets: []endpoint.Dataset{{Name: "test", Tables: []string{"things"}}}, Reader: reader{db},
		Logger: slog.New(slog.NewTextHandler(&log, nil)), QueryTimeout: time.Second,
	}
	local(&cfg)
	server, err := api.New(f.Context(), cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sql, path, query string) {
		c := &fasthttp.RequestCtx{}
		c.Init2(nowhere{}, nil, true)
		c.Request.Header.SetMethod(http.MethodGet)
		c.Request.Header.SetHost("localhost")
		c.Request.Header.SetRequestURI("/" + strings.TrimPrefix(path, "/") + "?" + url.Values{"file": {sql}}.Encode() + "&" + query)
		server.App().Server().Handler(c)
		if c.Response.StatusCode() == http.StatusInternalServerError {
			t.Fatalf("%q %q %q: %s", sql, path, query, log.String())
		}
	})
}

// nowhere is a connection of a request without one.
type nowhere struct{ net.Conn }

func (nowhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (nowhere) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
