package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An endpoint's tests are written by --update, pass, and fail once it answers something else,
// also in 'contract check'.
func TestEndpointTests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "things")
	writeFile(t, filepath.Join(folder, "contract.json"), thing)
	writeFile(t, filepath.Join(folder, "sample.ndjson"), `{"id":"a","at":"2001-01-01T00:00:00Z","n":1}`+"\n"+`{"id":"b","at":"2001-01-02T00:00:00Z","n":2}`+"\n")
	sql, cases := filepath.Join(folder, "endpoints", "large.sql"), filepath.Join(folder, "endpoints", "large.test.json")
	writeFile(t, sql, "-- Large ones.\n-- param: least integer default=1 minimum=1\n-- order: id\nSELECT id, n FROM things WHERE n >= $least")
	expect := func(want int, says string, args ...string) {
		t.Helper()
		code, out, errs := command(t, "", append(args, "--data", dir, "--data-dir", filepath.Join(dir, "run"))...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("estela %s: %d, want %d and %q\n%s%s", strings.Join(args, " "), code, want, says, out, errs)
		}
	}
	holds := func(want string) {
		t.Helper()
		if text, err := os.ReadFile(cases); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v\n%s\nlacks %s", err, text, want)
		}
	}
	expect(0, "", "endpoint", "test") // there are none
	expect(2, `no endpoint "small"`, "endpoint", "test", "small")
	expect(0, "wrote "+cases, "endpoint", "test", "--update")
	holds(`"first": {"id":"a","n":1}`)
	expect(0, "same  "+cases, "endpoint", "test", "--update")
	writeFile(t, cases, `[{"params": {"least": 2}, "rows": [{"id": "b", "n": 2}]}, {"name": "none", "params": {"least": "0"}, "status": 400}, {"params": {"lest": "1"}, "status": 400}]`)
	expect(0, "ok    things/large                      3 cases", "endpoint", "test", "large")
	expect(0, "things: ok", "contract", "check")
	writeFile(t, sql, "-- Large ones.\n-- param: least integer default=1 minimum=0\n-- order: id\nSELECT id, 10 * n AS n FROM things WHERE n >= $least")
	for _, command := range [][]string{{"endpoint", "test", "things/large"}, {"contract", "check"}} {
		expect(3, "FAIL  things/large: 2 of 3 cases\n      case 1\n        row 1: expected {\"id\": \"b\", \"n\": 2}\n               answered {\"id\":\"b\",\"n\":20}\n      case none\n        status: expected 400\n", command...)
	}
	expect(0, "wrote", "endpoint", "test", "--update")
	holds("\"rows\": [\n      {\"id\":\"b\",\"n\":20}\n    ]")
	expect(0, "3 cases", "endpoint", "test")
	writeFile(t, cases, `[{"params": {"least": "2"}}]`)
	expect(1, "things/endpoints/large.test.json: case 1 expects nothing", "endpoint", "test")
	code, _, errs := command(t, "", "endpoint", "test", "--update")
	if code != 2 || !strings.Contains(errs, "--data DIR") {
		t.Errorf("--update of the built-in datasets: %d %s", code, errs)
	}
}
