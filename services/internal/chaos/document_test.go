package chaos_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
)

const health = "../../../infra/observability/"

var update = flag.Bool("update", false, "show the last result that is kept in infra/observability/README.md")

// TestChaosReportObjective holds the objective that faults are charged to against the
// file in which it is set.
func TestChaosReportObjective(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(health + "slo.yaml")
	must(t, err)
	// The block of one objective, with the three figures in their order.
	_, block, _ := strings.Cut(string(text), "- name: freshness\n")
	block, _, _ = strings.Cut(block, "\n  - name:")
	set := regexp.MustCompile(`(?s)\n\s+objective: (\S+)\n\s+window_days: (\S+)\n.*le=~"(\d+)\(\.0\)\?".*\n\s+max: (\S+)\n`).FindStringSubmatch(block)
	if set == nil {
		t.Fatal("slo.yaml has no objective freshness with a share, a window, a bucket and a bound")
	}
	share := strconv.FormatFloat(chaos.FreshShare, 'f', -1, 64)
	days := strconv.Itoa(int(chaos.FreshWindow / (24 * time.Hour)))
	within := strconv.Itoa(int(chaos.FreshWithin / time.Second))
	if got := []string{share, days, within, within}; !slices.Equal(got, set[1:]) {
		t.Errorf("share, days and seconds are %q here, %q in slo.yaml", got, set[1:])
	}
}

// TestChaosReportIsShown compares the README's table with the last result that was
// kept.
func TestChaosReportIsShown(t *testing.T) {
	t.Parallel()
	kept, err := filepath.Glob("results/*.json")
	must(t, err)
	if len(kept) == 0 {
		t.Fatal("no result is kept")
	}
	text, err := os.ReadFile(slices.Max(kept))
	must(t, err)
	var r chaos.Report
	must(t, json.Unmarshal(text, &r))
	must(t, r.Check())
	readme, err := os.ReadFile(health + "README.md")
	must(t, err)
	const begin, end = "<!-- faults -->\n", "<!-- /faults -->"
	before, rest, ok := strings.Cut(string(readme), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("README.md has no markers %s and %s", strings.TrimSpace(begin), end)
	}
	shown := before + begin + r.Table() + end + after
	if *update {
		must(t, os.WriteFile(health+"README.md", []byte(shown), 0o600))
	} else if shown != string(readme) {
		t.Errorf("README.md does not show %s: run go test ./internal/chaos -run TestChaosReportIsShown -update", slices.Max(kept))
	}
}

// TestChaosReportCheck shows that a result that must not be kept is refused.
func TestChaosReportCheck(t *testing.T) {
	t.Parallel()
	good := func() chaos.Report {
		return chaos.Report{
			Date: "2026-01-31", Machine: "m", Command: "c", Rate: 200,
			Faults: []chaos.Cost{{Fault: "f", Recovered: 1, Published: 3, Stored: 2, Rejected: 1}},
		}
	}
	must(t, good().Check())
	for says, change := range map[string]func(*chaos.Report){
		"date":     func(r *chaos.Report) { r.Date = "today" },
		"machine":  func(r *chaos.Report) { r.Machine = "" },
		"no fault": func(r *chaos.Report) { r.Faults = nil },
		"f: lost":  func(r *chaos.Report) { r.Faults[0].Lost = 1 },
		"f: 3 published, 1 stored": func(r *chaos.Report) {
			r.Faults[0].Stored = 1
		},
	} {
		r := good()
		change(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got error %v", says, err)
		}
	}
}
