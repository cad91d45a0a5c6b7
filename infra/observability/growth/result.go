package growth

import (
	"encoding/json"
	"fmt"
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
	Panels map[string]float64 `json:"panel_seconds"`
	// Budgets are the seconds of the five budgets over all days, of counters and of recorded rates.
	RawBudgets      float64 `json:"raw_budgets_seconds"`
	RecordedBudgets float64 `json:"recorded_budgets_seconds"`
	Firing          int     `json:"firing_alerts"`
}

// Parse reads a result.
func Parse(text []byte) (r Result, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read result: %w", err)
	}
	return r, nil
}

// Worst is the panel that takes longest.
func (p Point) Worst() (name string, seconds float64) {
	for n, s := range p.Panels {
		if s > seconds || s == seconds && n < name {
			name, seconds = n, s
		}
	}
	return name, seconds
}

// Median is the time of the panel in the middle.
func (p Point) Median() float64 {
	all := make([]float64, 0, len(p.Panels))
	for _, s := range p.Panels {
		all = append(all, s)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
