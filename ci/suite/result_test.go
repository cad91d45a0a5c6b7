package suite_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/suite"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	results := []suite.Result{
		{Name: "vet", Outcome: suite.Passed, Took: 2 * time.Second, Passed: 1},
		{Name: "unit", Outcome: suite.Failed, Took: 65 * time.Second, Reason: "1 test skipped", Passed: 40, Failed: 1},
		{Name: "e2e", Outcome: suite.TimedOut, Reason: "not done after 1m0s"},
		{Name: "chaos", Outcome: suite.NotRun, Reason: "not run"},
	}
	var out strings.Builder
	if suite.Write(&out, results, 66*time.Second) {
		t.Error("a failed run counts as passed")
	}
	want := `check  tests  time   result
vet    1      2.0s   ok
unit   41     1m05s  FAILED
e2e    1      0.0s   TIMED OUT
chaos  1      0.0s   not run
all    44     1m06s  1 of 4 ok (1m07s one after another)

unit did not pass: 1 test skipped
e2e did not pass: not done after 1m0s
chaos did not pass: not run

41 passed, 3 failed
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	if !suite.Write(&out, results[:1], 0) || !strings.HasSuffix(out.String(), "1 of 1 ok (2.0s one after another)\n\n1 passed, 0 failed\n") {
		t.Errorf("a run that passed:\n%s", out.String())
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	vet := suite.Result{Name: "vet", Outcome: suite.Passed, Passed: 1}
	text, err := suite.Report([]suite.Result{vet}, time.Second)
	if err != nil || !strings.HasPrefix(text, "check") || !strings.HasSuffix(text, "\n1 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, text)
	}
	unit := suite.Result{Name: "unit-data", Outcome: suite.Failed, Reason: "exit code 1", Detail: "exit code 1\nboom"}
	text, err = suite.Report([]suite.Result{vet, unit}, time.Second)
	if err == nil || text != "" {
		t.Fatalf("%q, %v", text, err)
	}
	for _, want := range []string{"--- unit-data: FAILED\nexit code 1\nboom\n\n", "1 of 2 ok", "unit-data did not pass: exit code 1", "1 passed, 1 failed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

func TestReadWhatPassed(t *testing.T) {
	t.Parallel()
	for output, passed := range map[string]int{"vet ok\n\n1 passed, 0 failed\n": 1, "900 passed, 0 failed\n": 900} {
		if r := suite.Read(output, nil); r.Outcome != suite.Passed || r.Passed != passed || r.Failed != 0 || r.Detail != "" {
			t.Errorf("%q: %+v", output, r)
		}
	}
}

func TestAFailureIsNamedAndExplained(t *testing.T) {
	t.Parallel()
	r := suite.Read("", errors.New("exit code 1\n--- FAIL: TestX\nboom\n3 passed, 2 failed"))
	if r.Outcome != suite.Failed || r.Passed != 3 || r.Failed != 2 || r.Reason != "exit code 1" || !strings.Contains(r.Detail, "boom") {
		t.Errorf("%+v", r)
	}
	// Nobody knows what it tested; that it failed is known.
	if r := suite.Read("9 passed, 0 failed", errors.New("no such image")); r.Outcome != suite.Failed || r.Passed != 0 || r.Reason != "no such image" {
		t.Errorf("%+v", r)
	}
}

// What exits well without a word on its tests has not tested anything.
func TestSilenceIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"", "fine", "0 passed, 0 failed", "3 passed, 1 failed", "x 3 passed, 0 failed"} {
		if r := suite.Read(output, nil); r.Outcome != suite.Failed || r.Reason == "" || r.Detail != output {
			t.Errorf("%q is believed: %+v", output, r)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0.0s", 2340 * time.Millisecond: "2.3s", 9990 * time.Millisecond: "10.0s",
		59900 * time.Millisecond: "59s", 185 * time.Second: "3m05s", 2 * time.Hour: "120m00s",
	} {
		if got := suite.Span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
