package suite

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Outcome is how a check ended.
type Outcome string

// The outcomes. Every one but Passed makes the run fail.
const (
	Passed      Outcome = "ok"
	Failed      Outcome = "FAILED"
	TimedOut    Outcome = "TIMED OUT"
	Interrupted Outcome = "interrupted"
	NotRun      Outcome = "not run"
)

// Result is what became of a check.
type Result struct {
	Name    string
	Outcome Outcome
	// Took is the wall time; next to nothing for what a container tested before.
	Took time.Duration
	// Passed and Failed count tests; a check that has none is one by itself.
	Passed, Failed int
	// Reason is a line on why it did not pass, Detail what to read about it.
	Reason, Detail string
}

// closing is the last line that Write writes.
var closing = regexp.MustCompile(`(?m)^(\d+) passed, (\d+) failed$`)

// Read is what became of a check that ci/host ran in a container, where it printed output; err, if it failed, has
// what it printed. A check that says nothing of its tests is not believed.
func Read(output string, err error) Result {
	r := Result{Outcome: Passed}
	if err != nil {
		output = err.Error()
	}
	if found := closing.FindAllStringSubmatch(output, -1); len(found) > 0 {
		last := found[len(found)-1]
		r.Passed, _ = strconv.Atoi(last[1]) // digits by the expression; absurdly many are 0
		r.Failed, _ = strconv.Atoi(last[2])
	}
	switch {
	case err != nil:
		r.Reason, _, _ = strings.Cut(output, "\n")
	case r.Passed == 0 || r.Failed > 0:
		r.Reason = "it ended well, but did not say that its tests passed"
	default:
		return r
	}
	r.Outcome, r.Detail = Failed, output
	return r
}

// Report is what there is to read about a run that nobody watched: what failed and what it printed, then what
// Write writes. If something failed, it is the error.
func Report(results []Result, took time.Duration) (string, error) {
	var text strings.Builder
	for _, r := range results {
		if r.Detail != "" {
			fmt.Fprintf(&text, "--- %s: %s\n%s\n\n", r.Name, r.Outcome, r.Detail)
		}
	}
	if !Write(&text, results, took) {
		return "", errors.New(text.String())
	}
	return text.String(), nil
}

// Write writes the closing table, a line on each check that did not pass, and as the last line how many tests
// passed and failed. It reports whether everything passed.
func Write(out io.Writer, results []Result, took time.Duration) bool {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "check\ttests\ttime\tresult")
	var sum time.Duration
	var passed, failed, good int
	var reasons strings.Builder
	for _, r := range results {
		if r.Outcome == Passed {
			good++
		} else {
			r.Failed = max(1, r.Failed)
			fmt.Fprintf(&reasons, "%s did not pass: %s\n", r.Name, r.Reason)
		}
		sum, passed, failed = sum+r.Took, passed+r.Passed, failed+r.Failed
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", r.Name, r.Passed+r.Failed, Span(r.Took), r.Outcome)
	}
	fmt.Fprintf(table, "all\t%d\t%s\t%d of %d ok (%s one after another)\n\n",
		passed+failed, Span(took), good, len(results), Span(sum))
	_ = table.Flush() // out is the terminal; what it can't take, nobody reads
	if failed > 0 {
		fmt.Fprintln(out, reasons.String())
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	return failed == 0
}

// Span is a duration as a person reads it: "0.4s", "42s", "3m05s".
func Span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	default:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
}
