// Package runner runs checks: as many at once as it may, each in a process
// group of its own, and judges them by their exit codes and their tests.
package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/testlog"
	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/schedule"
)

// Observer is told what happens, from one goroutine.
type Observer interface {
	// Started says that a check begins. tests counts those that have ended, at
	// any time and from any goroutine.
	Started(c plan.Check, tests func() testlog.Counts)
	// Finished says that it ended.
	Finished(r Result)
}

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

// outputLimit bounds what is kept of a check's output, in bytes.
const outputLimit = 1 << 20

// Run runs the checks and returns a result for each, in their order. Once ctx
// ends, what runs is stopped and nothing more is started.
func Run(ctx context.Context, cfg Config, checks []plan.Check, o Observer) []Result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg.Grace = cmp.Or(cfg.Grace, 5*time.Second)
	results := make([]Result, 0, len(checks))
	for _, c := range checks {
		results = append(results, Result{Check: c, Outcome: NotRun, Reason: "not run"})
	}
	schedule.Run(ctx, checks, cfg.Jobs, func(c plan.Check) func() Result {
		log := testlog.New()
		o.Started(c, log.Counts)
		return func() Result { return one(ctx, cfg, c, log) }
	}, func(i int, r Result) {
		results[i] = r
		o.Finished(r)
		if cfg.FailFast && r.Outcome != Passed {
			cancel()
		}
	})
	return results
}

// one runs a check and judges it.
func one(ctx context.Context, cfg Config, c plan.Check, log *testlog.Log) Result {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	output := testlog.NewTail(outputLimit)
	began := time.Now()
	var err error
	if c.Tests {
		// Only standard output has events. go test's own words go to the other.
		err = execute(limited, cfg, c, log, output)
	} else {
		err = execute(limited, cfg, c, output, output)
	}
	took := time.Since(began)
	failures, loose := log.Close()
	r := Result{Check: c, Took: took, Tests: log.Counts()}.judged(err, failures, output.String()+loose)
	switch {
	case r.Outcome == Passed:
	case ctx.Err() != nil:
		r.Outcome, r.Reason = Interrupted, "interrupted"
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		r.Outcome, r.Reason = TimedOut, fmt.Sprintf("not done after %s", c.Timeout)
	}
	return r
}
