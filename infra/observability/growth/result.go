package growth

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Result is what was measured, and on what.
type Result struct {
	Measured   string  `json:"measured"` // the day
	Prometheus string  `json:"prometheus"`
	Processor  string  `json:"processor"`
	Cores      int     `json:"cores"`
	Memory     int64   `json:"memory_bytes"`
	Points     []Point `json:"points"`
	// Check is measured to see how well the lines hold, and no part of them.
	Check Point `json:"check"`
}

// Point is one measurement. Sizes are in bytes, times in seconds; a size a day is what a whole day would have.
type Point struct {
	Systems int     `json:"systems"`
	Days    float64 `json:"days"`
	// Active are the series in memory, those of rules and alerts too; Exposed those of the systems alone.
	Exposed         int     `json:"exposed_series"`
	Active          int     `json:"active_series"`
	RawSamples      float64 `json:"raw_samples_a_day"`
	RecordedSamples float64 `json:"recorded_samples_a_day"`
	// Bytes are what is in blocks at the end.
	RawBytes      int64 `json:"raw_bytes"`
	RecordedBytes int64 `json:"recorded_bytes"`
	Idle          int64 `json:"idle_bytes"`
	Peak          int64 `json:"peak_bytes"`
	// Groups are the seconds of an evaluation, by group of rules.
	Groups map[string]float64 `json:"group_seconds"`
	Panels map[string]Cost    `json:"panels"`
	// Budgets are all objectives' over all days, of counters and of recorded rates.
	RawBudgets      Cost `json:"raw_budgets"`
	RecordedBudgets Cost `json:"recorded_budgets"`
	Firing          int  `json:"firing_alerts"`
}

// Parse reads a result.
func Parse(text []byte) (r Result, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read result: %w", err)
	}
	return r, nil
}

// Cost is a query's.
type Cost struct {
	Seconds float64 `json:"seconds"`
	// Read are the samples that it looks at, Peak those that it holds at once.
	Read int64 `json:"samples_read"`
	Peak int64 `json:"samples_held"`
}

func seconds(c Cost) float64 { return c.Seconds }

// worst is the panel among some with the most of something.
func (p Point) worst(among func(panel string) bool, of func(Cost) float64) (name string, most float64) {
	for _, n := range slices.Sorted(maps.Keys(p.Panels)) {
		if v := of(p.Panels[n]); among(n) && v > most {
			name, most = n, v
		}
	}
	return name, most
}

// median is the time of the panel in the middle.
func (p Point) median() float64 {
	all := make([]float64, 0, len(p.Panels))
	for _, c := range p.Panels {
		all = append(all, c.Seconds)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
