package runner

import (
	"fmt"
	"strings"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/testlog"
	"github.com/estela-dev/estela/ci/plan"
)

// Outcome is how a check ended.
type Outcome string

// The outcomes. Every one but Passed makes the run fail.
const (
	Passed      Outcome = "ok"
	Failed      Outcome = "FAILED"
	TimedOut    Outcome = "TIMED OUT"
	Interrupted Outcome = "interrupted"
	NotRun      Outcome = "not run"
)

// Result is what became of a check.
type Result struct {
	Check   plan.Check
	Outcome Outcome
	// Took is the wall time.
	Took time.Duration
	// Reason is a line on why it didn't pass.
	Reason string
	// Detail is what to read about it: the output, or that of the failed tests.
	Detail string
	// Tests counts them, if the check has any.
	Tests testlog.Counts
}

// Counts is the result in tests; a check that has none is one by itself. A
// skipped test is a failed one, and a check that failed has failed once at
// least.
func (r Result) Counts() (passed, failed int) {
	passed, failed = r.Tests.Passed, r.Tests.Failed+r.Tests.Skipped
	switch {
	case r.Outcome != Passed:
		failed = max(failed, 1)
	case !r.Check.Tests:
		passed = 1
	}
	return passed, failed
}

// judged is the result once it is known how the command ended.
func (r Result) judged(err error, failures []testlog.Failure, loose string) Result {
	var why []string
	if n := r.Tests.Failed; n > 0 {
		why = append(why, fmt.Sprintf("%d of %s failed", n, tests(r.Tests.Run())))
	}
	if n := r.Tests.Skipped; n > 0 {
		why = append(why, tests(n)+" skipped")
	}
	if r.Check.Tests && r.Tests.Run() == 0 {
		why = append(why, "no test ran")
	}
	if err != nil && len(why) == 0 {
		why = append(why, err.Error())
	}
	r.Outcome = Passed
	if err != nil || len(why) > 0 {
		r.Outcome = Failed
		r.Reason = strings.Join(why, ", ")
		r.Detail = detail(failures, loose)
	}
	return r
}

func tests(n int) string {
	if n == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", n)
}

// detail prints the loose lines first: a package that doesn't load explains
// why its tests never ran.
func detail(failures []testlog.Failure, loose string) string {
	var b strings.Builder
	b.WriteString(loose)
	if loose != "" && !strings.HasSuffix(loose, "\n") {
		b.WriteByte('\n')
	}
	for _, f := range failures {
		fmt.Fprintf(&b, "--- %s: %s\n%s", f.What, f.Why, f.Output)
	}
	return b.String()
}
