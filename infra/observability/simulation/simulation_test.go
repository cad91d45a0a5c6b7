package simulation_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/estela-dev/estela/infra/observability"
	"github.com/estela-dev/estela/infra/observability/simulation"
)

func load(t *testing.T) observability.File {
	t.Helper()
	f, err := observability.Load()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The tables and the plot are what the simulation makes of slo.yaml.
func TestSimulationIsUpToDate(t *testing.T) {
	t.Parallel()
	const dir = ".."
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"README.md": readme}
	if err := simulation.Document(load(t), files); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the simulation makes (%v): run go run ./observability/gen in infra/", name, err)
		}
	}
	if len(files) != 2 {
		t.Errorf("files: %v, want the README and the plot", slices.Collect(maps.Keys(files)))
	}
}

// Times that can be worked out by hand: the first minute at which an hour's share is more
// than 14.4 budgets, and at which three days' is more than one.
func TestDetectsAsWorkedOutByHand(t *testing.T) {
	t.Parallel()
	chosen := simulation.Policies(load(t))[1]
	for _, c := range []struct {
		objective float64
		percent   int
		minutes   int
		told      bool
	}{
		{0.99, 100, 9, true},  // 14.4 × 1 % × 60 = 8.64
		{0.999, 100, 1, true}, // 0.864
		{0.95, 100, 44, true}, // 43.2
		{0.99, 50, 18, true},  // 17.28
		{0.99, 10, 217, true}, // the hour never shows it: 6 × 1 % × 360 / 10 % = 216, and more than that
		{0.99, 2, 2161, true}, // 1 × 1 % × 4320 / 2 % = 2160, and more than that
		{0.99, 1, 0, false},   // exactly at the budget's pace
	} {
		got, told := simulation.Detects(chosen, observability.SLO{Objective: c.objective, WindowDays: 28}, c.percent)
		if told != c.told || got < c.minutes || got > c.minutes+1 {
			t.Errorf("%v, %d %% bad: %d min, %v, want %d, %v", c.objective, c.percent, got, told, c.minutes, c.told)
		}
	}
}

// What is counted, on a history that is short enough to count by hand.
func TestJudge(t *testing.T) {
	t.Parallel()
	const objective, window = 0.99, 28 * 24 * 60
	budget := 0.01 * simulation.Traffic * window
	h := simulation.NewHistory(window, 0, []simulation.Outage{
		{Start: 1000, Minutes: 1, Bad: simulation.Traffic},   // a blip: 0.25 % of the budget
		{Start: 10000, Minutes: 30, Bad: simulation.Traffic}, // 7.4 %
	})
	nervous := h.Judge(simulation.Policy{Paces: []simulation.Pace{{Factor: 1, Long: 5, Short: 5}}}, objective, budget)
	if want := (simulation.Result{Outages: 1, Told: 1, Median: 1, P95: 1, Lasts: 4, False: 1}); nervous != want {
		t.Errorf("five minutes: %+v, want %+v", nervous, want)
	}
	chosen := h.Judge(simulation.Policies(load(t))[0], objective, budget)
	if chosen.Told != 1 || chosen.Median != 9 || chosen.False != 0 || chosen.Lasts > 60 {
		t.Errorf("chosen: %+v, want the outage after 9 minutes and nothing of the blip", chosen)
	}
	deaf := h.Judge(simulation.Policy{Paces: []simulation.Pace{{Factor: 100, Long: 60, Short: 60}}}, objective, budget)
	if deaf.Told != 0 || deaf.Outages != 1 || deaf.Missed < 0.074 || deaf.Missed > 0.075 {
		t.Errorf("deaf: %+v, want the outage missed", deaf)
	}
}
