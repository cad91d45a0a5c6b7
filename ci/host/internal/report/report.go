// Package report tells a person how a run of checks goes: while it runs, on a
// terminal as one line that changes and elsewhere as plain lines, and at the
// end as a table.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/runner"
	"github.com/estela-dev/estela/ci/host/internal/testlog"
	"github.com/estela-dev/estela/ci/plan"
)

// How often the live line changes, and how often a pipe is told that something
// still runs: some services end a job that says nothing for minutes.
const (
	tick      = 200 * time.Millisecond
	heartbeat = time.Minute
)

// Progress writes what happens as it happens. It is a runner.Observer.
type Progress struct {
	mu      sync.Mutex
	out     io.Writer
	live    bool
	width   int
	total   int
	ended   int
	active  []activity
	stop    chan struct{}
	stopped chan struct{}
}

// activity is a check that runs.
type activity struct {
	check plan.Check
	since time.Time
	tests func() testlog.Counts
}

// NewProgress begins to report on total checks. live says that out is a
// terminal, of so many columns.
func NewProgress(out io.Writer, total int, live bool, width int) *Progress {
	p := &Progress{
		out: out, total: total, live: live, width: width,
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	every := heartbeat
	if live {
		every = tick
	}
	go p.follow(every)
	return p
}

// Close ends the reporting.
func (p *Progress) Close() {
	close(p.stop)
	<-p.stopped
}

// Started is told of every check that begins.
func (p *Progress) Started(c plan.Check, tests func() testlog.Counts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active = append(p.active, activity{c, time.Now(), tests})
	if !p.live {
		fmt.Fprintf(p.out, "start  %s: %s\n", c.Name, c.Doc)
	}
	p.draw()
}

// Finished is told of every check that ends, and prints what to read about it
// if it failed.
func (p *Progress) Finished(r runner.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended++
	p.active = slices.DeleteFunc(p.active, func(a activity) bool { return a.check.Name == r.Check.Name })
	p.erase()
	fmt.Fprintln(p.out, ending(r))
	if r.Outcome == runner.Failed || r.Outcome == runner.TimedOut {
		fmt.Fprint(p.out, quote(r))
	}
	p.draw()
}

func (p *Progress) follow(every time.Duration) {
	defer close(p.stopped)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			p.mu.Lock()
			p.erase()
			p.mu.Unlock()
			return
		case <-ticker.C:
			p.mu.Lock()
			p.beat()
			p.mu.Unlock()
		}
	}
}

func (p *Progress) beat() {
	if p.live {
		p.draw()
	} else if len(p.active) > 0 {
		fmt.Fprintf(p.out, "...    %s\n", p.line())
	}
}

// draw replaces the live line; erase takes it away, so that what is printed
// next begins at the left.
func (p *Progress) draw() {
	if p.live && len(p.active) > 0 {
		fmt.Fprintf(p.out, "\r\x1b[K%s", cut(p.line(), p.width-1))
	}
}

func (p *Progress) erase() {
	if p.live {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// line says what runs: "[3/20] lint 12s, unit-services 1m02s 134 tests".
func (p *Progress) line() string {
	parts := make([]string, 0, len(p.active))
	for _, a := range p.active {
		part := a.check.Name + " " + Span(time.Since(a.since))
		if n := a.tests().Run(); n > 0 {
			part += fmt.Sprintf(" %d tests", n)
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("[%d/%d] %s", p.ended, p.total, strings.Join(parts, ", "))
}

func cut(line string, width int) string {
	if len(line) <= width || width < 1 {
		return line
	}
	return line[:width]
}

// ending is the line for a check that ended.
func ending(r runner.Result) string {
	line := fmt.Sprintf("%-6s %s  %s", r.Outcome, r.Check.Name, Span(r.Took))
	if n := r.Tests.Run(); n > 0 && r.Outcome == runner.Passed {
		line += fmt.Sprintf("  %d tests", n)
	}
	if r.Reason != "" {
		line += "  " + r.Reason
	}
	return line
}

// quote is a failed check's output with its commands, set in so that it reads
// apart from other lines.
func quote(r runner.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "    | in %s: %s\n", r.Check.Dir, commandLine(r.Check.Command))
	for line := range strings.Lines(r.Detail) {
		fmt.Fprintf(&b, "    | %s\n", strings.TrimRight(line, "\r\n"))
	}
	if len(r.Check.Fix) > 0 {
		fmt.Fprintf(&b, "    | to put it right, in %s: %s\n", r.Check.Dir, commandLine(r.Check.Fix))
	}
	return b.String()
}

// commandLine is a command as a shell takes it, for a person to copy.
func commandLine(argv []string) string {
	words := slices.Clone(argv)
	for i, word := range words {
		if word == "" || strings.ContainsAny(word, " ^$|()*?;&<>'\"\\`!#~") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
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
