package suite_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/suite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watcher notes what runs, and looks at each check that starts.
type watcher struct {
	onStart        func(c plan.Check)
	mu             sync.Mutex
	active         []plan.Check
	started, ended []string
	most           int
}

// run runs checks that each take a moment.
func (w *watcher) run(ctx context.Context, checks []plan.Check, jobs int) []suite.Result {
	return suite.Run(ctx, checks, jobs, func(c plan.Check) suite.Result {
		w.mu.Lock()
		w.active = append(w.active, c)
		w.started = append(w.started, c.Name)
		w.most = max(w.most, len(w.active))
		if w.onStart != nil {
			w.onStart(c)
		}
		w.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.active = slices.DeleteFunc(w.active, func(a plan.Check) bool { return a.Name == c.Name })
		w.ended = append(w.ended, c.Name)
		return suite.Result{Outcome: suite.Passed, Reason: "of " + c.Name}
	})
}

func TestEveryCheckRunsOnce(t *testing.T) {
	t.Parallel()
	checks := plan.Checks()
	var w watcher
	results := w.run(t.Context(), checks, 4)
	slices.Sort(w.started)
	if len(w.started) != len(checks) || len(slices.Compact(w.started)) != len(checks) {
		t.Errorf("%d checks, run: %q", len(checks), w.started)
	}
	for i, r := range results {
		if r.Name != checks[i].Name || r.Outcome != suite.Passed || r.Reason != "of "+r.Name {
			t.Errorf("result %d is %+v", i, r)
		}
	}
}

func TestAfterAndAlone(t *testing.T) {
	t.Parallel()
	checks := []plan.Check{
		{Name: "late", After: []string{"early", "absent"}},
		{Name: "early"},
		{Name: "alone", Alone: true},
	}
	var w watcher
	w.run(t.Context(), checks, 8)
	if slices.Index(w.started, "late") < slices.Index(w.started, "early") {
		t.Errorf("the order is %q", w.started)
	}
	if w.most != 1 {
		t.Errorf("%d at once, but one is alone and one waits for another", w.most)
	}
}

func TestHeavyOnesAreHalf(t *testing.T) {
	t.Parallel()
	checks := []plan.Check{{Name: "a", Heavy: true}, {Name: "b", Heavy: true}, {Name: "c", Heavy: true}}
	var two, four watcher
	if two.run(t.Context(), checks, 2); two.most != 1 {
		t.Errorf("%d heavy ones at once with 2 jobs", two.most)
	}
	if four.run(t.Context(), checks, 4); four.most > 2 {
		t.Errorf("%d heavy ones at once with 4 jobs", four.most)
	}
}

func TestRunKeepsItsRules(t *testing.T) {
	t.Parallel()
	var checks []plan.Check
	for i, kind := range "hlalhllhahl" {
		checks = append(checks, plan.Check{Name: strconv.Itoa(i), Heavy: kind == 'h', Alone: kind == 'a'})
	}
	checks[1].After = []string{"0", "nobody asked for this one"}
	checks[3].After = []string{"1"}
	w := &watcher{}
	w.onStart = func(c plan.Check) {
		heavy := 0
		for _, other := range w.active {
			if other.Heavy {
				heavy++
			}
			if other.Alone && len(w.active) > 1 {
				t.Errorf("%s is not alone", other.Name)
			}
		}
		if heavy > 2 || len(w.active) > 4 {
			t.Errorf("%d heavy of %d at once", heavy, len(w.active))
		}
		for _, name := range c.After {
			if slices.Contains(w.started, name) && !slices.Contains(w.ended, name) {
				t.Errorf("%s started before %s ended", c.Name, name)
			}
		}
	}
	for i, r := range w.run(t.Context(), checks, 4) {
		if r.Name != strconv.Itoa(i) || r.Outcome != suite.Passed {
			t.Errorf("result %d is %q of %s", i, r.Outcome, r.Name)
		}
	}
	if w.most != 4 {
		t.Errorf("at most %d at once, want 4", w.most)
	}
}

func TestNothingStartsAfterTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var w watcher
	for _, r := range w.run(ctx, plan.Checks(), 4) {
		if r.Outcome != suite.NotRun || r.Name == "" {
			t.Errorf("after the end: %+v", r)
		}
	}
	if len(w.started) > 0 {
		t.Errorf("started after the end: %q", w.started)
	}
}
