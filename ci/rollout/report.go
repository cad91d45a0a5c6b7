package rollout

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Outcome is how a step ended.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Step is one step of a rollout.
type Step struct {
	Name     string
	Outcome  Outcome
	Duration time.Duration
}

// Report is what a rollout did, in order.
type Report struct {
	Steps []Step
	// Serving is the image that serves all traffic, as far as the stack has said; empty if it has not.
	Serving string
	// Warnings are what went wrong without changing how it ended.
	Warnings []string
}

// String is a table for people.
func (r Report) String() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "step\toutcome\ttime")
	for _, s := range r.Steps {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Outcome, round(s.Duration))
	}
	w.Flush() //nolint:gosec // a strings.Builder takes everything
	serving := r.Serving
	if serving == "" {
		serving = "not known"
	}
	fmt.Fprintf(&text, "serves: %s\n", serving)
	for _, w := range r.Warnings {
		fmt.Fprintf(&text, "warning: %s\n", w)
	}
	return text.String()
}

// round keeps what a person compares: milliseconds below a second, tenths above.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
