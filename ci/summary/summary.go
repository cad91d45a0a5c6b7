// Package summary tells a person how a run of many checks went.
package summary

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Line is what became of one check.
type Line struct {
	Name string
	// Outcome is "ok", or what went wrong in a word or two.
	Outcome string
	// Took is the wall time; next to nothing for what was tested before and has not
	// changed.
	Took time.Duration
	// Tests and Failures count tests; a check that has none is one by itself.
	Tests, Failures int
	// Detail is what to read about a failure.
	Detail string
}

// ok is the outcome of what passed.
const ok = "ok"

// closing is the last line that ci/host prints.
var closing = regexp.MustCompile(`(?m)^(\d+) passed, (\d+) failed$`)

// Passed is the line of a check that passed and printed this. One that says nothing of its
// tests is not believed.
func (l Line) Passed(output string) Line {
	if l = l.counted(output); l.Tests == 0 || l.Failures > 0 {
		return l.Failed(output, "it ended well, but did not say that its tests passed")
	}
	l.Outcome = ok
	return l
}

// Failed is the line of a check that failed and printed this.
func (l Line) Failed(output, errors string) Line {
	l = l.counted(output)
	l.Outcome, l.Failures = "FAILED", max(1, l.Failures)
	l.Detail = strings.TrimSpace(strings.TrimSpace(output) + "\n" + strings.TrimSpace(errors))
	return l
}

func (l Line) counted(output string) Line {
	found := closing.FindAllStringSubmatch(output, -1)
	if len(found) == 0 {
		return l
	}
	last := found[len(found)-1]
	passed, _ := strconv.Atoi(last[1]) // digits by the expression; absurdly many are 0
	failed, _ := strconv.Atoi(last[2])
	l.Tests, l.Failures = passed+failed, failed
	return l
}

// Of draws the table. If something failed, the error has the table, what failed and why.
func Of(lines []Line, took time.Duration) (string, error) {
	var details strings.Builder
	var tests, failures int
	var failed []string
	for _, l := range lines {
		tests += l.Tests - l.Failures
		failures += l.Failures
		if l.Outcome != ok {
			failed = append(failed, l.Name)
			fmt.Fprintf(&details, "--- %s: %s\n%s\n\n", l.Name, l.Outcome, l.Detail)
		}
	}
	total := fmt.Sprintf("%d of %d checks passed in %s\n%d passed, %d failed",
		len(lines)-len(failed), len(lines), took.Round(time.Second), max(0, tests), failures)
	if len(failed) == 0 {
		return table(lines) + "\n" + total + "\n", nil
	}
	return "", errors.New(details.String() + table(lines) + "\n" + total +
		"\ndid not pass: " + strings.Join(failed, ", "))
}

func table(lines []Line) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHECK\tRESULT\tTIME\tTESTS")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", l.Name, l.Outcome, l.Took.Round(100*time.Millisecond), l.Tests)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}
