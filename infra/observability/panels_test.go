package observability_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/infra/observability"
)

// scraped is what the services expose, as their own tests keep it.
const scraped = services + "/testdata/metrics.txt"

// deployed is what deployments send, which no service exposes.
const deployed = "\n# TYPE estela_deployment_success gauge\nestela_deployment_success 1\n"

// recorded writes three hours of what some systems would have shown, up to
// now: counters grow, gauges stay.
func recorded(t *testing.T, to string, systems []string) {
	t.Helper()
	text, err := os.ReadFile(scraped)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, deployed...)
	var out strings.Builder
	now := time.Now().Truncate(time.Minute)
	kind := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			kind = rest[strings.LastIndexByte(rest, ' ')+1:]
			name := rest[:strings.IndexByte(rest, ' ')]
			if kind == "counter" {
				name = strings.TrimSuffix(name, "_total")
			}
			fmt.Fprintf(&out, "# TYPE %s %s\n", name, kind)
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		series, number := line[:strings.LastIndexByte(line, ' ')], line[strings.LastIndexByte(line, ' ')+1:]
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			t.Fatal(err)
		}
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		for _, system := range systems {
			all := fmt.Sprintf(`system=%q,instance="i"`, system)
			if labels != "" {
				all = labels + "," + all
			}
			for m := -180; m <= 0; m++ {
				v := value
				if kind != "gauge" {
					v = (value + 1) * float64(m+200)
				}
				fmt.Fprintf(&out, "%s{%s} %g %d\n", name, all, v, now.Add(time.Duration(m)*time.Minute).Unix())
			}
		}
	}
	out.WriteString("# EOF\n")
	if err := os.WriteFile(to, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// prometheus serves what was recorded, with the rules, until the test ends.
func prometheus(t *testing.T, systems ...string) (address string) {
	t.Helper()
	dir := t.TempDir()
	metrics := filepath.Join(dir, "metrics.txt")
	recorded(t, metrics, systems)
	if out, err := promtool(t, dir, "tsdb", "create-blocks-from", "openmetrics", metrics, filepath.Join(dir, "data")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rules, err := filepath.Abs("generated/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	// Evaluated at once and not only after a minute.
	quick := strings.ReplaceAll(string(text), "interval: 1m", "interval: 1s")
	config := "global: {evaluation_interval: 1s}\nrule_files: [" + filepath.Join(dir, "rules.yaml") + "]\n"
	for name, text := range map[string]string{"rules.yaml": quick, "prometheus.yaml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file", filepath.Join(dir, "prometheus.yaml"),
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address, "--storage.tsdb.retention.time", "30d")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("prometheus is not on PATH, and this test needs it (apt-get install prometheus): %v", err)
	}
	said := make(chan string, 1)
	go func() {
		var last strings.Builder
		for s := bufio.NewScanner(log); s.Scan(); {
			last.WriteString(s.Text() + "\n")
		}
		said <- last.String()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		text := <-said
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(text)
		}
	})
	return "http://" + address
}

// ask is the number of series that a query answers with.
func ask(address, query string) (int, error) {
	res, err := http.Get(address + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, fmt.Errorf("%s: %w", text, err)
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", query, answer.Error)
	}
	return len(answer.Data.Result), nil
}

// Every panel of every dashboard shows something of what the services expose.
func TestNoPanelIsEmpty(t *testing.T) {
	t.Parallel()
	address := prometheus(t, "lima", "bogota")
	queries := observability.Queries(load(t))
	if len(queries) < 25 {
		t.Errorf("%d panels only", len(queries))
	}
	last := "estela:slo_budget:remaining"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if n, err := ask(address, last); err == nil && n == 12 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d series of %s, want six objectives of two systems: %v", n, last, err)
		}
	}
	for title, query := range queries {
		n, err := ask(address, strings.ReplaceAll(query, "$system", ".*"))
		if err != nil || n == 0 {
			t.Errorf("%s is empty (%v): %s", title, err, query)
		}
		if n, _ := ask(address, strings.ReplaceAll(query, "$system", "lima")); n == 0 {
			t.Errorf("%s is empty for one system: %s", title, query)
		}
	}
}
