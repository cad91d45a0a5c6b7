// Package runner runs checks: as many at once as it may, each in a process
// group of its own, judges them by their exit codes and their tests, and says
// how it goes.
package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/testlog"
	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/suite"
)

// Config says how to run.
type Config struct {
	// Root is the repository.
	Root string

	// Base is the revision to compare with.
	//
	// Default: none.
	Base string

	// Jobs is how many checks run at once. Half of them may be heavy ones.
	//
	// Default: 1.
	Jobs int

	// FailFast stops everything at the first check that fails.
	FailFast bool

	// Grace is how long a command may take to stop when it is told to.
	//
	// Default: 5 s, half of what the pipeline's own platform allows.
	Grace time.Duration
}

// Run runs the checks, writes a line to out when one begins or ends, with the
// output of what failed, and returns a result for each, in their order. Once ctx
// ends, what runs is stopped and nothing more is started.
func Run(ctx context.Context, cfg Config, checks []plan.Check, out io.Writer) []suite.Result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg.Grace = cmp.Or(cfg.Grace, 5*time.Second)
	p := &progress{out: out}
	return suite.Run(ctx, checks, cfg.Jobs, func(c plan.Check) suite.Result {
		log := &testlog.Log{}
		r := p.follow(c, func() int { return log.Counts().Run() }, func() suite.Result { return one(ctx, cfg, c, log) })
		if cfg.FailFast && r.Outcome != suite.Passed {
			cancel()
		}
		return r
	})
}

// one runs a check and judges it.
func one(ctx context.Context, cfg Config, c plan.Check, log *testlog.Log) suite.Result {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var output testlog.Tail
	var stdout io.Writer = &output
	if c.Tests { // only standard output has events; go test's own words go to the other
		stdout = log
	}
	began := time.Now()
	err := execute(limited, cfg, c, stdout, &output)
	r := suite.Result{Outcome: suite.Passed, Passed: 1, Took: time.Since(began)}
	detail := output.String() + log.Close()
	if c.Tests {
		tests := log.Counts()
		r.Passed, r.Failed, r.Reason = tests.Passed, tests.Failed+tests.Skipped, problems(tests)
	}
	if err == nil && r.Reason == "" {
		return r
	}
	if !c.Tests {
		r.Passed = 0
	}
	r.Outcome, r.Failed, r.Detail = suite.Failed, max(1, r.Failed), detail
	switch {
	case ctx.Err() != nil:
		r.Outcome, r.Reason = suite.Interrupted, "interrupted"
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		r.Outcome, r.Reason = suite.TimedOut, fmt.Sprintf("not done after %s", c.Timeout)
	case r.Reason == "":
		r.Reason = err.Error()
	}
	return r
}

// problems says why tests don't pass, whatever the exit code: a skipped one is a failed one, and none is no success.
func problems(tests testlog.Counts) string {
	var why []string
	if tests.Failed > 0 {
		why = append(why, fmt.Sprintf("%d of %s failed", tests.Failed, count(tests.Run())))
	}
	if tests.Skipped > 0 {
		why = append(why, count(tests.Skipped)+" skipped")
	}
	if tests.Run() == 0 {
		why = append(why, "no test ran")
	}
	return strings.Join(why, ", ")
}
