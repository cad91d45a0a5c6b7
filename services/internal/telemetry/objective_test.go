package telemetry_test

import (
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetry"
)

// What is good of each objective, and what counts, is what was recorded.
func TestObjectives(t *testing.T) {
	t.Parallel()
	m := telemetry.New([]string{"a", "b"})
	wants := func(after string, want map[string][2]float64) {
		t.Helper()
		for _, o := range m.Objectives() {
			if got := [2]float64{o.Good, o.Total}; got != want[o.Title] {
				t.Errorf("%s: %s: %v, want %v", after, o.Title, got, want[o.Title])
			}
		}
	}
	wants("nothing", nil)

	now := uint64(time.Now().UnixMilli())
	m.Committed("a", &contract.Batch{Rows: 3, MS: []uint64{now - 60_000, now - 60_000, now}}, time.Millisecond)
	m.Committed("b", &contract.Batch{Rows: 1, MS: []uint64{now}, Duplicates: 5, Rejects: make([]event.Reject, 2)}, time.Millisecond)
	m.Reconciled("a", 90, 10)
	for _, r := range []struct {
		endpoint string
		status   int
		seconds  float64
	}{
		{"a/x", 200, 0.1},
		{"a/x", 200, 0.3},
		{"b/y", 503, 0.1},
		{"b/y", 404, 0.001},
		{"other", 500, 9},
		{"page", 500, 9}, // no promise to a third party
	} {
		m.Request(r.endpoint, r.status, r.seconds)
	}
	wants("some", map[string][2]float64{
		"Events are queryable within 5 s":  {2, 4},
		"No published event is missing":    {90, 100},
		"Events keep their contract":       {9, 11},
		"Reads are answered":               {3, 4},
		"Reads are answered within 256 ms": {2, 3},
	})
}
