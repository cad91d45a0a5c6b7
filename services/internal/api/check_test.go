package api_test

import (
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
)

// Plans that get slow with more data are found before there are any data.
func TestTry(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE a AS SELECT range AS n, range % 7 AS k FROM range(1000); CREATE TABLE b AS FROM a", map[string]string{
		"all":      "-- All.\nSELECT n, k FROM a",
		"paged":    "-- Paged.\n-- order: n\nSELECT n, k FROM a",
		"filtered": "-- Filtered.\n-- param: k integer required example=1 -- k\nSELECT n FROM a WHERE k = $k",
		"summed":   "-- Summed.\nSELECT k, sum(n) AS n FROM a GROUP BY k",
		"joined":   "-- Joined.\n-- order: n\nSELECT a.n FROM a JOIN b ON a.n = b.n",
		"crossed":  "-- Crossed.\nSELECT count(*) AS n FROM a, b",
		"unequal":  "-- Unequal.\nSELECT count(*) AS n FROM a JOIN b ON a.n + b.k <> b.n * a.k",
		"many":     "-- Many.\n-- limit: rows=10\nSELECT n FROM a WHERE n < 100",
		"needs":    "-- Needs.\n-- param: k integer required -- k\nSELECT n FROM a WHERE k = $k",
		"chosen":   "-- Chosen.\n-- param: k string required enum=x,y -- k\nSELECT $k AS k",
		"fails":    "-- Fails.\nSELECT CAST(k || 'x' AS INTEGER) AS n FROM a WHERE n = 1",
		"slow":     "-- Slow.\n-- limit: time=50ms\nSELECT count(*) AS n FROM range(100000000000)",
		"few":      "-- Few.\nSELECT n FROM a LIMIT 3",
	})
	want := map[string]string{
		"all": "answers with every row of ", "crossed": "joins every row of a table", "unequal": "joins every row of a table",
		"many": "answers with more than 10 rows", "needs": "the required parameter k has no example",
		"fails": "run endpoint: ", "slow": "ran into its limit of 50ms",
	}
	rows := map[string]int{"paged": 100, "filtered": 143, "summed": 7, "joined": 100, "chosen": 1, "few": 3}
	for _, tried := range i.api.Try(t.Context()) {
		name := strings.TrimPrefix(tried.Path, "/v1/test/")
		if want[name] == "" && tried.Err != nil || want[name] != "" && (tried.Err == nil || !strings.Contains(tried.Err.Error(), want[name])) {
			t.Errorf("%s: %v, want %q", name, tried.Err, want[name])
		}
		if tried.Rows != rows[name] {
			t.Errorf("%s: %d rows", name, tried.Rows)
		}
	}
}

// Text of a reference table is not implicitly cast to a number.
func TestTryImpliedCasts(t *testing.T) {
	t.Parallel()
	i := setup(t, "CREATE TABLE test AS SELECT 7::BIGINT AS n, 1 AS code; CREATE TABLE things AS SELECT '007' AS sku, '1' AS code", map[string]string{
		"number":   "-- A.\nSELECT sku FROM things WHERE sku = 7 LIMIT 1",
		"joined":   "-- A.\nSELECT count(*) AS c FROM things JOIN test ON sku = n",
		"text":     "-- A.\nSELECT sku FROM things WHERE sku = '7' LIMIT 1",
		"explicit": "-- A.\nSELECT count(*) AS c FROM things JOIN test ON CAST(things.sku AS BIGINT) = n",
		"short":    "-- A.\nSELECT count(*) AS c FROM things JOIN test ON sku::BIGINT = n",
		"param":    "-- A.\n-- param: p integer default=7\nSELECT sku FROM things WHERE sku = $p LIMIT 1",
		"twofold":  "-- A.\nSELECT n FROM test WHERE CAST(n AS VARCHAR) = '7' AND test.code = n LIMIT 1",
	}, func(cfg *api.Config) { cfg.Datasets[0].Columns = []contract.Column{{Name: "n"}, {Name: "code"}} })
	for _, tried := range i.api.Try(t.Context()) {
		name := strings.TrimPrefix(tried.Path, "/v1/test/")
		fails := name == "number" || name == "joined" || name == "param"
		const want = "takes the text of sku, a column of a reference table, for a number; compare it with text, or cast: CAST(sku AS BIGINT), or give the column a type in its file's header, sku:integer"
		if fails != (tried.Err != nil) || fails && !strings.Contains(tried.Err.Error(), want) {
			t.Errorf("%s: %v", name, tried.Err)
		}
	}
}
