package observability_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/estela-dev/estela/infra/observability"
)

func load(t *testing.T) observability.File {
	t.Helper()
	f, err := observability.Load()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// promtool runs Prometheus' own tool.
func promtool(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not on PATH, and these tests need it: run apt-get install prometheus")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// What is committed is what slo.yaml makes.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := observability.Generate(load(t), readme)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what slo.yaml makes (%v): run go run ./observability/gen in infra/", name, err)
		}
	}
	there, err := filepath.Glob("generated/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range there {
		if files[name] == nil {
			t.Errorf("%s is made of nothing: remove it", name)
		}
	}
}

// Prometheus takes the rules; every alert fires when it should and is silent on a blip.
func TestRules(t *testing.T) {
	t.Parallel()
	if out, err := promtool(t, "generated", "check", "config", "prometheus.yml"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := promtool(t, "generated", "check", "rules", "rules.yaml"); err != nil || strings.Contains(out, "error") {
		t.Errorf("%v\n%s", err, out)
	}
	files, err := filepath.Glob("generated/rules_test_*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v: %q", err, files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			if out, err := promtool(t, "generated", "test", "rules", filepath.Base(file)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// No alert lacks a test in which it fires or one in which it doesn't.
func TestEveryAlertIsTested(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	files, err := filepath.Glob("generated/rules_test_*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	for _, alert := range observability.Alerts(load(t)) {
		for _, name := range []string{alert + " fires", alert + " is silent on a blip"} {
			if !strings.Contains(tests.String(), "name: "+name+"\n") {
				t.Errorf("there is no test %q", name)
			}
		}
	}
}

// testRules has promtool test rules.
func testRules(t *testing.T, rules []byte, test string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yaml": string(rules), "test.yaml": test} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return promtool(t, dir, "test", "rules", "test.yaml")
}

// The tests would notice alerts that never fire, and ones that always do.
func TestRuleTestsNotice(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("generated/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("generated/rules_test_1h.yaml")
	if err != nil {
		t.Fatal(err)
	}
	threshold := regexp.MustCompile(`(slo="[a-z-]+"\}) > [0-9.e-]+`)
	for says, replacement := range map[string]string{"fires": "$1 > 1", "is silent": "$1 >= 0"} {
		changed := threshold.ReplaceAll(rules, []byte(replacement))
		if bytes.Equal(changed, rules) {
			t.Fatal("rules.yaml has no threshold")
		}
		if out, err := testRules(t, changed, string(tests)); err == nil {
			t.Errorf("with every threshold %s no test that an alert %s fails:\n%s", replacement, says, out)
		}
	}
}

// A loss pages however few events it is beside those that are settled, also where it was counted before the
// first scrape, and an old one doesn't go on paging.
func TestOneLossPages(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("generated/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for values, want := range map[string]string{
		"0x119 1x30":     "[{value: 1}]", // found while it is watched
		"_x119 1x30":     "[{value: 1}]", // found before the first scrape
		"0x119 _x5 1x20": "[{value: 1}]", // found by the process that came after
		"0x30 1x150":     "[]",           // two hours ago
		"0x60 _x5 0x90":  "[]",           // a restart
	} {
		test := `rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'estela_stream_entries_lost_total{system="a",dataset="d"}', values: '` + values + `'}
      - {series: 'estela_events_total{system="a",dataset="d",outcome="stored"}', values: '0+60000000x200'}
    promql_expr_test:
      - expr: sum(ALERTS{alertname="EstelaEventsLost", alertstate="firing"})
        eval_time: 135m
        exp_samples: ` + want + "\n"
		if out, err := testRules(t, rules, test); err != nil {
			t.Errorf("%s: %v\n%s", values, err, out)
		}
	}
}

// Each deployment counts once and alike, whether others are near it or not, although each is recorded for
// several minutes: 1 of 20 is half of the budget.
func TestADeploymentCountsOnce(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("generated/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const alone = " _x30 1 _x30 1 _x7 1 _x20 1 _x30 1 _x30 1 _x11 1 _x9 1 _x8 1 "
	test := `rule_files: [rules.yaml]
evaluation_interval: 1m
group_eval_order: [estela-rates, estela-budgets, estela-burn, estela-causes]
tests:
  - interval: 1m
    input_series:
      - {series: 'estela_deployment_success{system="a"}', values: '0` + alone + `_x20 1x9'}
      - {series: 'estela_deployment_success{system="b"}', values: '1x4 0 1x4` + alone + `_x9 1 1'}
      - {series: 'estela_deployment_success{system="c"}', values: '_x20 1 _x30 1'}
      - {series: 'estela_deployment_success{system="d"}', values: '0 _x7 1 _x7 0 _x7 1'}
    promql_expr_test:
      - expr: round(estela:slo_budget:remaining, 0.0001)
        eval_time: 300m
        exp_samples:
          - {labels: '{slo="deployments", system="a"}', value: 0.5}
          - {labels: '{slo="deployments", system="b"}', value: 0.5455}
          - {labels: '{slo="deployments", system="c"}', value: 1}
          - {labels: '{slo="deployments", system="d"}', value: -4}
`
	if out, err := testRules(t, rules, test); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Two in three days are told of, of one system, and not two in a week, long after Prometheus forgot the samples.
func TestFailedDeploymentsAreToldOf(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("generated/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	test := `rule_files: [rules.yaml]
evaluation_interval: 1h
tests:
  - interval: 1h
    input_series:
      - {series: 'estela_deployment_success{system="a"}', values: '_x96 0 _x48 1 _x20 0'}
      - {series: 'estela_deployment_success{system="b"}', values: '_x24 0 _x96 1 _x40 0'}
      - {series: 'estela_deployment_success{system="c"}', values: '0 0 0 0'}
      - {series: 'estela_deployment_success{system="d"}', values: '_x164 1 1 1 0'}
    promql_expr_test:
      - expr: sum by (system) (ALERTS{alertname="EstelaDeploymentsFail", alertstate="firing"})
        eval_time: 168h
        exp_samples: [{labels: '{system="a"}', value: 1}]
`
	if out, err := testRules(t, rules, test); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
