package memory_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Above the limit the newest query is cancelled first, then the others, and new ones are refused
// while any runs.
func TestPressureEndsTheYoungestFirst(t *testing.T) {
	t.Parallel()
	w := &memory.Watch{Limit: 1 << 60}
	old, leaveOld, err := w.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leaveOld()
	young, leaveYoung, err := w.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leaveYoung()
	leaveNone := context.AfterFunc(old, func() {
		if young.Err() == nil {
			t.Error("the older query ended first")
		}
	})
	defer leaveNone()
	w.Squeeze(1)
	if _, _, err := w.Enter(t.Context()); !errors.Is(err, memory.ErrPressure) {
		t.Errorf("above the limit: %v", err)
	}
	<-young.Done()
	<-old.Done()
	if !errors.Is(context.Cause(old), memory.ErrPressure) || !errors.Is(context.Cause(young), memory.ErrPressure) {
		t.Errorf("%v, %v", context.Cause(old), context.Cause(young))
	}
	if _, _, err := w.Enter(t.Context()); !errors.Is(err, memory.ErrPressure) {
		t.Errorf("just after: %v", err)
	}
	w.Squeeze(1 << 60)
	if _, leave, err := w.Enter(t.Context()); err != nil {
		t.Errorf("below the limit again: %v", err)
	} else {
		leave()
	}
	if n := memory.Resident(); n < 1<<20 || n > 1<<40 {
		t.Errorf("resident: %d", n)
	}
}

// Without a limit nothing is sampled or refused.
func TestNoLimit(t *testing.T) {
	t.Parallel()
	for _, w := range []*memory.Watch{nil, {}} {
		if ctx, leave, err := w.Enter(t.Context()); err != nil || ctx != t.Context() {
			t.Errorf("%v, %v", ctx, err)
		} else {
			leave()
		}
	}
}
