package chaos

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The objective "freshness" of infra/observability/slo.yaml, whose budget faults are charged to. TestChaosReportObjective holds these to that file.
const (
	// FreshWithin is how soon after its publishing an event must be committed.
	FreshWithin = 5 * time.Second
	// FreshShare is the share of events that must be fresh.
	FreshShare = 0.99
	// FreshWindow is the window of the share.
	FreshWindow = 28 * 24 * time.Hour
)

// Report is the cost of faults, each by itself, under a steady load.
type Report struct {
	// Date is the day, as 2006-01-02, Machine what ran it, Command how to run it again.
	Date    string `json:"date"`
	Machine string `json:"machine"`
	Command string `json:"command"`
	// Rate is the load in events a second.
	Rate int `json:"rate"`
	// Outage is how many seconds a fault lasts that the system can't end by itself.
	Outage Seconds `json:"outage_s"`
	// Lease is how many seconds a lease outlives its worker.
	Lease  Seconds `json:"lease_s"`
	Faults []Cost  `json:"faults"`
}

// Seconds is a duration in a report, to the hundredth.
type Seconds float64

// SecondsOf rounds a duration.
func SecondsOf(d time.Duration) Seconds { return Seconds(math.Round(d.Seconds()*100) / 100) }

func (s Seconds) String() string { return strconv.FormatFloat(float64(s), 'f', 1, 64) + " s" }

// Sign is a signal by which a fault was detected.
type Sign struct {
	Name string `json:"name"`
	// After is counted from the fault.
	After Seconds `json:"after_s"`
}

// Cost is the cost of one fault.
type Cost struct {
	Fault string `json:"fault"`
	// Signs are in order of detection; none if the fault was over before.
	Signs []Sign `json:"signs"`
	// Recovered is counted from the fault to the commit that brought the first event
	// published after its end, and the last of those that came late.
	Recovered Seconds `json:"recovered_s"`
	Published int     `json:"published"`
	Stored    int     `json:"stored"`
	Rejected  int     `json:"rejected"`
	// Late were committed later than [FreshWithin] after their publishing, by Redis'
	// clock, as the objective counts; Waited, later than that after they were made,
	// which adds the time that a producer had to keep them.
	Late   int `json:"late"`
	Waited int `json:"waited"`
	// Lost were published and are neither in the table nor among the rejects.
	Lost int `json:"lost"`
}

// Budget returns how many late events the objective allows in its window at this load.
func (r Report) Budget() float64 {
	return (1 - FreshShare) * float64(r.Rate) * FreshWindow.Seconds()
}

// Check returns why a report must not be published.
func (r Report) Check() error {
	var errs []error
	if _, err := time.Parse(time.DateOnly, r.Date); err != nil {
		errs = append(errs, fmt.Errorf("read date: %w", err))
	}
	if r.Machine == "" || r.Command == "" || r.Rate == 0 {
		errs = append(errs, errors.New("machine, command and rate are all needed"))
	}
	if len(r.Faults) == 0 {
		errs = append(errs, errors.New("there is no fault"))
	}
	for _, c := range r.Faults {
		if c.Lost != 0 {
			errs = append(errs, fmt.Errorf("%s: lost %d", c.Fault, c.Lost))
		}
		// A reject that was sent again is there again.
		if c.Stored+c.Rejected < c.Published {
			errs = append(errs, fmt.Errorf("%s: %d published, %d stored, %d rejected", c.Fault, c.Published, c.Stored, c.Rejected))
		}
	}
	return errors.Join(errs...)
}

// Table formats the report as Markdown.
func (r Report) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d events/s; an outage lasts %g s, a lease %g s; the budget is %.0f late events in %.0f days. %s, %s.\n\n",
		r.Rate, float64(r.Outage), float64(r.Lease), r.Budget(), FreshWindow.Hours()/24, r.Machine, r.Date)
	b.WriteString("| fault | seen after | by | recovered after | late events | of the budget | late since made | published | lost |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, c := range r.Faults {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %.3f %% | %d | %d | %d |\n", c.Fault, c.seen(), c.by(),
			c.Recovered, c.Late, 100*float64(c.Late)/r.Budget(), c.Waited, c.Published, c.Lost)
	}
	return b.String()
}

func (c Cost) seen() string {
	if len(c.Signs) == 0 {
		return "not seen"
	}
	return c.Signs[0].After.String()
}

// by names the signs, those that came later with their time.
func (c Cost) by() string {
	names := make([]string, len(c.Signs))
	for i, s := range c.Signs {
		if names[i] = s.Name; s.After > c.Signs[0].After+0.1 {
			names[i] += " (" + s.After.String() + ")"
		}
	}
	return strings.Join(names, ", ")
}
