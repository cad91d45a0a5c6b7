package api_test

import (
	"strings"
	"testing"
)

// What would be slow with more data is found before there are any.
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
