// Package simulation asks whether the thresholds in slo.yaml are right: it lets the alerts,
// and simpler ones that they are compared with, watch a generated history of outages, and
// counts what they tell of, how soon, and how often for nothing.
//
// Everything is counted in whole events, so that each machine gets the same figures. What
// it takes for granted: events come evenly, every minute is scraped, and an outage makes the
// same share of events bad from its beginning to its end.
package simulation

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Traffic is the number of events a minute.
const Traffic = 1_000_000

// significant is the share of a budget that an outage must spend by itself to be worth
// an alert: 2 %, what the SRE Workbook wants a page for.
const significant = 0.02

// grace is how many minutes after an outage an alert is still taken to be about it: windows
// are evaluated once a minute and the shortest has five.
const grace = 5

// Outage is a stretch of minutes in which some of the events are bad.
type Outage struct {
	Start, Minutes int
	// Bad is how many of Traffic are bad, each minute.
	Bad int
}

// Pace is a condition on two windows, in minutes: both must burn the budget more than
// Factor times too fast.
type Pace struct {
	Factor      float64
	Long, Short int
}

// Policy is an alert: it fires while any of its paces does.
type Policy struct {
	Name  string
	Paces []Pace
}

// History is what happened in some minutes.
type History struct {
	Outages []Outage
	until   []int // bad events before each minute
}

// NewHistory adds the outages to a background of bad events each minute. Outages must not
// overlap.
func NewHistory(length, background int, outages []Outage) History {
	bad := make([]int, length)
	for i := range bad {
		bad[i] = background
	}
	for _, o := range outages {
		for i := o.Start; i < min(o.Start+o.Minutes, length); i++ {
			bad[i] = max(bad[i], o.Bad)
		}
	}
	h := History{Outages: outages, until: make([]int, length+1)}
	for i, n := range bad {
		h.until[i+1] = h.until[i] + n
	}
	return h
}

// Generate is a history of outages made at random from the seed: one in two days on
// average, of a minute to twelve hours, with 0.1 % to all of the events bad; short and small
// ones are as common as long and large ones (log-uniform).
func Generate(seed uint64, length, background int) History {
	r := rand.New(rand.NewPCG(seed, 28)) //nolint:gosec // the same figures each time are the point
	between := func(low, high float64) int { return int(low * math.Pow(high/low, r.Float64())) }
	var outages []Outage
	for at := 3 * 24 * 60; ; {
		at += 1 + int(r.ExpFloat64()*2*24*60)
		o := Outage{Start: at, Minutes: between(1, 720), Bad: between(Traffic/1000, Traffic)}
		if at += o.Minutes + 60; at >= length {
			return NewHistory(length, background, outages)
		}
		outages = append(outages, o)
	}
}

// Firing says for each minute whether the policy's alert is on at its end.
func (h History) Firing(p Policy, objective float64) []bool {
	on := make([]bool, len(h.until)-1)
	for i := range on {
		on[i] = slices.ContainsFunc(p.Paces, func(c Pace) bool {
			return h.burns(i+1, c.Long, c.Factor, objective) && h.burns(i+1, c.Short, c.Factor, objective)
		})
	}
	return on
}

func (h History) burns(end, window int, factor, objective float64) bool {
	begin := max(0, end-window)
	return float64(h.until[end]-h.until[begin]) > factor*(1-objective)*float64(Traffic*(end-begin))
}

// Result is how a policy did.
type Result struct {
	// Outages is how many were significant, Told how many of them the policy told of.
	Outages, Told int
	// Median and P95 are the minutes until it told, of the outages before which it was
	// silent; Lasts is the median of the minutes it stayed on after their end.
	Median, P95, Lasts int
	// Missed is the largest share of the budget that an outage spent which it did not tell of.
	Missed float64
	// False is how many alerts began outside of any significant outage.
	False int
}

// Judge lets a policy watch the history. budget is in bad events a window of the objective.
func (h History) Judge(p Policy, objective, budget float64) Result {
	on := h.Firing(p, objective)
	justified := make([]bool, len(on))
	var r Result
	var times, lasts []int
	for _, o := range h.Outages {
		if float64(o.Bad*o.Minutes) < significant*budget {
			continue
		}
		r.Outages++
		end := min(o.Start+o.Minutes, len(on))
		last := min(end+grace, len(on))
		for i := o.Start; i < last; i++ {
			justified[i] = true
		}
		told := slices.Index(on[o.Start:last], true)
		if told < 0 {
			r.Missed = max(r.Missed, float64(o.Bad*o.Minutes)/budget)
			continue
		}
		r.Told++
		if o.Start > 0 && on[o.Start-1] {
			continue // it was on before: says nothing of how quick it is
		}
		times = append(times, told+1)
		if off := slices.Index(on[end:], false); off >= 0 {
			lasts = append(lasts, off)
		}
	}
	for i := range on {
		if on[i] && (i == 0 || !on[i-1]) && !justified[i] {
			r.False++
		}
	}
	r.Median, r.P95, r.Lasts = quantile(times, 50), quantile(times, 95), quantile(lasts, 50)
	return r
}

// quantile is the nearest rank; 0 of nothing.
func quantile(all []int, percent int) int {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[(len(all)*percent+99)/100-1]
}
