package statement_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/statement"
)

// A name that a statement gives to something else than the column of that name is computed.
func TestComputed(t *testing.T) {
	t.Parallel()
	parse := parser(t)
	for query, want := range map[string]string{
		"SELECT a, t.b, A AS a, * FROM t":                                    "",
		"SELECT min(a) AS a, any_value(t.b) AS B, arg_max(c, a) AS c FROM t": "",
		"SELECT sum(a) AS a, upper(b) AS b, a AS c, 1 AS d FROM t":           "a b c d",
		"SELECT count(*), a || b FROM t":                                     "",
		"SELECT * REPLACE (upper(b) AS a) RENAME (x AS y) FROM t":            "a y",
		"WITH c(q) AS (SELECT a FROM t) SELECT * FROM c":                     "q",
		"WITH c AS (SELECT a + 1 AS a FROM t) SELECT a FROM c":               "a",
		"SELECT v FROM (SELECT a FROM t) AS u(v), t AS z(k)":                 "k v",
		"SELECT a FROM t UNION ALL SELECT upper(b) AS a FROM t":              "a",
		"SELECT a FROM t WHERE b IN (SELECT max(b + 1) AS b FROM t)":         "b",
	} {
		s, err := statement.Check(t.Context(), parse, query, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(s.Computed)), " "); got != want {
			t.Errorf("%s: %q are computed, want %q", query, got, want)
		}
	}
}

// A column is of the table that is named in front of it, not of its alias.
func TestSources(t *testing.T) {
	t.Parallel()
	s, err := statement.Check(t.Context(), parser(t), `WITH c AS (SELECT "U".a FROM t AS u)
		SELECT c.a, r.name, max(R.city) AS city, d, x.b AS e FROM c, warehouse.refs AS r, x`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(s.Sources), "map[a:[t c] city:[refs] name:[refs]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
