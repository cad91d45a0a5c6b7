package api_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// One rule a type, for every type that DuckDB has.
func TestJSONOfEveryType(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TYPE mood AS ENUM ('good', 'bad')", map[string]string{"types": `-- Every type.
SELECT true AS b, 1::TINYINT AS i8, 9223372036854775807 AS i64, 18446744073709551615::UBIGINT AS u64,
  170141183460469231731687303715884105727::HUGEINT AS huge, 1.50::DECIMAL(18,2) AS dec, 0.1::FLOAT AS f32, 0.1::DOUBLE AS f64,
  1e300::DOUBLE AS big, 'nan'::DOUBLE AS nan, '-inf'::DOUBLE AS inf,
  'a"\é' || chr(10) || chr(1) AS text, '<&>' AS html, NULL::VARCHAR AS missing, 'good'::mood AS enum,
  DATE '2001-01-31' AS day, TIME '12:00:00.5' AS clock,
  TIMESTAMPTZ '2001-01-31 12:00:00.123456+01' AS instant, TIMESTAMPTZ '2001-01-31 12:00:00Z' AS second,
  TIMESTAMP '2001-01-31 12:00:00.5' AS local, TIMESTAMP_NS '2001-01-31 12:00:00.123456789' AS nanos,
  'infinity'::TIMESTAMPTZ AS never, DATE '0044-03-15 (BC)' AS ides,
  '6b7f4b2e-0000-4000-8000-00000000000a'::UUID AS id, '\x00\xFF'::BLOB AS blob,
  '{"z": 1, "a":[null, "x"]}'::JSON AS doc, 'null'::JSON AS docnull, NULL::JSON AS nodoc,
  [1, 2] AS list, {'k': 'v', 'd': DATE '2001-01-31'} AS struct, MAP {'k': 1} AS map, [1.5, 2]::DOUBLE[2] AS arr,
  INTERVAL 90 SECOND AS span, '101'::BIT AS bits, 1 AS "odd ""name"
`})
	got := i.rows(t, "/v1/test/types").text
	want := `{"data":[{"b":true,"i8":1,"i64":9223372036854775807,"u64":18446744073709551615,` +
		`"huge":170141183460469231731687303715884105727,"dec":1.50,"f32":0.1,"f64":0.1,` +
		`"big":1e+300,"nan":null,"inf":null,` +
		`"text":"a\"\\é\n\u0001","html":"<&>","missing":null,"enum":"good",` +
		`"day":"2001-01-31","clock":"12:00:00.5",` +
		`"instant":"2001-01-31T11:00:00.123456Z","second":"2001-01-31T12:00:00Z",` +
		`"local":"2001-01-31T12:00:00.5","nanos":"2001-01-31T12:00:00.123456789",` +
		`"never":null,"ides":null,` +
		`"id":"6b7f4b2e-0000-4000-8000-00000000000a","blob":"AP8=",` +
		`"doc":{"z": 1, "a":[null, "x"]},"docnull":null,"nodoc":null,` +
		`"list":[1,2],"struct":{"k":"v","d":"2001-01-31"},"map":{"k":1},"arr":[1.5,2],` +
		`"span":"00:01:30","bits":"101","odd \"name":1}],` +
		`"meta":{"as_of":"2026-01-31T12:00:00.123456Z","rows":1,"next":null}}` + "\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const echo = `-- What was given.
-- param: s string pattern=^a.*$
-- param: i integer minimum=-5 maximum=5
-- param: n number minimum=0.5 default=2.5
-- param: b boolean
-- param: d date
-- param: t date-time
-- param: u uuid
-- param: e string enum=x,y default=x
-- param: must string required
SELECT $s AS s, $i AS i, $n AS n, $b AS b, $d AS d, $t AS t, $u AS u, $e AS e, $must AS must
`

func TestParametersAreTyped(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"echo": echo})
	for query, want := range map[string]string{
		"must=": `"s":null,"i":null,"n":2.5,"b":null,"d":null,"t":null,"u":null,"e":"x","must":""`,
		"must=%27%3B--&s=a%C3%A9&i=-5&n=1e2&b=true&d=2001-01-31&t=2001-01-31T12:00:00.5%2B01:00&u=6B7F4B2E-0000-4000-8000-00000000000A&e=y": `"s":"aé","i":-5,"n":100,"b":true,"d":"2001-01-31",` +
			`"t":"2001-01-31T11:00:00.5Z","u":"6b7f4b2e-0000-4000-8000-00000000000a","e":"y","must":"';--"`,
		"must&i=4.0&n=1e1":     `"must":""`,
		"must=a&i=5e0&n=12e-1": `"i":5,"n":1.2,`,
		"must=a&t=2016-12-31t23:59:60.1234567z&d=0000-01-01": `"d":"0000-01-01","t":"2017-01-01T00:00:00.123456Z"`,
	} {
		if got := i.rows(t, "/v1/test/echo?"+query).text; !strings.Contains(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", query, got, want)
		}
	}
}

func TestParametersAreRefused(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"echo": echo})
	for query, want := range map[string]string{
		"":                                   "must: It is required.",
		"must=a&must=b":                      "must: It is given more than once.",
		"must=a&other=1":                     "other: This endpoint has the parameters s, i, n, b, d, t, u, e, must.",
		"must=a&limit=1":                     "limit: This endpoint answers in one piece, without pages.",
		"must=a&s=b":                         "s: It must match ^a.*$.",
		"must=%ff":                           "must: It is not UTF-8 text.",
		"must=a%00":                          "must: It is not UTF-8 text.",
		"must=a&i=x":                         "i: It must be an integer, found \"x\".",
		"must=a&i=9223372036854775808":       "i: It must be an integer of 64 bits, found \"9223372036854775808\".",
		"must=a&i=6":                         "i: It must be at most 5.",
		"must=a&n=0":                         "n: It must be at least 0.5.",
		"must=a&n=NaN":                       "n: It must be a number such as 1, -2.5 or 1e3, found \"NaN\".",
		"must=a&n=0x1":                       "n: It must be a number such as 1, -2.5 or 1e3, found \"0x1\".",
		"must=a&b=1":                         "b: It must be true or false, found \"1\".",
		"must=a&d=2001-02-29":                "d: It must be a date such as 2001-01-31, found \"2001-02-29\".",
		"must=a&t=2001-01-31":                "t: It must be a date-time of RFC 3339 such as 2001-01-01T14:55:00Z, found \"2001-01-31\".",
		"must=a&t=2001-01-31T12:00:00":       "t: It must have a time zone, Z or an offset such as +02:00, found \"2001-01-31T12:00:00\".",
		"must=a&t=2001-01-31T12:00:00+01:00": "t: It must be a date-time of RFC 3339 such as 2001-01-01T14:55:00Z, found \"2001-01-31T12:00:00 01:00\"; in a URL, + is written %2B.",
		"must=a&u=6b7f":                      "u: It must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, found \"6b7f\".",
		"must=a&i=05":                        "i: It must have no leading zeros, found \"05\".",
		"must=a&i=4.5":                       "i: It must be an integer, found \"4.5\".",
		"must=a&t=9999-12-31T23:59:59-01:00": "t: It must be within the years 0000 to 9999 in UTC, found",
		// The empty string is a string and nothing else; absent is what is left out.
		"must=a&i=":  `i: It must be an integer, found ""`,
		"must=a&n":   `n: It must be a number such as 1, -2.5 or 1e3, found ""`,
		"must=a&b=":  `b: It must be true or false, found ""`,
		"must=a&d=":  `d: It must be a date such as 2001-01-31, found ""`,
		"must=a&t=":  `t: It must be a date-time of RFC 3339 such as 2001-01-01T14:55:00Z, found ""`,
		"must=a&u":   `u: It must be a UUID such as 123e4567-e89b-12d3-a456-426614174000, found ""`,
		"must=a&s=":  "s: It must match ^a.*$.",
		"must=a&e=":  "e: It must be one of x, y.",
		"must=a&e=z": "e: It must be one of x, y.",
		"must=a&" + strings.Repeat("x", 100) + "=1": strings.Repeat("x", 100) + ": This endpoint has",
	} {
		r := i.get(t, "/v1/test/echo?"+query)
		kind := "/docs/problems/invalid-parameter"
		if strings.Contains(want, "This endpoint") {
			kind = "/docs/problems/unknown-parameter"
		}
		if got := r.Parameter + ": " + r.Detail; r.status != http.StatusBadRequest || !strings.HasPrefix(got, want) || r.Type != kind {
			t.Errorf("%s: %d %s\nwant %s", query, r.status, r.text, want)
		}
		if r.header.Get("Content-Type") != "application/problem+json" || r.Instance != "/v1/test/echo" || r.RequestID == "" {
			t.Errorf("%s: %v %s", query, r.header, r.text)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	i := setup(t, "CREATE TABLE numbers AS SELECT range AS n FROM range(50)", map[string]string{
		"slow":  "-- Slow.\n-- limit: time=300ms\nSELECT count(*) AS n FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7",
		"fails": "-- Fails.\n-- param: s string default=secret\nSELECT CAST($s AS INTEGER) AS n",
		"many":  "-- Many.\nSELECT n FROM numbers ORDER BY n",
		"pages": "-- Pages.\n-- order: n\nSELECT n FROM numbers",
	}, func(cfg *api.Config) {
		cfg.MaxRows = 49
		cfg.Observe = func(endpoint string, status int, seconds float64) {
			mu.Lock()
			defer mu.Unlock()
			if seconds > 0 {
				seen[fmt.Sprint(endpoint, " ", status)]++
			}
		}
	})
	for _, c := range []struct{ method, path, kind, detail, label string }{
		{"GET", "/v1/test/none", "not-found", "Nothing is here. Did you mean /v1/test/many?", "other 404"},
		{"GET", "/v2", "not-found", "Nothing is here", "other 404"},
		{"POST", "/v1/test/many", "method-not-allowed", "Only GET and HEAD", "other 405"},
		{"BREW", "/v1/test/many", "method-not-allowed", "Only GET and HEAD", "other 405"},
		{"GET", "/v1/test/slow", "query-timeout", "The query ran into its time limit.", "test/slow 503"},
		{"GET", "/v1/test/fails", "internal", "The query failed; the log has the reason", "test/fails 500"},
		{"GET", "/v1/test/many", "too-many-rows", "The answer has more than 49 rows. The endpoint has no parameter to narrow it with: its author can page it with -- order:, or raise -- limit: rows=.", "test/many 400"},
		{"GET", "/v1/test/pages?limit=50", "invalid-parameter", "It must be at most 49.", "test/pages 400"},
		{"GET", "/v1/test/pages?limit=0", "invalid-parameter", "It must be at least 1.", "test/pages 400"},
	} {
		r := i.do(t, c.method, c.path)
		if r.Type != "/docs/problems/"+c.kind || !strings.HasPrefix(r.Detail, c.detail) || r.Title == "" || !strings.HasSuffix(c.label, fmt.Sprint(" ", r.status)) {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.text)
		}
		mu.Lock()
		if seen[c.label] == 0 {
			t.Errorf("%s %s was observed as none of %v", c.method, c.path, seen)
		}
		mu.Unlock()
		logged := strings.Contains(i.log.String(), r.RequestID)
		if logged != (r.status >= 500) || strings.Contains(r.text, "secret") || r.header.Get("Retry-After") != "" != (r.status == 503) {
			t.Errorf("%s %s: logged %v: %s", c.method, c.path, logged, r.text)
		}
		if c.kind == "method-not-allowed" && !strings.Contains(r.header.Get("Allow"), "GET") {
			t.Errorf("Allow is %q", r.header.Get("Allow"))
		}
	}
	if !strings.Contains(i.log.String(), "secret") {
		t.Errorf("the log lacks the reason: %s", i.log)
	}
}

func TestHeadAndRequestID(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"})
	head, get := i.do(t, http.MethodHead, "/v1/test/one"), i.get(t, "/v1/test/one")
	for _, r := range []reply{head, get} {
		if r.status != http.StatusOK || r.header.Get("Content-Length") != fmt.Sprint(len(get.text)) ||
			r.header.Get("Data-As-Of") != "2026-01-31T12:00:00.123456Z" || len(r.header.Get("X-Request-Id")) != 16 {
			t.Errorf("%d %v", r.status, r.header)
		}
	}
	if head.text != "" {
		t.Errorf("HEAD has the body %s", head.text)
	}
}

func TestBeforeTheFirstCommit(t *testing.T) {
	t.Parallel()
	i := setup(t, "DELETE FROM commits", map[string]string{"one": "-- One.\nSELECT 1 AS n WHERE false"})
	r := i.rows(t, "/v1/test/one")
	if r.text != `{"data":[],"meta":{"as_of":null,"rows":0,"next":null}}`+"\n" || r.header.Get("Data-As-Of") != "" {
		t.Errorf("%v %s", r.header, r.text)
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"echo": echo})
	got := i.rows(t, "/v1").text
	for _, want := range []string{
		`{"data":[{"name":"test","description":"A test.","endpoints":[{"name":"echo","path":"/v1/test/echo","summary":"What was given.","params":[`,
		`{"name":"e","type":"string","required":false,"default":"x","enum":["x","y"]}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}

// An answer in one piece keeps the order that its SQL asks for.
func TestInnerOrderIsKept(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE numbers AS SELECT hash(range) % 9973 AS n FROM range(9000)", map[string]string{
		"sorted": "-- Sorted.\nSELECT n FROM numbers ORDER BY n DESC -- at the end",
	})
	rows := i.rows(t, "/v1/test/sorted").Data
	n := func(row map[string]any) int { var n int; fmt.Sscan(fmt.Sprint(row["n"]), &n); return n }
	if len(rows) != 9000 || !slices.IsSortedFunc(rows, func(a, b map[string]any) int { return n(b) - n(a) }) {
		t.Errorf("%d rows, not in their order", len(rows))
	}
}

// Pages of every size put together are the whole answer in its order, for
// ascending and descending columns, NULLs and every type that sorts.
func TestPages(t *testing.T) {
	t.Parallel()
	i := setup(t, `CREATE TABLE things AS SELECT
		range AS id,
		CASE WHEN range % 7 > 0 THEN TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_microseconds(range // 20 * 333333) END AS moment,
		CASE WHEN range % 5 > 0 THEN 'é"' || range % 3 END AS text,
		CASE range % 6 WHEN 0 THEN NULL WHEN 1 THEN 'nan' WHEN 2 THEN '-inf' ELSE 1 / (1 + range % 4) END::DOUBLE AS f,
		(range % 3 / 10)::DECIMAL(18,3) AS dec, (DATE '2001-01-01' + (range % 4)::INTEGER) AS day, range % 2 = 0 AS even,
		md5((range % 11)::VARCHAR)::UUID AS u, (range % 2)::HUGEINT AS h, 0.1::FLOAT + range % 3 AS g, TIME '12:00:00' + to_seconds(range % 3) AS clock
		FROM range(500)`, nil)
	orders := []string{
		"id", "id desc", "moment desc, id", "moment, id desc", "text, moment desc, id", "f desc, id", "f, id desc", "text desc, f, id desc",
		"dec desc, day, even desc, id", "u, h desc, g, clock desc, id",
	}
	files := map[string]string{}
	for n, order := range orders {
		files[fmt.Sprintf("t%d", n)] = "-- Things.\n-- order: " + order + "\nSELECT * FROM things"
	}
	i = again(t, i, files)
	for n, order := range orders {
		want := ids(t, i.db, "SELECT id FROM things ORDER BY "+strings.ReplaceAll(order+",", ",", " NULLS LAST,")+"1")
		for _, limit := range []string{"1", "7", "100", "500"} {
			if limit == "1" && n%3 > 0 {
				continue
			}
			var got []string
			for _, row := range i.all(t, fmt.Sprintf("/v1/test/t%d", n), url.Values{"limit": {limit}}, func(int) {}) {
				got = append(got, fmt.Sprint(row["id"]))
			}
			if !slices.Equal(got, want) {
				t.Errorf("order %s, limit %s: %d rows in another order than\n%v\n%v", order, limit, len(got), want, got)
			}
		}
	}
}

// again serves other endpoints over the same database.
func again(t *testing.T, i instance, files map[string]string) instance {
	t.Helper()
	var endpoints []endpoint.Endpoint
	for name, text := range files {
		e, err := endpoint.Parse(name+".sql", text)
		if err != nil {
			t.Fatal(err)
		}
		endpoints = append(endpoints, e)
	}
	return serve(t, i.db, endpoint.Dataset{Name: "test", Endpoints: endpoints})
}

func ids(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Rows that arrive while a client pages make it miss none and see none twice.
func TestPagesWhileRowsArrive(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE log AS SELECT range AS id, TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_seconds(range // 3) AS moment FROM range(1000)",
		map[string]string{"log": "-- Log.\n-- order: moment desc, id desc\nSELECT id, moment FROM log"})
	arrive := func(page int) {
		if _, err := i.db.Exec(`INSERT INTO log SELECT 10000 + 10 * $1 + range, CASE WHEN range < 5
			THEN TIMESTAMPTZ '2002-01-01 00:00:00Z' + to_minutes($1) ELSE TIMESTAMPTZ '2000-01-01 00:00:00Z' - to_minutes($1) END FROM range(10)`, page); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	for _, row := range i.all(t, "/v1/test/log", url.Values{"limit": {"100"}}, arrive) {
		seen[fmt.Sprint(row["id"])]++
	}
	for id := range 1000 {
		if seen[fmt.Sprint(id)] != 1 {
			t.Fatalf("row %d was seen %d times", id, seen[fmt.Sprint(id)])
		}
	}
	if len(seen) <= 1000 || slices.Max(slices.Collect(maps.Values(seen))) != 1 {
		t.Errorf("%d rows were seen: no late ones, or one twice", len(seen))
	}
}

func TestCursorsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	const log = "-- Log.\n-- param: from integer default=0\n-- order: id\nSELECT range AS id FROM range(100) WHERE range >= $from"
	i := setup(t, "SELECT 1", map[string]string{"a": log, "b": log})
	next := *i.rows(t, "/v1/test/a?limit=10").Meta.Next
	for _, path := range []string{"/v1/test/a?cursor=" + next, "/v1/test/a?limit=3&from=0&cursor=" + next} {
		if first := i.rows(t, path).Data[0]["id"]; fmt.Sprint(first) != "10" {
			t.Errorf("GET %s begins with %v", path, first)
		}
	}
	flipped := []byte(next)
	flipped[10] ^= 1
	for _, path := range []string{
		"/v1/test/b?cursor=" + next, "/v1/test/a?from=1&cursor=" + next, "/v1/test/a?cursor=" + string(flipped),
		"/v1/test/a?cursor=" + next[:len(next)-4], "/v1/test/a?cursor=", "/v1/test/a?cursor=bnVsbA", "/v1/test/a?cursor=e30",
		"/v1/test/a?cursor=" + strings.Repeat("A", 9000),
	} {
		if r := i.get(t, path); r.status != http.StatusBadRequest || r.Type != "/docs/problems/invalid-cursor" || r.Parameter != "cursor" {
			t.Errorf("GET %s: %d %s", path, r.status, r.text)
		}
	}
}

// Bad SQL is found at the start, with the file and line.
func TestCheck(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE things AS SELECT 1 AS id, [1] AS list", map[string]string{
		"good":    "-- Good.\n-- order: id\nSELECT * FROM things",
		"table":   "-- No such table.\n\nSELECT id\nFROM thinks",
		"order":   "-- No such column.\n-- order: at, id\nSELECT * FROM things",
		"type":    "-- No such order.\n-- order: list\nSELECT * FROM things",
		"chart":   "-- No such column.\n-- chart: bar x=id y=count\nSELECT * FROM things",
		"drawn":   "-- No number.\n-- chart: bar x=id y=list\nSELECT * FROM things",
		"hours":   "-- No time.\n-- chart: heatmap x=id\nSELECT * FROM things",
		"buckets": "-- No number.\n-- chart: histogram x=list\nSELECT * FROM things",
		"shades":  "-- No number.\n-- chart: heatmap x=id y=list value=list\nSELECT * FROM things",
		"series":  "-- No such column.\n-- chart: line x=id y=id series=kind\nSELECT * FROM things",
		"deletes": "-- Hidden.\nWITH x AS (SELECT 1) DELETE FROM things",
	})
	err := i.api.Check(t.Context())
	if err == nil {
		t.Fatal("nothing was found")
	}
	for _, want := range []string{
		"test/endpoints/table.sql:4:6: reads thinks, which is no table, reference table or view of a dataset; correct the name",
		"test/endpoints/order.sql:2: order names the column at, which the answer does not have; its columns are id, list",
		"test/endpoints/type.sql:2: order names list, whose type INTEGER[] can't be in a cursor; cast it",
		"test/endpoints/chart.sql:2: chart names the column count, which",
		"test/endpoints/drawn.sql:2: chart draws y=list, whose type INTEGER[] is no number; cast it to one in the SQL, or name another column",
		"test/endpoints/hours.sql:2: chart draws x=id, whose type INTEGER is no time of day; name a column of type TIMESTAMP",
		"test/endpoints/buckets.sql:2: chart draws x=list, whose type INTEGER[] is no number",
		"test/endpoints/shades.sql:2: chart draws value=list, whose type INTEGER[] is no number",
		"test/endpoints/series.sql:2: chart names the column kind, which",
		"test/endpoints/deletes.sql:2: is not one SELECT that can be checked; ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "good.sql") || scalar[int](t, i.db, "SELECT count(*) FROM things") != 1 {
		t.Errorf("%v", err)
	}
}

// A table that gets another shape while the server runs is noticed.
func TestTablesMayChange(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE things AS SELECT 1 AS id, 2 AS old", map[string]string{"all": "-- All.\nSELECT * FROM things"})
	i.rows(t, "/v1/test/all")
	if _, err := i.db.Exec("CREATE OR REPLACE TABLE things AS SELECT 1 AS id, 'x' AS new; INSERT INTO commits VALUES ('2026-01-31T12:00:01Z')"); err != nil {
		t.Fatal(err)
	}
	i.get(t, "/v1/test/all")
	if got := i.rows(t, "/v1/test/all").Data[0]; got["new"] != "x" {
		t.Errorf("got %v", got)
	}
}

// funcReader is a Reader that is a function.
type funcReader func(context.Context) error

func (f funcReader) Describe(context.Context, string, map[string]any) ([]result.Column, error) {
	return []result.Column{{Name: "n", Type: "INTEGER"}}, nil
}

func (f funcReader) Stream(ctx context.Context, _ string, _ map[string]any, _ func(result.Snapshot, result.Rows) error) error {
	return f(ctx)
}

func (f funcReader) Revision(context.Context) (result.Snapshot, error) { return result.Snapshot{}, nil }

func (f funcReader) Parquet(io.Writer, []result.Field, map[string]string) (result.Sink, error) {
	return nil, f(context.Background())
}

func TestAPanicIsAProblem(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"}, func(cfg *api.Config) {
		cfg.Reader = funcReader(func(context.Context) error { panic("out of bounds") })
	})
	r := i.get(t, "/v1/test/one")
	if r.status != http.StatusInternalServerError || strings.Contains(r.text, "out of bounds") || !strings.Contains(i.log.String(), "out of bounds") {
		t.Errorf("%s\n%s", r.text, i.log)
	}
}

// Shutdown lets the request under way end and takes no other.
func TestShutdownWaitsForRequests(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}), make(chan struct{})
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"}, func(cfg *api.Config) {
		cfg.Reader = funcReader(func(context.Context) error {
			close(began)
			<-end
			return errors.New("the end")
		})
	})
	answered := make(chan reply, 1)
	go func() { answered <- i.get(t, "/v1/test/one") }()
	<-began
	stopped := make(chan error, 1)
	go func() { stopped <- i.api.Shutdown(t.Context()) }()
	select {
	case err := <-stopped:
		t.Errorf("stopped during a request: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(end)
	if r := <-answered; r.status != http.StatusInternalServerError {
		t.Errorf("%d %s", r.status, r.text)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := api.New(t.Context(), api.Config{}); err == nil {
		t.Error("a server without a reader was made")
	}
	e, err := endpoint.Parse("one.sql", "-- One.\nSELECT 1 AS n")
	if err != nil {
		t.Fatal(err)
	}
	i := setup(t, "SELECT 1", nil)
	_, err = api.New(t.Context(), api.Config{
		Reader: reader{i.db}, Logger: slogDiscard(),
		Datasets: []endpoint.Dataset{{Name: "a", Endpoints: []endpoint.Endpoint{e, e}}},
	})
	if err == nil || !strings.Contains(err.Error(), "/v1/a/one is the path of") {
		t.Errorf("the same path twice: %v", err)
	}
}
