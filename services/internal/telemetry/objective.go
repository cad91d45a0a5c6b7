package telemetry

import (
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// Objective is a service level objective, as this process has met it since its start.
type Objective struct {
	Title string
	// Target is the share that must be good.
	Target      float64
	Good, Total float64
}

// objective is one of infra/observability/slo.yaml, over this process' own metrics. A test holds them against that file.
type objective struct {
	name, title string
	target      float64
	// total and good return what counts of a family's series; a family that is not named counts nothing.
	total, good map[string]func(*dto.Metric) float64
}

// objectives are those that a person who looks at one process asks for.
var objectives = []objective{
	{
		"freshness", "Events are queryable within 5 s", 0.99,
		counting("estela_freshness_seconds", histogramCount), counting("estela_freshness_seconds", within(5)),
	},
	{
		"completeness", "No published event is missing", 0.9999,
		map[string]func(*dto.Metric) float64{"estela_stream_entries_reconciled_total": counterValue, "estela_stream_entries_lost_total": counterValue},
		counting("estela_stream_entries_reconciled_total", counterValue),
	},
	{
		"validity", "Events keep their contract", 0.999,
		counting("estela_events_total", counterValue), counting("estela_events_total", unless("outcome", counterValue, "rejected")),
	},
	{
		"read-availability", "Reads are answered", 0.999,
		counting("estela_http_requests_total", ofEndpoints(counterValue)),
		counting("estela_http_requests_total", ofEndpoints(unless("status", counterValue, failures...))),
	},
	{
		"read-latency", "Reads are answered within 256 ms", 0.95,
		counting("estela_http_request_duration_seconds", ofEndpoints(unless("status", histogramCount, failures...))),
		counting("estela_http_request_duration_seconds", ofEndpoints(unless("status", within(0.256), failures...))),
	},
}

// failures are the statuses of answers that failed.
var failures = []string{"500", "502", "503", "504", "507"}

func counting(family string, count func(*dto.Metric) float64) map[string]func(*dto.Metric) float64 {
	return map[string]func(*dto.Metric) float64{family: count}
}

func counterValue(m *dto.Metric) float64 { return m.GetCounter().GetValue() }

func histogramCount(m *dto.Metric) float64 { return float64(m.GetHistogram().GetSampleCount()) }

// within counts what a histogram has seen up to one of its bounds.
func within(bound float64) func(*dto.Metric) float64 {
	return func(m *dto.Metric) float64 {
		for _, b := range m.GetHistogram().GetBucket() {
			if b.GetUpperBound() >= bound {
				return float64(b.GetCumulativeCount())
			}
		}
		return 0
	}
}

// unless counts series whose label has none of these values.
func unless(label string, count func(*dto.Metric) float64, values ...string) func(*dto.Metric) float64 {
	return func(m *dto.Metric) float64 {
		if slices.Contains(values, labelOf(m, label)) {
			return 0
		}
		return count(m)
	}
}

// ofEndpoints counts requests that third parties build on: no unknown paths, and no pages.
func ofEndpoints(count func(*dto.Metric) float64) func(*dto.Metric) float64 {
	return unless("endpoint", count, "other", "page")
}

// Objectives returns the objectives as they are met. What could not be gathered counts nothing.
func (m *Metrics) Objectives() []Objective {
	families, _ := m.promises.Gather() // an error is about some series; the others are there
	all := make([]Objective, len(objectives))
	for i, o := range objectives {
		all[i] = Objective{Title: o.title, Target: o.target}
		for _, f := range families {
			total, good := o.total[f.GetName()], o.good[f.GetName()]
			for _, series := range f.GetMetric() {
				if total != nil {
					all[i].Total += total(series)
				}
				if good != nil {
					all[i].Good += good(series)
				}
			}
		}
	}
	return all
}
