package telemetry

import (
	"maps"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// Use is how an endpoint was used since the process' start.
type Use struct {
	// Errors are requests that were answered with a status of 400 or above.
	Requests, Errors float64
	// Median and P95 are latencies in seconds, estimated from the histogram's buckets; 0 without a request.
	Median, P95 float64
}

// Use returns how an endpoint, DATASET/NAME, was used.
func (m *Metrics) Use(name string) (u Use) {
	families, _ := m.promises.Gather() // an error is about some series; the others are there
	counts := map[float64]float64{}    // cumulative, by bound
	for _, f := range families {
		for _, series := range f.GetMetric() {
			if labelOf(series, "endpoint") != name {
				continue
			}
			switch f.GetName() {
			case "estela_http_requests_total":
				u.Requests += series.GetCounter().GetValue()
				if labelOf(series, "status") >= "400" {
					u.Errors += series.GetCounter().GetValue()
				}
			case "estela_http_request_duration_seconds":
				for _, b := range series.GetHistogram().GetBucket() {
					counts[b.GetUpperBound()] += float64(b.GetCumulativeCount())
				}
				counts[math.Inf(1)] += histogramCount(series)
			}
		}
	}
	u.Median, u.P95 = quantile(0.5, counts), quantile(0.95, counts)
	return u
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// quantile estimates one as Prometheus' histogram_quantile does: linearly within a bucket, and the highest bound for
// what is above it.
func quantile(q float64, counts map[float64]float64) float64 {
	rank := q * counts[math.Inf(1)]
	if rank == 0 {
		return 0
	}
	below, from := 0.0, 0.0
	for _, bound := range slices.Sorted(maps.Keys(counts)) {
		switch count := counts[bound]; {
		case count < rank:
			below, from = count, bound
		case math.IsInf(bound, 1):
			return from
		default:
			return from + (bound-from)*(rank-below)/(count-below)
		}
	}
	return from
}
