package client_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSmall: who imports this package gets neither DuckDB nor a server of HTTP, and needs no C compiler.
func TestSmall(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}} {{len .CgoFiles}}", ".")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=1")
	out, err := cmd.Output()
	must(t, err)
	all := strings.Split(strings.TrimSpace(string(out)), "\n")
	if !slices.Contains(all, "github.com/estela-dev/estela/services/internal/stream 0") {
		t.Fatalf("not the imports of this package: %s", out)
	}
	for _, one := range all {
		name, cgo, _ := strings.Cut(one, " ")
		if module, _, found := strings.Cut(name, "/"); found && strings.Contains(module, ".") && cgo != "0" {
			t.Errorf("%s needs cgo", name)
		}
		for _, no := range []string{"duckdb", "fiber", "fasthttp", "opentelemetry", "services/internal/api", "services/internal/warehouse"} {
			if strings.Contains(name, no) {
				t.Errorf("imports %s", name)
			}
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("without cgo: %v\n%s", err, out)
	}
}
