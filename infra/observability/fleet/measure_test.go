package main_test

import (
	"testing"
	"time"

	fleet "github.com/estela-dev/estela/infra/observability/fleet"
)

// One system for ten minutes gives every figure, so that the command can't rot.
func TestMeasure(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	p, err := fleet.Measure(t.Context(), t.TempDir(), fleet.Fleet{Systems: 1, Span: 10 * time.Minute, Root: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	if p.Exposed < 100 || p.Active <= p.Exposed {
		t.Errorf("%d series, %d of them exposed: want those of rules too", p.Active, p.Exposed)
	}
	// A sample in 30 s of every series.
	if want := float64(p.Exposed) * 2880; p.RawSamples < 0.8*want || p.RawSamples > 1.2*want {
		t.Errorf("%g samples a day, want about %g", p.RawSamples, want)
	}
	if p.RecordedSamples <= 0 || p.RawBytes <= 0 || p.RecordedBytes <= 0 {
		t.Errorf("stored: %+v", p)
	}
	if p.Idle <= 0 || p.Peak < p.Idle/2 {
		t.Errorf("memory: %d idle, %d at most", p.Idle, p.Peak)
	}
	if len(p.Groups) != 4 || len(p.Panels) < 25 || p.RawBudgets.Seconds <= 0 || p.RecordedBudgets.Seconds <= 0 {
		t.Errorf("times: %+v", p)
	}
	if p.RawBudgets.Read <= p.RecordedBudgets.Read || p.RecordedBudgets.Read <= 0 {
		t.Errorf("budgets read %d samples of counters and %d recorded ones", p.RawBudgets.Read, p.RecordedBudgets.Read)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}
