package page

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Pipeline is what runs in this process behind the API.
type Pipeline interface {
	// Sample returns the pipeline's state. It is called once a second and asks no warehouse.
	Sample(ctx context.Context) Sample
	// Findings checks the pipeline, as 'estela doctor' does, and returns what is wrong, or may become so.
	Findings(ctx context.Context) []Finding
}

// Sample is the pipeline's state at a time.
type Sample struct {
	At time.Time
	// Unready is why the pipeline does not run, empty if it does.
	Unready string
	Shards  []Shard
	// Objectives are the service level objectives, as this process has met them since its start.
	Objectives []Objective
	// Freshness is, by dataset, how soon events became queryable since the process' start.
	Freshness map[string]Freshness

	totals map[string]totals // of Shards, by dataset
}

// totals are the counts of a dataset's shards together.
type totals struct {
	published, stored, rejected, lag int64 // published and lag are -1 if they are unknown for one
	oldest                           time.Duration
}

// withTotals returns the sample with its totals.
func (s Sample) withTotals() Sample {
	s.totals = map[string]totals{}
	for _, sh := range s.Shards {
		t := s.totals[sh.Dataset]
		if sh.Published < 0 || t.published < 0 {
			t.published, t.lag = -1, -1
		} else {
			t.published += sh.Published
			t.lag += sh.Lag
		}
		t.stored += sh.Stored
		t.rejected += sh.Rejected
		t.oldest = max(t.oldest, sh.Oldest)
		s.totals[sh.Dataset] = t
	}
	return s
}

// Shard is the state of a shard of a dataset.
type Shard struct {
	Dataset string
	Number  int
	// Owned: this process has its lease. Reason is why it isn't read here, empty if it is.
	Owned  bool
	Reason string
	// Position is the ID of the last entry of its stream that is stored.
	Position string
	// Published are the entries ever added to its stream, -1 if unknown; an entry has one event or several.
	Published int64
	// Stored, Rejected and Duplicates are events ever committed.
	Stored, Rejected, Duplicates int64
	// Lag are the entries that are not stored, Oldest is the age of the oldest of them.
	Lag    int64
	Oldest time.Duration
	// CommittedAt is the time of the last commit, zero if there was none.
	CommittedAt time.Time
}

// Freshness counts events by the time from their publishing until they were queryable.
type Freshness struct {
	// Bounds are upper bounds in seconds, Events how many events were within each and not within the one before; the last
	// are those above all bounds.
	Bounds []float64
	Events []uint64
}

// since returns the events that were counted after an earlier state of the same counts.
func (f Freshness) since(earlier Freshness) Freshness {
	grown := Freshness{f.Bounds, slices.Clone(f.Events)}
	for i, n := range earlier.Events {
		grown.Events[i] -= n
	}
	return grown
}

// within returns the least bound that so large a share of the events is within; ok is false without events, and if
// it is above all bounds.
func (f Freshness) within(share float64) (bound time.Duration, ok bool) {
	var all, sum uint64
	for _, n := range f.Events {
		all += n
	}
	for i, b := range f.Bounds {
		if sum += f.Events[i]; all > 0 && float64(sum) >= share*float64(all) {
			return time.Duration(b * float64(time.Second)), true
		}
	}
	return 0, false
}

// Objective is a service level objective.
type Objective struct {
	Title string
	// Target is the share that must be good, Good and Total the events that were.
	Target      float64
	Good, Total float64
}

// Budget returns the share of the objective's error budget that is left; negative if it is spent. Without
// events all of it is.
func (o Objective) Budget() float64 {
	if o.Total == 0 {
		return 1
	}
	return 1 - (1-o.Good/o.Total)/(1-o.Target)
}

// Finding is something that is wrong, and its fix.
type Finding struct {
	Name, Found, Fix string
	// Warning: the pipeline works nevertheless.
	Warning bool
}

const (
	// sampleEvery is how often the pipeline is sampled, sampled how many samples are kept.
	sampleEvery = time.Second
	sampled     = 301
)

// history is the samples of the last five minutes: the newest one, and the totals of those before.
type history struct {
	mu      sync.Mutex
	samples []Sample // oldest first
}

func (h *history) add(s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.samples) == sampled {
		copy(h.samples, h.samples[1:])
		h.samples = h.samples[:sampled-1]
	}
	if n := len(h.samples); n > 0 {
		h.samples[n-1].Shards = nil
	}
	h.samples = append(h.samples, s.withTotals())
}

// last returns the samples, oldest first.
func (h *history) last() []Sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Sample(nil), h.samples...)
}

// rates returns the growth a second of a count between the samples, in steps of so many of them, newest last.
// A count that went back, as after a replay from elsewhere, or is unknown grew by nothing.
func rates(samples []Sample, step int, count func(Sample) int64) []float64 {
	var all []float64
	for i := len(samples) - 1; i-step >= 0; i -= step {
		from, to := samples[i-step], samples[i]
		seconds := to.At.Sub(from.At).Seconds()
		a, b := count(from), count(to)
		rate := 0.0
		if seconds > 0 && a >= 0 && b > a {
			rate = float64(b-a) / seconds
		}
		all = append(all, rate)
	}
	slices.Reverse(all)
	return all
}
