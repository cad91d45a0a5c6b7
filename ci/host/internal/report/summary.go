package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/runner"
)

// Summary writes the closing table, a line on each check that did not pass, and
// as the last line how many tests passed and failed. A check without tests
// counts as one. It reports whether everything passed.
func Summary(out io.Writer, results []runner.Result, took time.Duration) bool {
	table(out, results, took)
	var passed, failed int
	for _, r := range results {
		p, f := r.Counts()
		passed, failed = passed+p, failed+f
		if r.Outcome != runner.Passed {
			fmt.Fprintf(out, "%s did not pass: %s\n", r.Check.Name, r.Reason)
		}
	}
	if failed > 0 {
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", passed, failed)
	return failed == 0
}

func table(out io.Writer, results []runner.Result, took time.Duration) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ncheck\ttime\tresult\ttests")
	var sum time.Duration
	for _, r := range results {
		sum += r.Took
		tests := ""
		if r.Check.Tests {
			tests = fmt.Sprint(r.Tests.Run())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Check.Name, Span(r.Took), r.Outcome, tests)
	}
	fmt.Fprintf(w, "all\t%s\t(%s one after another)\t\n\n", Span(took), Span(sum))
	_ = w.Flush() // a strings.Builder takes everything
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
}
