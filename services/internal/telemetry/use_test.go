package telemetry_test

import (
	"math"
	"testing"

	"github.com/estela-dev/estela/services/internal/telemetry"
)

// An endpoint's use is its own, of all statuses together.
func TestUse(t *testing.T) {
	t.Parallel()
	m := telemetry.New([]string{"things"})
	if u := m.Use("things/one"); u != (telemetry.Use{}) {
		t.Errorf("before any request: %+v", u)
	}
	for range 90 {
		m.Request("things/one", 200, 0.0011) // in the bucket from 1 to 2 ms
	}
	for range 10 {
		m.Request("things/one", 503, 0.1) // from 64 to 128 ms
		m.Request("things/other", 200, 5)
	}
	u := m.Use("things/one")
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
	if u.Requests != 100 || u.Errors != 10 || !near(u.Median, 0.001+0.001*50/90) || !near(u.P95, 0.096) {
		t.Errorf("%+v", u)
	}
	m.Request("things/slow", 200, 1e6)
	if u := m.Use("things/slow"); u.Median < 8 || math.IsInf(u.Median, 0) {
		t.Errorf("beyond the last bucket: %+v", u)
	}
}
