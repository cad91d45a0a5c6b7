package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutside builds a module that imports this package, without a C compiler. It gets neither DuckDB nor a
// server of HTTP, not even as a line of its go.mod.
func TestOutside(t *testing.T) {
	t.Parallel()
	services, err := filepath.Abs("..")
	must(t, err)
	sums, err := os.ReadFile(filepath.Join(services, "go.sum"))
	must(t, err)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/producer\n\ngo 1.26.1\n\nrequire github.com/estela-dev/estela/services v0.0.0\n\n" +
			"replace github.com/estela-dev/estela/services => " + services + "\n",
		"go.sum": string(sums),
		"main.go": "package main\n\nimport \"github.com/estela-dev/estela/services/client\"\n\n" +
			"func main() {\n\tif _, err := client.New(client.Config{URL: \"http://localhost\"}); err != nil {\n\t\tpanic(err)\n\t}\n}\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off", "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("build", "-o", filepath.Join(dir, "producer"), ".")
	required, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	must(t, err)
	imported := run("list", "-deps", ".")
	if !strings.Contains(imported, "estela/services/internal/stream\n") || !strings.Contains(string(required), "go-redis") {
		t.Fatalf("not what this package imports:\n%s%s", required, imported)
	}
	for _, no := range []string{"duckdb", "fiber", "fasthttp", "opentelemetry", "services/internal/api", "services/internal/warehouse"} {
		if strings.Contains(string(required)+imported, no) {
			t.Errorf("a program that imports this gets %s:\n%s%s", no, required, imported)
		}
	}
}
