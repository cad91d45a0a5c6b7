package observability_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/infra/observability"
)

const (
	services = "../../services/internal/telemetry"
	rollout  = "../../ci/rollout"
)

// Every metric that an objective is made of is one that the services have, or deployments.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	f, err := observability.Load()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(services + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources in %s: %v", services, err)
	}
	files = append(files, filepath.Join(rollout, "record.go"))
	var sources strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	name := regexp.MustCompile(`estela_[a-z_]+`)
	for _, o := range f.SLOs {
		for _, found := range name.FindAllString(strings.Join([]string{o.Good, o.Total, o.Cloud.Good, o.Cloud.Bad, o.Cloud.Total, o.Cloud.Distribution}, " "), -1) {
			base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(found, "")
			if !strings.Contains(sources.String(), `"`+base+`"`) {
				t.Errorf("%s uses %s, which neither the services nor deployments have", o.Name, base)
			}
		}
	}
}

// Every mistake is named, all at once.
func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("slo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	for says, change := range map[string][2]string{
		"objective 1: want a share":               {"objective: 0.9999", "objective: 1"},
		"the name validity is taken":              {"name: freshness", "name: validity"},
		"want lower case letters":                 {"name: freshness", "name: Freshness!"},
		"window_days 0: want 1 to 30":             {"window_days: 28", "window_days: 0"},
		"must be rates or counts over $window":    {"[$window]", "[5m]"},
		"title, owner, sli and why":               {"owner: producers", "owner: ''"},
		"cloud: want two of good, bad and total":  {"      max: 5\n", ""},
		"cloud: good, bad and total are counters": {"estela_http_requests_total/counter", "estela_http_request_duration_seconds/histogram"},
		"cloud: with few events there is none":    {"owner: producers", "few: true\n    owner: producers"},
		"severity \"wake\": want page or ticket":  {"severity: page", "severity: wake"},
		"want durations such as":                  {"long: 1h", "long: 1 hour"},
		"factor 0: want more":                     {"factor: 6", "factor: 0"},
		"field objectiv not found":                {"objective:", "objectiv:"},
		"ingest-latency: part \"input\"":          {"name: ingest-latency\n    title: Events by POST are taken within 512 ms\n    part: ingest", "name: ingest-latency\n    title: Events by POST are taken within 512 ms\n    part: input"},
		"not_chosen[0]: metric and why":           {"metric: CPU", "metric: ''"},
	} {
		broken := strings.Replace(good, change[0], change[1], 1)
		if broken == good {
			t.Errorf("%q is not in slo.yaml", change[0])
		}
		if _, err := observability.Parse([]byte(broken)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q for %q: %v, want %s", change[1], change[0], err, says)
		}
	}
	both := strings.NewReplacer("objective: 0.99\n", "objective: 2\n", "factor: 6", "factor: -1").Replace(good)
	if _, err := observability.Parse([]byte(both)); err == nil || !strings.Contains(err.Error(), "objective 2") || !strings.Contains(err.Error(), "factor -1") {
		t.Errorf("two mistakes: %v", err)
	}
}

// What no pace of burning tells of is told of by a cause.
func TestFewEventsHaveACause(t *testing.T) {
	t.Parallel()
	f, err := observability.Load()
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`estela_[a-z_]+`)
	for _, o := range f.SLOs {
		told := slices.ContainsFunc(f.Causes, func(c observability.Cause) bool { return strings.Contains(c.Expr, name.FindString(o.Total)) })
		if o.Few && !told {
			t.Errorf("nothing tells when %s is missed", o.Name)
		}
	}
	if len(f.Steady()) == len(f.SLOs) {
		t.Error("no objective has few events; this test has nothing to look at")
	}
}
