// Package suite runs many checks and sums up how they went. It serves every way to run the plan: processes on a
// machine, and containers.
package suite

import (
	"context"
	"slices"

	"github.com/estela-dev/estela/ci/plan"
)

// Run runs the checks, each by a call of do in the background: jobs at once, half of them heavy ones. A check
// starts once those it comes after have ended; one that must be alone runs alone. There is a result for each, in
// their order. Once ctx ends, nothing more is started, and Run returns when what runs has ended.
func Run(ctx context.Context, checks []plan.Check, jobs int, do func(plan.Check) Result) []Result {
	results := make([]Result, len(checks))
	for i, c := range checks {
		results[i] = Result{Name: c.Name, Outcome: NotRun, Reason: string(NotRun)}
	}
	waiting, running := slices.Clone(checks), []plan.Check(nil)
	ends := make(chan Result)
	for {
		next := slices.IndexFunc(waiting, func(c plan.Check) bool { return free(c, waiting, running, max(1, jobs)) })
		switch {
		case next >= 0 && ctx.Err() == nil:
			c := waiting[next]
			waiting, running = slices.Delete(waiting, next, next+1), append(running, c)
			go func() {
				r := do(c)
				r.Name = c.Name
				ends <- r
			}()
		case len(running) > 0:
			r := <-ends
			running = slices.DeleteFunc(running, func(c plan.Check) bool { return c.Name == r.Name })
			results[slices.IndexFunc(checks, func(c plan.Check) bool { return c.Name == r.Name })] = r
		default:
			return results
		}
	}
}

// free reports whether a check may start now.
func free(c plan.Check, waiting, running []plan.Check, jobs int) bool {
	heavy := 0
	for _, other := range running {
		if c.Alone || other.Alone {
			return false
		}
		if other.Heavy {
			heavy++
		}
	}
	earlier := func(other plan.Check) bool { return slices.Contains(c.After, other.Name) }
	return len(running) < jobs && (!c.Heavy || heavy < max(1, jobs/2)) &&
		!slices.ContainsFunc(waiting, earlier) && !slices.ContainsFunc(running, earlier)
}
