package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEndpointCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "things", "contract.json"), thing)
	own := func(args ...string) []string {
		return append(args, "--data", dir, "--data-dir", filepath.Join(dir, "run"))
	}
	expect := func(want int, says string, args ...string) string {
		t.Helper()
		code, out, errs := command(t, "", args...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("estela %s: %d, want %d and %q\n%s%s", strings.Join(args, " "), code, want, says, out, errs)
		}
		return out
	}
	// A new endpoint is one that passes.
	expect(0, filepath.Join("things", "endpoints", "newest.sql"), own("endpoint", "new", "newest")...)
	expect(2, "is there already", own("endpoint", "new", "newest")...)
	expect(2, "can't be a path", own("endpoint", "new", "New one")...)
	expect(2, "no dataset \"other\"", own("endpoint", "new", "x", "--dataset", "other")...)
	expect(2, "the built-in datasets can't be changed", "endpoint", "new", "x")
	expect(0, "ok    /v1/things/newest", own("endpoint", "check")...)
	expect(0, "/v1/things/newest  [since] [until]", own("endpoint", "list")...)
	expect(0, "0 rows", own("endpoint", "run", "newest", "--sample")...)

	// * gives the contract's columns; the system's are there for those who name them.
	file := filepath.Join(dir, "things", "endpoints", "all.sql")
	for sql, columns := range map[string]string{
		"SELECT * FROM things LIMIT 1":                               "id,at,n",
		"SELECT * FROM things WHERE _shard >= 0 LIMIT 1":             "id,at,n",
		"SELECT *, _ingested_at AS stored FROM things LIMIT 1":       "id,at,n,stored",
		"SELECT *, _shard FROM things LIMIT 1":                       "id,at,n,_shard",
		"SELECT _shard, 1 AS _shard_1 FROM things LIMIT 1":           "_shard,_shard_1",
		"SELECT * FROM things a, things b LIMIT 1":                   "id,at,n,id_1,at_1,n_1",
		"SELECT id, _shard FROM (FROM things) LIMIT 1":               "id,_shard",
		"SELECT * FROM (SELECT id, _line FROM things) LIMIT 1":       "id,_line",
		"WITH x AS (SELECT * FROM things) SELECT x.* FROM x LIMIT 1": "id,at,n",
	} {
		writeFile(t, file, "-- All.\n"+sql)
		if out := expect(0, "", own("endpoint", "run", "all", "--sample", "--format", "csv")...); strings.TrimSpace(out) != columns {
			t.Errorf("%s: %q, want %s", sql, out, columns)
		}
	}
	writeFile(t, file, "-- All.\nSELECT * FROM things")
	expect(3, "all.sql:2: answers with every row", own("endpoint", "check")...)
	writeFile(t, file, "-- All.\nSELECT DISTINCT * FROM things LIMIT 1")
	expect(2, "all.sql:2: SELECT DISTINCT * compares the system columns of things too, by which every row differs; name the columns, or write * EXCLUDE (_ingested_at, _line, _shard, _stream_ms, _stream_seq)", own("endpoint", "check")...)
	writeFile(t, file, "-- All.\nSELECT nothing FROM things")
	expect(2, "all.sql:2:8: names the column nothing, which is in none of its tables", own("endpoint", "check")...)
	writeFile(t, file, "-- All.\nDELETE FROM things")
	expect(2, "all.sql:2: is not a query", own("endpoint", "check")...)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}

	out := expect(0, "-60", "endpoint", "run", "flights/delays", "--sample", "--param", "width=60")
	if !strings.HasPrefix(out, "from_minutes  to_minutes  flights  share   cumulative_share\n") || !strings.HasSuffix(out, "7 rows\n") {
		t.Errorf("%s", out)
	}
	expect(0, "from_minutes,to_minutes,flights", "endpoint", "run", "delays", "--sample", "--format", "csv")
	expect(0, "<svg", "endpoint", "run", "delays", "--sample", "--format", "svg")
	drawn := expect(0, "40k ┤           ⣀⣀⡀\n", "endpoint", "run", "delays", "--sample", "--chart")
	if strings.Contains(drawn, "\x1b") || !strings.HasPrefix(drawn, "Distribution of the arrival delays") {
		t.Errorf("%s", drawn)
	}
	expect(2, "airports has no chart: add a line such as -- chart: bar", "endpoint", "run", "airports", "--sample", "--chart")
	expect(2, "--chart draws in the terminal: leave out --format svg", "endpoint", "run", "delays", "--chart", "--format", "svg")
	expect(2, "Invalid parameter width: It must be one of", "endpoint", "run", "delays", "--sample", "--param", "width=7")
	expect(2, "no endpoint \"dlays\" (did you mean \"delays\"?): estela endpoint list", "endpoint", "run", "dlays")
	expect(2, "no endpoint \"flihgts/delays\" (did you mean \"flights/delays\"?)", "endpoint", "test", "flihgts/delays")
	expect(1, "start 'estela up', or give --sample", "endpoint", "run", "delays", "--data-dir", filepath.Join(dir, "none"))
}

func TestKeyNew(t *testing.T) {
	t.Parallel()
	code, out, errs := command(t, "", "key", "new", "partner", "--dataset", "flights")
	secret := strings.TrimSpace(out)
	if code != 0 || !strings.HasPrefix(secret, "estela_") || strings.Contains(errs, secret) {
		t.Errorf("%d %s %s", code, out, errs)
	}
	start := strings.Index(errs, "{")
	var key map[string]any
	if err := json.Unmarshal([]byte(errs[start:strings.Index(errs, "}")+1]), &key); err != nil || key["name"] != "partner" {
		t.Errorf("%v: %s", err, errs)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	appended := []string{"key", "new", "partner", "--append", "--keys", file}
	code, out, errs = command(t, "", appended...)
	if text, err := os.ReadFile(file); err != nil || code != 0 || !strings.HasPrefix(out, "estela_") || strings.Contains(string(text)+errs, strings.TrimSpace(out)) {
		t.Errorf("%d %s %s %v: %s", code, out, errs, err, text)
	}
	if code, out, errs = command(t, "", appended...); code != 2 || out != "" || !strings.Contains(errs, "the name partner is taken") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"give --keys FILE", []string{"key", "new", "partner", "--append"}},
		{`no dataset "x"`, []string{"key", "new", "partner", "--dataset", "x"}},
		{"name must be", []string{"key", "new", "a partner"}},
		{"contradict", []string{"up", "--keys", "x", "--anonymous", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}},
		{"estela key new", []string{"up", "--keys", "/nowhere", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir()}},
		{"there is none", []string{"up", "--watch", "--data-dir", t.TempDir()}},
		{"give --keys FILE", []string{"up", "--listen", "0.0.0.0:0", "--data-dir", t.TempDir()}},
	} {
		if code, _, errs := command(t, "", c.args...); code != 2 || !strings.Contains(errs, c.says) {
			t.Errorf("%v: %d %s", c.args, code, errs)
		}
	}
}
