package observability_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/infra/observability/exposition"
)

// The README's one line for a Prometheus on this machine is run as it stands, but for its ports and its folder: it
// scrapes what the services expose and evaluates the rules.
func TestDocumentedPrometheus(t *testing.T) {
	t.Parallel()
	exposed, err := os.ReadFile(filepath.Join("..", exposition.Path))
	if err != nil {
		t.Fatal(err)
	}
	services := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(exposed) }))
	defer services.Close()
	dir := t.TempDir()
	for _, name := range []string{"prometheus.yml", "rules.yaml"} {
		text, err := os.ReadFile(filepath.Join("generated", name))
		if err != nil {
			t.Fatal(err)
		}
		here := strings.ReplaceAll(string(text), "127.0.0.1:9090", strings.TrimPrefix(services.URL, "http://"))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(here, "interval: 1m", "interval: 1s")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^prometheus --.*$`).FindString(string(readme))
	moved := strings.NewReplacer("infra/observability/generated", dir, ".estela", dir, "127.0.0.1:9091", address).Replace(line)
	if strings.Count(moved, dir) != 2 || !strings.Contains(moved, address) {
		t.Fatalf("the line is another than this test knows: %q", line)
	}
	words := strings.Fields(moved)
	process := exec.CommandContext(t.Context(), words[0], words[1:]...)
	var said strings.Builder
	process.Stderr = &said
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = process.Process.Kill()
		_ = process.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	for _, query := range []string{`up{job="estela",system="laptop"} == 1`, `estela:slo_total:rate5m{system="laptop",slo="freshness"}`} {
		last := ""
		for deadline := time.Now().Add(time.Minute); !strings.Contains(last, `"laptop"`); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s", query, last)
			}
			answer, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
			if err != nil {
				continue
			}
			text, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			last = string(text)
		}
	}
}
