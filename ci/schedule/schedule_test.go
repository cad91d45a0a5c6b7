package schedule_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs checks and returns the order they started in and the most that ran at once.
func run(ctx context.Context, checks []plan.Check, jobs int) (order []string, most int32) {
	var now, peak atomic.Int32
	ended := make([]bool, len(checks))
	schedule.Run(ctx, checks, jobs, func(c plan.Check) func() bool {
		order = append(order, c.Name)
		return func() bool {
			peak.Store(max(peak.Load(), now.Add(1)))
			time.Sleep(5 * time.Millisecond)
			now.Add(-1)
			return true
		}
	}, func(i int, r bool) { ended[i] = r })
	return order, peak.Load()
}

func TestEveryCheckRunsOnce(t *testing.T) {
	t.Parallel()
	checks := plan.Checks()
	order, _ := run(t.Context(), checks, 4)
	slices.Sort(order)
	if len(order) != len(checks) || len(slices.Compact(order)) != len(checks) {
		t.Errorf("%d checks, run: %q", len(checks), order)
	}
}

func TestAfterAndAlone(t *testing.T) {
	t.Parallel()
	checks := []plan.Check{
		{Name: "late", After: []string{"early", "absent"}},
		{Name: "early"},
		{Name: "alone", Alone: true},
	}
	order, most := run(t.Context(), checks, 8)
	if slices.Index(order, "late") < slices.Index(order, "early") {
		t.Errorf("the order is %q", order)
	}
	if most != 1 {
		t.Errorf("%d at once, but one is alone and one waits for another", most)
	}
}

func TestHeavyOnesAreHalf(t *testing.T) {
	t.Parallel()
	checks := []plan.Check{{Name: "a", Heavy: true}, {Name: "b", Heavy: true}, {Name: "c", Heavy: true}}
	if _, most := run(t.Context(), checks, 2); most != 1 {
		t.Errorf("%d heavy ones at once with 2 jobs", most)
	}
	if _, most := run(t.Context(), checks, 4); most > 2 {
		t.Errorf("%d heavy ones at once with 4 jobs", most)
	}
}

func TestNothingStartsAfterTheEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if order, _ := run(ctx, plan.Checks(), 4); len(order) > 0 {
		t.Errorf("started after the end: %q", order)
	}
}
