package report_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/report"
	"github.com/estela-dev/estela/ci/host/internal/runner"
	"github.com/estela-dev/estela/ci/host/internal/testlog"
	"github.com/estela-dev/estela/ci/plan"
)

// screen is written to by two goroutines.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func unit() plan.Check {
	return plan.Check{
		Name: "unit", Doc: "tests", Dir: "services", Tests: true,
		Command: []string{"go", "test", "-run", "^Test(A|B)$", "it's"},
		Fix:     []string{"go", "fix"},
	}
}

func noTests() testlog.Counts { return testlog.Counts{} }

func TestPlainLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out screen
		p := report.NewProgress(&out, 2, false, 80)
		p.Started(unit(), func() testlog.Counts { return testlog.Counts{Passed: 34} })
		time.Sleep(61 * time.Second)
		p.Finished(runner.Result{
			Check: unit(), Outcome: runner.Failed, Took: 61 * time.Second,
			Reason: "1 of 35 tests failed", Detail: "--- p TestA: failed\r\n\nboom\n",
			Tests: testlog.Counts{Passed: 34, Failed: 1},
		})
		p.Started(plan.Check{Name: "vet", Doc: "no findings"}, noTests)
		p.Finished(runner.Result{Check: plan.Check{Name: "vet"}, Outcome: runner.Passed, Detail: "noise"})
		p.Close()
		want := `start  unit: tests
...    [0/2] unit 1m00s 34 tests
FAILED unit  1m01s  1 of 35 tests failed
    | in services: go test -run '^Test(A|B)$' 'it'\''s'
    | --- p TestA: failed
    | 
    | boom
    | to put it right, in services: go fix
start  vet: no findings
ok     vet  0.0s
`
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestLiveLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out screen
		p := report.NewProgress(&out, 1, true, 20)
		p.Started(unit(), noTests)
		time.Sleep(time.Second + time.Millisecond)
		if want := "\r\x1b[K[0/1] unit 1.0s"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("%q does not end in %q", out.String(), want)
		}
		time.Sleep(time.Hour)
		lines := strings.Split(out.String(), "\r\x1b[K")
		if last := lines[len(lines)-1]; len(last) >= 20 {
			t.Errorf("%q would wrap", last)
		}
		p.Finished(runner.Result{Check: unit(), Outcome: runner.Passed})
		p.Close()
		if want := "ok     unit  0.0s\n\r\x1b[K"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("%q does not end in %q", out.String(), want)
		}
	})
}

func TestSummary(t *testing.T) {
	t.Parallel()
	results := []runner.Result{
		{Check: plan.Check{Name: "vet"}, Outcome: runner.Passed, Took: 2 * time.Second},
		{
			Check: unit(), Outcome: runner.Failed, Took: 65 * time.Second,
			Reason: "1 test skipped", Tests: testlog.Counts{Passed: 40, Skipped: 1},
		},
		{Check: plan.Check{Name: "e2e", Tests: true}, Outcome: runner.TimedOut, Reason: "not done after 1m0s"},
	}
	var out screen
	if report.Summary(&out, results, 66*time.Second) {
		t.Error("a failed run counts as passed")
	}
	want := `
check  time   result                     tests
vet    2.0s   ok
unit   1m05s  FAILED                     41
e2e    0.0s   TIMED OUT                  0
all    1m06s  (1m07s one after another)

unit did not pass: 1 test skipped
e2e did not pass: not done after 1m0s

41 passed, 2 failed
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !report.Summary(&out, results[:1], 0) {
		t.Error("a run that passed counts as failed")
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0.0s", 2340 * time.Millisecond: "2.3s", 9990 * time.Millisecond: "10.0s",
		59900 * time.Millisecond: "59s", 185 * time.Second: "3m05s", 2 * time.Hour: "120m00s",
	} {
		if got := report.Span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
