package main

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/estela-dev/estela/infra/observability/exposition"
	"github.com/estela-dev/estela/infra/observability/prometheus"
)

// interval is how often a system's metrics are sent.
const interval = 30 * time.Second

// system is one that lives: its traffic follows the day, and in its outages events come late, are rejected and reads fail.
type system struct {
	random  *rand.Rand
	exposed []exposition.Series
	labels  []map[string]string
	middle  []float64 // of a histogram's bounds, for its buckets
	values  []float64
	rate    float64 // events or requests a second
	outages []outage
}

type outage struct{ from, to time.Time }

// newSystem is the nth of a fleet that lives from one time to another. Every fifth has an outage at the end, so that
// alerts are on when the rules are measured.
func newSystem(n int, exposed []exposition.Series, from, to time.Time) *system {
	s := &system{
		random:  rand.New(rand.NewPCG(uint64(n), 6)), //nolint:gosec // repeatable on purpose
		exposed: exposed, middle: middles(exposed), values: make([]float64, len(exposed)),
	}
	s.rate = math.Exp(s.random.Float64() * math.Log(100)) // 1 to 100
	span := to.Sub(from)
	for range 1 + s.random.IntN(3) {
		start := from.Add(time.Duration(s.random.Float64() * float64(span)))
		s.outages = append(s.outages, outage{start, start.Add(time.Duration(s.random.Float64() * float64(span) / 24))})
	}
	if n%5 == 0 {
		s.outages = append(s.outages, outage{to.Add(-span / 24), to.Add(time.Hour)})
	}
	for _, e := range exposed {
		labels := map[string]string{"__name__": e.Name, "system": fmt.Sprintf("s%03d", n), "instance": "i"}
		maps.Copy(labels, e.Labels)
		s.labels = append(s.labels, labels)
	}
	return s
}

// middles are, for each bucket, the bound a third up its histogram: the median of what goes well.
func middles(exposed []exposition.Series) []float64 {
	all := make([]float64, len(exposed))
	for i := 0; i < len(exposed); {
		end := i
		for end < len(exposed) && exposed[end].Name == exposed[i].Name && exposed[end].Labels["le"] != "+Inf" {
			end++
		}
		if end == i {
			i++
			continue
		}
		for j := i; j < end; j++ {
			all[j] = bound(exposed[i+(end-i)/3])
		}
		i = end
	}
	return all
}

// bound is a bucket's upper one.
func bound(e exposition.Series) float64 {
	v, err := strconv.ParseFloat(e.Labels["le"], 64)
	if err != nil {
		return math.Inf(1)
	}
	return v
}

// since is how long an outage has gone on, 0 outside of one.
func (s *system) since(at time.Time) time.Duration {
	for _, o := range s.outages {
		if at.After(o.from) && at.Before(o.to) {
			return at.Sub(o.from)
		}
	}
	return 0
}

// live is what it exposes from one time, which is included, to another, which isn't.
func (s *system) live(from, to time.Time) []prometheus.Series {
	all := make([]prometheus.Series, len(s.exposed))
	for i := range all {
		all[i].Labels = s.labels[i]
	}
	for at := from; at.Before(to); at = at.Add(interval) {
		s.step(at)
		for i, v := range s.values {
			all[i].Samples = append(all[i].Samples, prometheus.Sample{At: at, Value: v})
		}
	}
	return all
}

// step is what happens in an interval.
func (s *system) step(at time.Time) {
	hour := float64(at.Unix()%86400) / 3600
	count := s.rate * interval.Seconds() * (1 + 0.5*math.Sin(hour/12*math.Pi)) * (0.8 + 0.4*s.random.Float64())
	slow := 0.8 + 0.4*s.random.Float64()
	bad := s.since(at)
	if bad > 0 {
		slow *= 400
	}
	for i, e := range s.exposed {
		switch {
		case e.Kind == "gauge":
			s.values[i] = s.gauge(e, bad)
		case e.Labels["le"] == "+Inf":
			s.values[i] += math.Round(count * share(e, bad))
		case e.Labels["le"] != "":
			s.values[i] += math.Round(count * share(e, bad) * below(bound(e), s.middle[i]*slow))
		default:
			s.values[i] += math.Round(count * share(e, bad))
		}
	}
}

// below is the share of a log-logistic distribution below a bound: most near the median, a few far above.
func below(bound, median float64) float64 {
	odds := median / bound
	return 1 / (1 + odds*odds*odds)
}

// share is how much of the traffic a series counts.
func share(e exposition.Series, bad time.Duration) float64 {
	failed := e.Labels["status"] == "503" || e.Labels["outcome"] == "rejected" || e.Name == "estela_commit_retries_total"
	switch {
	case e.Name == "estela_loss_detected_total":
		return 0
	case failed && bad > 0:
		return 0.3
	case failed:
		return 0.0002
	default:
		return 1
	}
}

// gauge moves what isn't a fact (0 and 1 stay as they are), and lets what waits grow in an outage.
func (s *system) gauge(e exposition.Series, bad time.Duration) float64 {
	switch {
	case e.Name == "estela_oldest_uncommitted_seconds":
		return bad.Seconds() + math.Round(100*s.random.Float64())/100
	case e.Name == "estela_redis_memory_max_bytes" || e.Value <= 1:
		return e.Value
	default:
		return math.Round(e.Value * (0.9 + 0.2*s.random.Float64()))
	}
}
