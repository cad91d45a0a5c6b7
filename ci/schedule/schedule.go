// Package schedule decides which checks run at once. It serves every way to run
// the plan: processes on a machine, and containers.
package schedule

import (
	"context"
	"slices"

	"github.com/estela-dev/estela/ci/plan"
)

// Run runs the checks, jobs of them at once, half of them heavy ones. A check
// starts once those it comes after have ended; one that must be alone runs alone.
//
// start is called for each check and returns the work itself, which runs in the
// background; ended is called with the check's place in checks and what the work
// returned. Both are called from the goroutine of the caller. Once ctx ends, nothing more is started, and Run returns
// when what runs has ended.
func Run[R any](ctx context.Context, checks []plan.Check, jobs int, start func(plan.Check) func() R, ended func(i int, result R)) {
	type end struct {
		check  int
		result R
	}
	t := &table{checks: checks, jobs: max(1, jobs), states: make([]state, len(checks))}
	ends := make(chan end)
	for {
		for i := t.next(); i >= 0 && ctx.Err() == nil; i = t.next() {
			t.begin(i)
			work := start(checks[i])
			go func() { ends <- end{i, work()} }()
		}
		if t.running == 0 {
			return
		}
		e := <-ends
		t.end(e.check)
		ended(e.check, e.result)
	}
}

// table knows what waits, runs and is done.
type table struct {
	checks  []plan.Check
	states  []state
	jobs    int
	running int
	heavy   int
	alone   bool
}

type state int

const (
	waiting state = iota
	running
	done
)

// next is the first check that may start now, -1 for none.
func (t *table) next() int {
	for i, c := range t.checks {
		if t.states[i] == waiting && t.free(c) {
			return i
		}
	}
	return -1
}

func (t *table) free(c plan.Check) bool {
	switch {
	case t.running >= t.jobs || t.alone:
		return false
	case c.Alone && t.running > 0:
		return false
	case c.Heavy && t.heavy >= max(1, t.jobs/2):
		return false
	}
	return !slices.ContainsFunc(c.After, t.pending)
}

// pending reports whether a check that was asked for has not ended yet.
func (t *table) pending(name string) bool {
	i := slices.IndexFunc(t.checks, func(c plan.Check) bool { return c.Name == name })
	return i >= 0 && t.states[i] != done
}

func (t *table) begin(i int) {
	t.states[i] = running
	t.count(i, 1)
	t.alone = t.checks[i].Alone
}

func (t *table) end(i int) {
	t.states[i] = done
	t.count(i, -1)
	t.alone = false
}

func (t *table) count(i, n int) {
	t.running += n
	if t.checks[i].Heavy {
		t.heavy += n
	}
}
