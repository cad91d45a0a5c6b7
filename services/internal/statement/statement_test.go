package statement_test

import (
	"database/sql"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the functions of the catalog

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/statement"
)

func parser(t *testing.T) statement.Parser {
	t.Helper()
	parse, end, err := database.Parser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return parse
}

// params are n without a bound, m up to 100, k up to a million, s any text, and c of three letters.
func params() map[string]statement.Param {
	inf := math.Inf(1)
	return map[string]statement.Param{
		"n": {Low: -inf, High: inf}, "m": {Low: 0, High: 100}, "k": {Low: 1, High: 1e6},
		"s": {Low: -inf, High: inf, Bytes: 16 << 10}, "c": {Low: -inf, High: inf, Bytes: 3},
	}
}

// Every function of DuckDB's catalog has a kind, also after an upgrade.
func TestEveryFunctionHasAKind(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT DISTINCT function_name, function_type IN ('table', 'table_macro', 'pragma') FROM duckdb_functions()")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var name string
		var table bool
		if err := rows.Scan(&name, &table); err != nil {
			t.Fatal(err)
		}
		n++
		if statement.Kind(name, table) == "" && (!table || statement.Kind(name, false) == "") {
			t.Errorf("the function %s (table: %v) has no kind in functions.txt", name, table)
		}
	}
	if err := rows.Err(); err != nil || n < 900 {
		t.Errorf("%d functions, %v", n, err)
	}
}

func chain(n int, expression, base string) string {
	for range n {
		base = "SELECT " + expression + " FROM (" + base + ")"
	}
	return base
}

// oversized are statements with unbounded memory or time, most of them measured (doc.go). DuckDB's
// limits stop none of them.
var oversized = []string{
	"SELECT len(range($n))", "SELECT len(range(200000000))", "SELECT len(generate_series(1, 100000000))", "SELECT len(range($n, 5))", "SELECT len(range(0, 1000000, 0))",
	"SELECT len(range(n)) FROM t", "SELECT range(CAST($n AS BIGINT))", "SELECT range(abs($n))", "SELECT range(greatest($n, 5))", "SELECT range($m * $n)", "SELECT range($k * 100)",
	"SELECT len(range(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01', INTERVAL 1 SECOND))", "SELECT len(range($k)) FROM (SELECT len(range($n)))",
	"SELECT [x FOR x IN range($n)]", "SELECT count(*) FROM range(len(range($n)))", "SELECT unnest(range($n))", "SELECT 1 WHERE len(range($n)) > 1", "SELECT 1 ORDER BY len(range($n))",
	"SELECT 1 LIMIT len(range($n))", "SELECT CASE WHEN true THEN len(range($n)) END", "SELECT sum(1) OVER (ORDER BY len(range($n)))", "VALUES (len(range($n)))",
	"SELECT len(repeat('x', 2000000000))", "SELECT len(repeat('x', $n))", "SELECT repeat(s, 100000) FROM t", "SELECT repeat(repeat(repeat('x', 1000), 1000), 1000)", "SELECT repeat([1, 2], $n)",
	"SELECT s.repeat($n) FROM t", "SELECT t.s.repeat($n) FROM t", "SELECT repeat('x', n) FROM t", "SELECT main.repeat('x', $n)", "SELECT REPEAT('x', $n)",
	"SELECT lpad('x', 1000000000, 'y')", "SELECT rpad('x', $n, 'y')", "SELECT list_resize([1], 300000000)", "SELECT array_resize([1], $n)",
	"SELECT printf('%1000000000d', 1)", "SELECT format('{:1000000000}', 1)", "SELECT printf('%*d', $n, 1)", "SELECT format('{:{}}', 1, $n)", "SELECT printf($s, 1)", "SELECT format(s, 1) FROM t",
	"SELECT bitstring('1', 1000000000)", "SELECT len(regexp_replace(repeat('a', 1000000), '', repeat('b', 2000), 'g'))", "SELECT replace(repeat('a', 1000000), 'a', repeat('b', 2000))",
	"SELECT replace(replace(replace(repeat('a', 10000), 'a', repeat('b', 1000)), 'b', repeat('c', 1000)), 'c', 'dddd')", "SELECT replace(s, 'a', $s) FROM t",
	"SELECT list_transform(range(3000), a -> list_transform(range(3000), b -> list_transform(range(3000), c -> c)))",
	"SELECT list_transform(x, a -> list_transform(x, b -> list_transform(x, c -> a + b + c))) FROM (SELECT list(n) AS x FROM t)",
	"SELECT list_transform([range(1000)], x -> list_transform(x, a -> list_transform(x, b -> list_transform(x, c -> 1))))",
	"SELECT list_reduce(['x', 'y', 'z'], (a, x) -> a || a)", "SELECT list_reduce(range(100), lambda a, x: concat(a, a))",
	"SELECT array_to_string(range(100000), repeat('y', 100000))", "SELECT concat_ws(repeat('y', 10000000), 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')",
	"SELECT list_select([repeat('x', 10000000)], list_transform(range(100000), x -> 1))", "SELECT strftime(TIMESTAMP '2000-01-01', repeat('%c', 10000000))",
	chain(30, "s || s AS s", "SELECT s FROM t"), chain(40, "concat(s, s) AS s", "SELECT 'x' AS s"), chain(30, "list_concat(s, s) AS s", "SELECT [1] AS s"), chain(20, "replace(s, 'a', s) AS s", "SELECT s FROM t"),
	"WITH RECURSIVE r AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM r) SELECT max(len(s)) FROM r",
	"WITH RECURSIVE r AS (SELECT [1] AS s UNION ALL SELECT list_concat(s, s) FROM r) SELECT max(len(s)) FROM r",
	"WITH RECURSIVE r AS (SELECT 'a' AS s UNION ALL SELECT replace(s, 'a', 'aaaa') FROM r) SELECT max(len(s)) FROM r",
	"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT len(range(n)) FROM r) SELECT max(n) FROM r",
	chain(18, "*, *", "SELECT * FROM t"), chain(25, "*, COLUMNS(*)", "SELECT 1 AS n"),
	"SELECT n::VARCHAR::INTEGER[100000] FROM t", "SELECT CAST(NULL AS STRUCT(a INTEGER[1000][1000]))", "SELECT from_json('[]', '[\"INTEGER[100000]\"]')", "SELECT json_transform(s, s) FROM t",
	"SELECT approx_top_k(s, 900000) FROM t GROUP BY n", "SELECT approx_top_k(s, $n) FROM t", "SELECT reservoir_quantile(n, 0.5, 2000000000) FROM t",
	"SELECT * FROM t USING SAMPLE reservoir(1000000000 ROWS)", "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))", "SELECT damerau_levenshtein($s, repeat('b', 3000000))",
	"SELECT repeat('9', 300000)::BIGNUM", "SELECT repeat('a', 200) ILIKE '%A%A%A%A%A%A%A%A%A%A%B%A'", "SELECT s GLOB '*a*a*a*a*a*a*a*a*a*a*b*a' FROM t", "SELECT s LIKE '%a_a%a_a%a_a%a_a%a_a%b%a' FROM t",
	"SELECT s LIKE '%' || $s || '%' FROM t", "SELECT s LIKE '%a%a%a%a%a%a%b' ESCAPE '!' FROM t", "SELECT s NOT ILIKE s FROM t", "SELECT like_escape(s, $s, '!') FROM t",
	"SELECT regexp_extract_all(repeat('a', 30000000), '.')", "SELECT string_split(repeat('a', 30000000), '')", "SELECT hex(hex(hex(hex(hex(hex(hex(hex(hex(hex(repeat('x', 500000)))))))))))",
	"WITH a0 AS (SELECT 1 AS n)" + func() string {
		var b strings.Builder
		for i := 1; i < 20; i++ {
			fmt.Fprintf(&b, ", a%d AS NOT MATERIALIZED (SELECT x.n FROM a%d x, a%d y)", i, i-1, i-1)
		}
		return b.String()
	}() + " SELECT count(*) FROM a19",
	"SELECT s || $s || $s || $s || $s FROM t", "SELECT list_zip(range($n), [1])",
	"SELECT " + strings.Repeat("repeat('x', 16000000), ", 30) + "1",
}

// Unbounded statements are rejected before DuckDB plans them, at once.
func TestOversizedIsRefused(t *testing.T) {
	t.Parallel()
	parse := parser(t)
	if len(oversized) < 90 {
		t.Errorf("%d statements only", len(oversized))
	}
	for _, query := range oversized {
		start := time.Now()
		s, err := statement.Check(t.Context(), parse, query, params(), nil)
		if err != nil {
			t.Errorf("%.120s: %v", query, err)
		} else if len(s.Faults) == 0 {
			t.Errorf("%.120s: passed", query)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%.120s: took %s", query, took)
		}
	}
}

// usual are statements that people write.
var usual = []string{
	"SELECT len(range($m))", "SELECT range(least($n, 1000))", "SELECT range(least(n, 100)) FROM t", "SELECT range(1000000)", "SELECT repeat('x', $m)", "SELECT repeat('=', least(n, 100)) FROM t",
	"SELECT lpad(CAST(n AS VARCHAR), 5, '0') FROM t", "SELECT printf('%02d:00', n), format('{:>10.2f}', n) FROM t", "SELECT bar(n, 0, 100, 20) FROM t",
	"SELECT count(*) FROM range(100000000000)", "SELECT d FROM generate_series(DATE '2000-01-01', DATE '2100-01-01', INTERVAL 1 DAY) AS g(d)", "SELECT unnest(range(10)) AS n",
	"SELECT list(s), string_agg(s, ', ' ORDER BY n), json_group_array(s), histogram(n) FROM t", "SELECT array_to_string(list(s ORDER BY n), ', ') FROM t GROUP BY n % 7",
	"SELECT list_transform(string_split(s, ' '), x -> upper(x)) FROM t", "SELECT [x * 2 FOR x IN [1, 2, 3] IF x > 1]", "SELECT list_reduce([1, 2, 3], (a, x) -> a + x), list_reduce(['a', 'b'], (a, x) -> a || x)",
	"SELECT list_filter(list_transform(list(n), x -> x + 1), x -> x > 3) FROM t", "SELECT replace(s, ',', '; '), regexp_replace(s, '[^a-z]+', '-', 'g'), translate(s, 'a', 'b') FROM t",
	"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 100) SELECT * FROM r", "WITH RECURSIVE f AS (SELECT 0 AS a, 1 AS b UNION ALL SELECT b, CAST(a + b AS BIGINT) FROM f WHERE b < 100) SELECT a FROM f",
	"WITH RECURSIVE r AS (SELECT DATE '2000-01-01' AS d UNION ALL SELECT CAST(d + INTERVAL 1 DAY AS DATE) FROM r WHERE d < DATE '2001-01-01') SELECT * FROM r",
	"WITH RECURSIVE r AS (SELECT s AS path, n FROM t UNION ALL SELECT r.path || ' > ' || t.s, t.n FROM r JOIN t ON t.n = r.n + 1 WHERE r.n < 5) SELECT * FROM r",
	"SELECT n, sum(n) OVER (PARTITION BY s ORDER BY n ROWS BETWEEN 6 PRECEDING AND CURRENT ROW), lag(s) OVER (ORDER BY n), rank() OVER w FROM t WINDOW w AS (ORDER BY n)",
	"SELECT s LIKE 'a%', s ILIKE '%b%', s NOT LIKE '%c_', s SIMILAR TO '[a-z]+', contains(lower(s), lower($s)), starts_with(s, $c) FROM t",
	"SELECT * FROM t WHERE n IN (1, 2, 3) AND s IN (SELECT s FROM u) AND EXISTS (FROM u WHERE u.n = t.n) AND n BETWEEN 1 AND 5 AND s IS NOT NULL AND NOT n = 3",
	"SELECT * FROM (PIVOT t ON s IN ('A', 'B') USING count(*))", "SELECT * FROM (UNPIVOT t ON a, b)", "SELECT * EXCLUDE (a) REPLACE (upper(s) AS s) FROM t", "SELECT COLUMNS('x.*') FROM t",
	"SELECT * FROM t ASOF JOIN u ON t.n >= u.n", "SELECT * FROM t SEMI JOIN u USING (n)", "SELECT DISTINCT ON (s) s, n FROM t ORDER BY s, n DESC LIMIT $n OFFSET 5",
	"SELECT n FROM t UNION ALL BY NAME SELECT n FROM u ORDER BY n", "SELECT a.n, b.c FROM t a, LATERAL (SELECT a.n + 1 AS c) b", "SELECT s, count(*) FROM t GROUP BY ALL HAVING count(*) > 1 QUALIFY row_number() OVER (ORDER BY s) < 3",
	"SELECT GROUPING(s), count(*) FROM t GROUP BY ROLLUP (s, n)", "SELECT {'a': n, 'b': s}, MAP {'k': n}, [n, 2], ROW(n, s), s[1:3], j->>'$.a', j->'$.b', json_object('a', json_object('b', s)) FROM t",
	"SELECT now(), random(), uuid(), current_date, current_timestamp, today()", "SELECT CAST(s AS JSON), n::DECIMAL(18, 2), s::DATE, TRY_CAST(s AS INTEGER), s::VARCHAR[] FROM t", "SELECT extract(year FROM d), d AT TIME ZONE 'UTC', date_trunc('day', d), time_bucket(INTERVAL 5 MINUTE, d), strftime(d, '%H:%M') FROM t",
	"SELECT coalesce(s, 'x'), nullif(n, 0), ifnull(s, ''), if(n > 1, 'a', 'b'), trim(s), substr(s, 1, 3), s.upper(), md5(s), concat_ws('-', s, n) FROM t", "SELECT quantile_cont(n, [0.5, 0.9, 0.99]), approx_quantile(n, 0.5), approx_top_k(s, 10), arg_max(s, n), max(n, 3), mode(s) FROM t",
	"SELECT * FROM t USING SAMPLE 10%", "SELECT * FROM t TABLESAMPLE reservoir(100 ROWS)", "SELECT levenshtein(s, $c), jaccard(s, 'abc') FROM t", "WITH a AS MATERIALIZED (FROM t), b AS (FROM a) SELECT * FROM a JOIN b USING (n)", "SELECT key, value FROM t, json_each(t.j)",
	"SELECT greatest(n, 1), least(n, 3), abs(n), round(n, 2), n // 2, n % 2, n ** 2, -n, 1 + n FROM t", "SELECT origin || '-' || destination AS route, regexp_extract(s, '(\\d+)', 1), split_part(s, ',', 1), hash(s), typeof(n) FROM t",
}

// Usual statements are accepted, and every node of their trees is known.
func TestUsualPasses(t *testing.T) {
	t.Parallel()
	parse := parser(t)
	for _, query := range usual {
		s, err := statement.Check(t.Context(), parse, query, params(), nil)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		for _, f := range s.Faults {
			t.Errorf("%s: %d: %v", query, f.At, f)
		}
	}
}

// A statement with many lambdas or queries is checked at once.
func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	parse := parser(t)
	query := "1"
	for range 40 {
		query = "list_transform([1], x -> " + query + ")"
	}
	s, err := statement.Check(t.Context(), parse, "SELECT "+query, nil, nil)
	if err != nil || len(s.Faults) == 0 {
		t.Errorf("%v, %v", s, err)
	}
	query = "'x'"
	for range 200 {
		query = "replace(" + query + ", 'a', 'b')"
	}
	if s, err = statement.Check(t.Context(), parse, "SELECT "+query, nil, nil); err != nil || len(s.Faults) > 0 {
		t.Errorf("%v, %v", s, err)
	}
}

// Tables are found anywhere in a statement; CTEs in scope are not tables.
func TestTables(t *testing.T) {
	t.Parallel()
	parse := parser(t)
	for query, want := range map[string]string{
		"FROM a": "a",
		"SELECT * FROM main.a, warehouse.b, warehouse.main.c, \"D d\"": "a b c d d",
		"WITH a AS (FROM b) FROM a":                                    "b",
		"WITH a AS (FROM a) FROM a":                                    "a",
		"WITH a AS (FROM b), b AS (FROM c) FROM a, b":                  "b c",
		"WITH A AS (FROM b) FROM a":                                    "b",
		"WITH a AS (FROM b) FROM main.a":                               "b a",
		"SELECT (WITH a AS (FROM b) SELECT 1 FROM a) FROM a":           "a b",
		"WITH a AS (SELECT 1) SELECT (SELECT 1 FROM a)":                "",
		"SELECT 1 WHERE 1 IN (FROM a)":                                 "a",
		"SELECT 1 ORDER BY (FROM a)":                                   "a",
		"SELECT 1 LIMIT (FROM a)":                                      "a",
		"SELECT sum(1) FILTER (EXISTS (FROM a)) OVER (PARTITION BY (FROM b) ORDER BY (FROM c))": "a c b",
		"SELECT list_transform([1], x -> (FROM a))":                                             "a",
		"SELECT * REPLACE ((FROM a) AS n) FROM b":                                               "b a",
		"FROM a UNION FROM b EXCEPT (FROM c)":                                                   "a b c",
		"FROM range((SELECT n FROM a))":                                                         "a",
		"FROM a JOIN b ON EXISTS (FROM c)":                                                      "c a b",
		"SELECT CASE WHEN true THEN (FROM a) END":                                               "a",
		"VALUES ((FROM a))":                                                                     "a",
		"FROM (PIVOT a ON n IN (1, 2) USING max((FROM b)))":                                     "b a",
		"WITH RECURSIVE r AS (FROM a UNION ALL SELECT r.n FROM r, b) FROM r":                    "a b",
		"SELECT * FROM 'file.csv'":                                                              "file.csv",
		"FROM a POSITIONAL JOIN b":                                                              "a b",
		"SELECT 1 GROUP BY (FROM a) HAVING (FROM b) QUALIFY (FROM c)":                           "a b c",
	} {
		s, err := statement.Check(t.Context(), parse, query, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		var got []string
		for _, table := range s.Tables {
			got = append(got, table.Name)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %q, want %q", query, text, want)
		}
	}
}

// views.sql has views only, whatever comments and quotes could hide.
func TestViews(t *testing.T) {
	t.Parallel()
	all, fault := statement.Views("-- One.\nCREATE OR REPLACE VIEW a AS SELECT ';' AS x, \";\" FROM t; -- ; \nCREATE VIEW \"B b\" (x) AS (SELECT 1);\n-- End.")
	if fault != nil || len(all) != 2 || all[0].Name != "a" || all[1].Name != "b b" || strings.TrimSpace(all[1].Body) != "(SELECT 1)" {
		t.Errorf("%+v, %v", all, fault)
	}
	for _, text := range []string{
		"DROP TABLE t", "CREATE TABLE a AS SELECT 1", "CREATE MACRO f() AS 1", "CREATE VIEW a AS SELECT 1; DROP TABLE t", "SELECT 1", "COPY t TO 'x'", "CREATE TEMP VIEW a AS SELECT 1",
		"-- x\rDROP TABLE t;", "/* /* */ CREATE VIEW a AS SELECT 1 -- */ DROP TABLE t", "CREATE VIEW a (b /*) AS SELECT 1 -- */ ) AS SELECT 2", "CREATE VIEW estela.a AS SELECT 1", "INSERT INTO t VALUES (1)",
	} {
		if all, fault := statement.Views(text); fault == nil {
			t.Errorf("%q: %+v", text, all)
		}
	}
}

// TestStars: a * with system columns is found where rows are compared by it, and not where the author
// chose the columns.
func TestStars(t *testing.T) {
	t.Parallel()
	parse := parser(t)
	view, err := statement.Check(t.Context(), parse, "SELECT * FROM r", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	views := map[string]*statement.Statement{"v": view}
	for query, want := range map[string]string{
		"SELECT DISTINCT * FROM r":                                        "SELECT DISTINCT * r",
		"SELECT DISTINCT r.*, 1 AS one FROM r":                            "SELECT DISTINCT * r",
		"SELECT DISTINCT * FROM v":                                        "SELECT DISTINCT * r",
		"FROM (SELECT DISTINCT * FROM (SELECT * FROM r))":                 "SELECT DISTINCT * r",
		"WITH c AS (SELECT * FROM r) SELECT DISTINCT * FROM c":            "SELECT DISTINCT * r",
		"SELECT DISTINCT * EXCLUDE (id) FROM r":                           "SELECT DISTINCT * r",
		"SELECT * FROM r UNION SELECT * FROM r":                           "UNION without ALL r",
		"SELECT * FROM r EXCEPT SELECT * FROM v":                          "EXCEPT without ALL r",
		"SELECT a.id FROM r a NATURAL JOIN v":                             "NATURAL JOIN r",
		"SELECT *, count(*) FROM r GROUP BY ALL":                          "GROUP BY ALL over * r",
		"FROM r PIVOT (avg(celsius) FOR id IN ('a', 'b'))":                "PIVOT without GROUP BY r",
		"SELECT DISTINCT id FROM r":                                       "",
		"SELECT DISTINCT * EXCLUDE (_shard) FROM r":                       "",
		"SELECT DISTINCT * FROM (SELECT id, celsius FROM r)":              "",
		"WITH r AS (SELECT 1 AS id) SELECT DISTINCT * FROM r":             "",
		"SELECT DISTINCT ON (id) * FROM r ORDER BY id":                    "",
		"SELECT * FROM r UNION ALL SELECT * FROM r":                       "",
		"SELECT id, count(*) FROM r GROUP BY ALL":                         "",
		"SELECT * FROM r NATURAL JOIN (SELECT 'a' AS id)":                 "",
		"FROM r PIVOT (avg(celsius) FOR id IN ('a', 'b') GROUP BY place)": "",
	} {
		s, err := statement.Check(t.Context(), parse, query, nil, views)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		got := ""
		if len(s.Stars) > 0 {
			got = s.Stars[0].What + " " + s.Stars[0].Table
		}
		if got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}
