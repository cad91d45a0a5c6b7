package api_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// linter lints OpenAPI documents with the recommended rules of Redocly and Spectral: npm packages,
// whose versions and hashes are in testdata/lint/package-lock.json.
type linter struct{ dir string }

func setupLinter(t *testing.T) linter {
	t.Helper()
	l := linter{t.TempDir()}
	if err := os.CopyFS(l.dir, os.DirFS("testdata/lint")); err != nil {
		t.Fatal(err)
	}
	l.run(t, "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	return l
}

// lint returns what the linters find, a line each.
func (l linter) lint(t *testing.T, document string) string {
	t.Helper()
	file := filepath.Join(l.dir, "openapi.json")
	writeFile(t, file, []byte(document))
	return l.run(t, "node", "lint.mjs", file)
}

// run returns the program's standard output. Exit code 1 without a message is that of linters that
// found something.
func (l linter) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stderr strings.Builder
	cmd.Dir, cmd.Stderr = l.dir, &stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1 || stderr.Len() > 0) {
		t.Fatalf("%s %s: %v\n%s%s\nInstall Debian's nodejs and npm, or other ones of at least 18.18 and 9", program, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// The document is clean by the recommended rules of both linters: with keys and without, of
// endpoints with and without pages, parameters, charts and descriptions, and of such whose paths
// differ in a slash only.
func TestOpenAPIIsClean(t *testing.T) {
	t.Parallel()
	l := setupLinter(t)
	i, _ := setupDocumented(t)
	bare := setup(t, "SELECT 1", map[string]string{"a": "-- A.\nSELECT 1 AS a", "b_c": "-- B.\n-- param: x integer -- X\nSELECT $x AS x, [1] AS y, {z: 1} AS z"}, func(cfg *api.Config) {
		other, err := endpoint.Parse("c.sql", "-- C.\nSELECT 1 AS c")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Datasets[0].Description = ""
		cfg.Datasets = append(cfg.Datasets, endpoint.Dataset{Name: "test_b", Endpoints: []endpoint.Endpoint{other}})
	})
	keyed, _, secrets, _ := setupTwo(t)
	_, _, guarded := keyed.body(t, "/openapi.json", "Authorization", "Bearer "+secrets["all"])
	for name, document := range map[string]string{"flights": i.get(t, "/openapi.json").text, "bare": bare.get(t, "/openapi.json").text, "keys": string(guarded)} {
		if found := l.lint(t, document); found != "" {
			t.Errorf("%s:\n%s", name, found)
		}
	}
	found := l.lint(t, `{"openapi": "3.1.0", "info": {"title": "x"}, "paths": {}}`)
	for _, want := range []string{"redocly error struct #/info", "redocly warn info-license", "spectral 1 info-contact"} {
		if !strings.Contains(found, want) {
			t.Errorf("the linters don't find %s: %s", want, found)
		}
	}
}
