package summary_test

import (
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/summary"
)

func TestAllPassed(t *testing.T) {
	t.Parallel()
	lines := []summary.Line{
		summary.Line{Name: "vet", Took: time.Second}.Passed("vet ok\n\n1 passed, 0 failed\n"),
		summary.Line{Name: "unit-services", Took: 90 * time.Second}.Passed("900 passed, 0 failed\n"),
	}
	text, err := summary.Of(lines, 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"vet            ok", "unit-services  ok      1m30s  900", "2 of 2 checks passed in 2m0s", "901 passed, 0 failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestAFailureIsNamedAndExplained(t *testing.T) {
	t.Parallel()
	lines := []summary.Line{
		summary.Line{Name: "vet"}.Passed("1 passed, 0 failed"),
		summary.Line{Name: "unit-data"}.Failed("--- FAIL: TestX\nboom\n3 passed, 2 failed", "exit code: 1"),
		{Name: "e2e", Outcome: "not run"},
	}
	text, err := summary.Of(lines, time.Second)
	if err == nil || text != "" {
		t.Fatalf("%q, %v", text, err)
	}
	for _, want := range []string{
		"boom", "exit code: 1", "unit-data  FAILED", "1 of 3 checks passed", "4 passed, 2 failed", "did not pass: unit-data, e2e",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

// What exits well without a word on its tests has not tested anything.
func TestSilenceIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"", "fine", "0 passed, 0 failed", "3 passed, 1 failed", "x 3 passed, 0 failed"} {
		l := summary.Line{Name: "unit"}.Passed(output)
		if l.Outcome == "ok" || l.Failures == 0 {
			t.Errorf("%q is believed: %+v", output, l)
		}
	}
}
