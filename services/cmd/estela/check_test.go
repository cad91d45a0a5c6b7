package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sale = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","x-estela":{"key":"id","time":"at"},"required":["id","at"],
	"properties":{"id":{"type":"string"},"at":{"type":"string","format":"date-time"},"order":{"type":"integer"},"customer":{"type":"string"},"lines":{"type":"array","items":{"type":"string"}}}}`

// What follows from a reference table or a parameter that has a fault is no fault of what reads it.
func TestChecksSayNothingTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "sales")
	writeFile(t, filepath.Join(folder, "contract.json"), sale)
	writeFile(t, filepath.Join(folder, "reference", "places.csv"), "code,name\nA\n")
	writeFile(t, filepath.Join(folder, "views.sql"), "CREATE VIEW placed AS SELECT name FROM places")
	writeFile(t, filepath.Join(folder, "endpoints", "x.sql"), "-- A.\n-- order: code\nSELECT code, name FROM places")
	writeFile(t, filepath.Join(folder, "endpoints", "y.sql"), "-- A.\n-- param: since datetime\n-- order: id\nSELECT id FROM sales WHERE \"at\" > $since")
	code, _, errs := command(t, "", "contract", "check", "--data", dir, "--data-dir", filepath.Join(t.TempDir(), "run"))
	for _, want := range []string{"reference/places.csv: line 2: has 1 fields, the header has 2", `y.sql:2: unknown type "datetime"`} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %s", want)
		}
	}
	if code != 2 || strings.Count(errs, "\n") != 2 {
		t.Errorf("exit %d\n%s", code, errs)
	}
}

// What the first request, the first publish or the start would find, a check does: in all
// files at once, at its line and column.
func TestChecksSeeWhatRequestsWould(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "sales")
	for _, sub := range []string{"endpoints", "reference"} {
		if err := os.MkdirAll(filepath.Join(folder, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(folder, "contract.json"), sale)
	writeFile(t, filepath.Join(folder, "reference", "products.csv"), "sku,name\nA,Apple\n")
	writeFile(t, filepath.Join(folder, "views.sql"), "-- Two.\nCREATE OR REPLACE VIEW bad AS\nSELECT id,\n  custmer FROM sales;\nCREATE VIEW onbad AS SELECT * FROM bad;\nCREATE VIEW good AS SELECT id FROM sales")
	writeFile(t, filepath.Join(folder, "mapping.sql"), "SELECT _row, id,\n  at FROM source")
	endpoint := func(name, sql string) { writeFile(t, filepath.Join(folder, "endpoints", name+".sql"), sql) }
	endpoint("unknown", "-- A.\n-- param: since date-time\n-- param: p integer\n-- order: id\nSELECT id FROM sales\nWHERE ($since IS NULL OR sales.\"at\" > $since) AND custom = $p")
	endpoint("reserved", "-- A.\n-- order: id\nSELECT id, order FROM sales")
	endpoint("word", "-- A.\n-- order: id\nSELECT s.id, at FROM sales s")
	endpoint("table", "-- A.\nSELECT id FROM sale LIMIT 1")
	endpoint("types", "-- A.\n-- order: id\nSELECT id, customer + 1 AS n FROM sales")
	endpoint("syntax", "-- A.\n-- order: id\nSELECT id, FROM, 1 FROM sales")
	endpoint("order", "-- A.\n-- order: lines\nSELECT id, lines FROM sales")
	endpoint("reference", "-- A.\n-- order: id\nSELECT id FROM sales JOIN products ON skuu = id")
	endpoint("follows", "-- A.\n-- order: id\nSELECT id, nothing FROM onbad")
	endpoint("quote", "-- A.\nSELECT \"id FROM sales")
	endpoint("good", "-- A.\n-- order: at desc\nSELECT good.id, \"at\", \"order\" FROM good JOIN sales USING (id)")
	want := []string{
		`sales/mapping.sql:2:3: at is a word of SQL itself; where it is a name, write "at" with quotes`,
		`sales/views.sql:4:3: names the column custmer, which is in none of its tables; did you mean customer`,
		`sales/endpoints/unknown.sql:6:51: names the column custom, which is in none of its tables; did you mean customer`,
		`sales/endpoints/reserved.sql:3:12: order is a word of SQL itself; where it is a name, write "order" with quotes`,
		`sales/endpoints/word.sql:3:14: at is a word of SQL itself`,
		`sales/endpoints/table.sql:2:16: reads sale, which is no table`, `; there are bad, good, onbad, products, sales`,
		`sales/endpoints/types.sql:3:21: No function matches`,
		`sales/endpoints/syntax.sql:3:16: syntax error at or near ","; correct the SQL`,
		`sales/endpoints/order.sql:2: order names lines, whose type JSON can't be in a cursor`,
		`sales/endpoints/reference.sql:3:39: names the column skuu, which is in none of its tables; did you mean sku`,
		`sales/endpoints/quote.sql:2: has a quote without an end`,
	}
	for _, check := range [][]string{{"contract", "check"}, {"endpoint", "check"}} {
		code, out, errs := command(t, "", append(check, "--data", dir, "--data-dir", filepath.Join(t.TempDir(), "run"))...)
		if code != 2 {
			t.Errorf("%v: exit %d", check, code)
		}
		for _, w := range want {
			if !strings.Contains(errs, w) {
				t.Errorf("%v lacks %s", check, w)
			}
		}
		for _, not := range []string{"good.sql", "follows.sql", "LINE", "LIMIT 0", "onbad\""} {
			if strings.Contains(out+errs, not) {
				t.Errorf("%v says %s", check, not)
			}
		}
		if t.Failed() {
			t.Fatal(errs)
		}
	}
}
