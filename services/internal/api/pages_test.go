package api_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// tied has rows with few distinct values, NULLs, equal rows, and every type that a cursor can have.
const tied = `CREATE TABLE tied AS SELECT
	[NULL, 'a', 'A', 'b', '', 'ä', 'a,b', 'NULL'][1 + (h % 8)::INTEGER] AS t,
	[NULL, 'a', 'A', 'b'][1 + (h // 3 % 4)::INTEGER] COLLATE NOCASE AS c,
	[NULL, 0.0, -0.0, 'nan'::DOUBLE, 'inf'::DOUBLE, '-inf'::DOUBLE, 0.1][1 + (h // 5 % 7)::INTEGER] AS d,
	[NULL, 0.1::FLOAT, 'nan'::FLOAT, -0.0::FLOAT, 0.0::FLOAT][1 + (h // 7 % 5)::INTEGER] AS f,
	(h // 11 % 3 - 1)::HUGEINT * 170141183460469231731687303715884105727 AS h,
	(h // 13 % 3)::UTINYINT AS u,
	(h // 17 % 4 / 3)::DECIMAL(38, 20) AS n,
	[true, false, NULL][1 + (h // 19 % 3)::INTEGER] AS b,
	[DATE '2001-01-01', DATE '0044-03-15 (BC)', DATE 'infinity', NULL][1 + (h // 23 % 4)::INTEGER] AS day,
	[TIMESTAMPTZ '2001-01-01 00:00:00.000001Z', TIMESTAMPTZ '-infinity', NULL][1 + (h // 29 % 3)::INTEGER] AS at,
	[TIMESTAMP_NS '2001-01-01 00:00:00.000000001', TIMESTAMP_NS '2001-01-01 00:00:00.000000002'][1 + (h // 31 % 2)::INTEGER] AS ns,
	[TIME '24:00:00', TIME '00:00:00'][1 + (h // 37 % 2)::INTEGER] AS clock,
	[UUID 'ffffffff-0000-0000-0000-000000000000', UUID '00000000-0000-0000-0000-000000000001'][1 + (h // 41 % 2)::INTEGER] AS id,
	[[1], [], NULL, [2, NULL]][1 + (h // 43 % 4)::INTEGER] AS list,
	{'a': (h // 47 % 2)::INTEGER, 'b': 'x'} AS obj,
	['\x00'::BLOB, 'a'::BLOB][1 + (h // 53 % 2)::INTEGER] AS raw
FROM (SELECT (hash(range % 400) % 1000000007)::BIGINT AS h FROM range(500))`

// TestEveryPageComplete walks endpoints whose order leaves ties open: page by page every row comes once,
// in the order that the header names.
func TestEveryPageComplete(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	files := map[string]string{}
	columns := []string{"t", "c", "d", "f", "h", "u", "n", "b", "day", "at", "ns", "clock", "id"}
	orders := []string{"t", "c", "c desc", "d", "d desc", "f", "b", "t desc, c"}
	for range 8 {
		random.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
		order := slices.Clone(columns[:1+random.IntN(3)])
		for i := range order {
			order[i] += []string{"", " desc"}[random.IntN(2)]
		}
		orders = append(orders, strings.Join(order, ", "))
	}
	for i, order := range orders {
		files[fmt.Sprintf("e%d", i)] = "-- Ties.\n-- order: " + order + "\n-- limit: rows=10000\nSELECT * FROM tied"
	}
	i := setup(t, tied, files)
	for n, order := range orders {
		path := fmt.Sprintf("/v1/test/e%d", n)
		keys := strings.Split(strings.ReplaceAll(order, " desc", ""), ", ")
		want := rowTexts(t, i.rows(t, path+"?limit=10000").Data)
		if len(want) != 500 {
			t.Fatalf("%d rows in one page", len(want))
		}
		for _, limit := range []int{1 + random.IntN(3), 7, 100, 101 + random.IntN(300), 499} {
			if limit < 7 && n%5 > 0 {
				continue // hundreds of requests
			}
			got := i.all(t, path, url.Values{"limit": {fmt.Sprint(limit)}}, func(int) {})
			for r := range got {
				for _, key := range keys {
					if fold(key, got[r][key]) != fold(key, want[r].row[key]) {
						t.Fatalf("order %s, limit %d: row %d has %v, want %v", order, limit, r, got[r], want[r].row)
					}
				}
			}
			texts := rowTexts(t, got)
			sortTexts(texts)
			all := slices.Clone(want)
			sortTexts(all)
			if !slices.EqualFunc(texts, all, func(a, b rowText) bool { return a.text == b.text }) {
				t.Fatalf("order %s, limit %d: %d rows, not each once", order, limit, len(got))
			}
		}
	}
}

// fold returns a key as its column's collation compares it.
func fold(key string, value any) string {
	text := fmt.Sprint(value)
	if key == "c" {
		return strings.ToLower(text)
	}
	if text == "-0" {
		return "0"
	}
	return text
}

type rowText struct {
	text string
	row  map[string]any
}

func rowTexts(t *testing.T, rows []map[string]any) []rowText {
	t.Helper()
	all := make([]rowText, len(rows))
	for i, row := range rows {
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		// DuckDB turns -0.0 into 0.0 where it sorts by it, but not in a top-N.
		all[i] = rowText{strings.ReplaceAll(string(text), ":-0,", ":0,"), row}
	}
	return all
}

func sortTexts(all []rowText) {
	slices.SortFunc(all, func(a, b rowText) int { return strings.Compare(a.text, b.text) })
}

// A unique order runs one query a page; another order runs two if a page ends among ties.
func TestTiesCostWhereTheyAre(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{
		"unique": "-- Unique.\n-- order: n\nSELECT range AS n FROM range(100)",
		"tied":   "-- Tied.\n-- order: n\nSELECT range // 50 AS n, range AS i FROM range(100)",
	})
	for path, want := range map[string]int64{"/v1/test/unique?limit=30": 1, "/v1/test/tied?limit=30": 2, "/v1/test/tied?limit=50": 1} {
		c.streams.Store(0)
		if r := i.rows(t, path); r.status != http.StatusOK || c.streams.Load() != want {
			t.Errorf("%s: %d queries, want %d", path, c.streams.Load(), want)
		}
	}
}

// An answer that differs from query to query has no pages.
func TestChangingAnswersHaveNoPages(t *testing.T) {
	t.Parallel()
	for sql, fine := range map[string]bool{
		"SELECT n, now() AS x FROM t": false, "SELECT n, current_timestamp AS x FROM t": false, "SELECT n, age(made) AS a FROM t": false, "SELECT *, random() AS r FROM t": false,
		"SELECT n FROM (SELECT n, now() - made AS a FROM t)": false, "SELECT n FROM t WHERE random() < 0.5": false, "SELECT n FROM t USING SAMPLE 5": false, "SELECT n, (SELECT uuid()) AS u FROM t": false,
		"SELECT n, age(made, made) AS a FROM t WHERE made < now() AND made < current_timestamp": true, "SELECT n, (SELECT count(*) FROM t WHERE made < now()) AS c FROM t": true,
	} {
		for header, fine := range map[string]bool{"-- A.\n-- order: n\n": fine, "-- A.\n": true} {
			i := setup(t, "CREATE TABLE t AS SELECT 1 AS n, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS made", map[string]string{"a": header + sql})
			err := i.api.Check(t.Context())
			if (err == nil) != fine || !fine && !strings.Contains(err.Error(), " makes the answer another for each page") {
				t.Errorf("%s%s: %v", header, sql, err)
			}
		}
	}
}

// TestLongKeys: a page whose cursor would be too long fails, instead of having a cursor that the
// next request is rejected for.
func TestLongKeys(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE texts AS SELECT repeat(chr((97 + range)::INTEGER), 10000) AS long, long[:5000] AS short FROM range(3)", map[string]string{
		"long":  "-- Long keys.\n-- order: long\nSELECT * FROM texts",
		"short": "-- Shorter ones.\n-- order: short\nSELECT * FROM texts",
	})
	if r := i.get(t, "/v1/test/long?limit=1"); r.Type != "/docs/problems/cursor-too-long" || r.status != http.StatusBadRequest {
		t.Errorf("%d %s", r.status, r.text)
	}
	if got := i.rows(t, "/v1/test/long?limit=3"); len(got.Data) != 3 {
		t.Errorf("%d rows in one page", len(got.Data))
	}
	if got := i.all(t, "/v1/test/short", url.Values{"limit": {"1"}}, func(int) {}); len(got) != 3 {
		t.Errorf("%d rows in three pages", len(got))
	}
}

// TestColumnOfPages: an answer's column can't be confused with one that pages add.
func TestColumnOfPages(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{
		"mine":  "-- Mine.\n-- order: g\nSELECT 1 AS g, range AS \"Estela TIE\" FROM range(5)",
		"plain": "-- Plain.\nSELECT 1 AS g, 2 AS \"estela tie\"",
	})
	if r := i.get(t, "/v1/test/mine?limit=2"); r.status != http.StatusInternalServerError || !strings.Contains(i.log.String(), "what pages call one of their own") {
		t.Errorf("%d %s", r.status, r.text)
	}
	i.rows(t, "/v1/test/plain")
}

// TestRowsAreLines: stored JSON with line breaks does not break NDJSON.
func TestRowsAreLines(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT '{\n \"a\": [1,\r\n2], \"b\": \"c\\n\"\n}'::JSON AS o, [o] AS l"})
	if _, _, body := i.body(t, "/v1/test/one?format=ndjson"); strings.Count(string(body), "\n") != 1 || strings.Contains(string(body), "\r") {
		t.Errorf("%q", body)
	}
}
