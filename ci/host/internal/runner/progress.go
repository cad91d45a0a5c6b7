package runner

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/suite"
)

// heartbeat is how often a check that still runs says so: some services end a job that says nothing for minutes.
const heartbeat = time.Minute

// progress writes what happens as it happens.
type progress struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *progress) printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format, args...)
}

// follow does the work of a check, of which tests have ended so far.
func (p *progress) follow(c plan.Check, tests func() int, work func() suite.Result) suite.Result {
	p.printf("start  %s: %s\n", c.Name, c.Doc)
	began := time.Now()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	ended := make(chan suite.Result)
	go func() { ended <- work() }()
	for {
		select {
		case <-ticker.C:
			p.printf("...    %s\n", line(c, time.Since(began), tests()))
		case r := <-ended:
			p.printf("%s", ending(c, tests(), r))
			return r
		}
	}
}

// ending is the line for a check that ended, and what to read about it if it failed, set in so that it reads
// apart from other lines.
func ending(c plan.Check, tests int, r suite.Result) string {
	if r.Outcome == suite.Passed {
		return fmt.Sprintf("%-6s %s\n", r.Outcome, line(c, r.Took, tests))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %s  %s\n", r.Outcome, line(c, r.Took, 0), r.Reason)
	if r.Outcome == suite.Interrupted {
		return b.String()
	}
	fmt.Fprintf(&b, "    | in %s: %s\n", c.Dir, shell(c.Command))
	for text := range strings.Lines(r.Detail) {
		fmt.Fprintf(&b, "    | %s\n", strings.TrimRight(text, "\r\n"))
	}
	if len(c.Fix) > 0 {
		fmt.Fprintf(&b, "    | to put it right, in %s: %s\n", c.Dir, shell(c.Fix))
	}
	return b.String()
}

// line is a check with its time and count of tests: "unit-services  1m02s  134 tests".
func line(c plan.Check, took time.Duration, tests int) string {
	text := c.Name + "  " + suite.Span(took)
	if tests > 0 {
		text += "  " + count(tests)
	}
	return text
}

func count(tests int) string {
	if tests == 1 {
		return "1 test"
	}
	return fmt.Sprintf("%d tests", tests)
}

// shell is a command as a shell takes it, for a person to copy.
func shell(argv []string) string {
	words := slices.Clone(argv)
	for i, word := range words {
		if word == "" || strings.ContainsAny(word, " ^$|()*?;&<>'\"\\`!#~") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
