package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestJSON: what lists something lists it as JSON with --json, and its members are those of the
// documentation.
func TestJSON(t *testing.T) {
	t.Parallel()
	dir, _ := inside(t, thing)
	writeFile(t, filepath.Join(dir, "things", "endpoints", "all.sql"), "-- All.\nSELECT id FROM things LIMIT 1")
	writeFile(t, filepath.Join(dir, "things", "endpoints", "all.test.json"), `[{"count": 0}, {"count": 7}]`)
	documentation, err := os.ReadFile("../../../data/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args    string
		code    int
		lines   int
		members string
	}{
		{"version", 0, 1, "arch duckdb estela go os"},
		{"endpoint list", 0, 1, "data meta"},
		{"endpoint check", 0, 1, "check duration_ms found status"},
		{"endpoint test", 3, 1, "cases check failed found status"},
		{"contract check", 3, 3, "check columns endpoints schema_version status"},
		{"doctor", 0, 0, "check found status"},
		{"rejects list", 0, -1, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			args := append(strings.Fields(c.args), "--json", "--data", filepath.Join(dir, "things"), "--data-dir", t.TempDir())
			code, out, errs := command(t, "", args...)
			for member := range strings.FieldsSeq(c.members) {
				if !strings.Contains(string(documentation), "`"+member+"`") && c.args != "endpoint list" {
					t.Errorf("data/README.md does not explain %s", member)
				}
			}
			lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
			if code != c.code || c.lines > 0 && len(lines) != c.lines || c.lines < 0 && out != "" {
				t.Fatalf("exit %d, want %d and %d lines\n%s%s", code, c.code, c.lines, out, errs)
			}
			for i, line := range lines {
				var members map[string]any
				if err := json.Unmarshal([]byte(line), &members); err != nil && out != "" {
					t.Errorf("%q: %v", line, err)
				} else if got := strings.Join(slices.Sorted(maps.Keys(members)), " "); i == 0 && got != c.members {
					t.Errorf("%q has the members %s, want %s", line, got, c.members)
				}
			}
		})
	}
}
