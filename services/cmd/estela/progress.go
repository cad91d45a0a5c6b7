package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far something long is: a bar on a terminal, a line now and
// then in a pipe.
type progress struct {
	out     io.Writer
	what    string
	total   int64 // -1: not known
	done    int64
	refused int64
	bar     *progressbar.ProgressBar
	next    time.Time
	begun   time.Time
}

// pipeEvery is how often a pipe gets a line.
const pipeEvery = 5 * time.Second

func newProgress(out io.Writer, what string, total int64) *progress {
	p := &progress{out: out, what: what, total: total, begun: time.Now(), next: time.Now().Add(pipeEvery)}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(total > 0),
			progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	}
	return p
}

// add counts n more. One goroutine at a time calls it, and refuse.
func (p *progress) add(n int) {
	p.done += int64(n)
	if p.bar != nil {
		_ = p.bar.Add(n) // a terminal that can't be drawn on is no fault of the work
		return
	}
	p.tell()
}

// refuse counts one that is left out.
func (p *progress) refuse() {
	p.refused++
	p.tell()
}

func (p *progress) tell() {
	now := time.Now()
	if !now.After(p.next) {
		return
	}
	p.next = now.Add(pipeEvery)
	if p.bar != nil {
		p.bar.Describe(p.what + p.leftOut())
		return
	}
	say(p.out, "%s: %s%s", p.what, p.count(), p.leftOut())
}

func (p *progress) count() string {
	if p.total > 0 {
		return fmt.Sprintf("%d of %d", p.done, p.total)
	}
	return fmt.Sprint(p.done)
}

func (p *progress) leftOut() string {
	if p.refused == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d rows refused)", p.refused)
}

// finish says what came of it: how many are so.
func (p *progress) finish(so string) {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	took := time.Since(p.begun)
	say(p.out, "%s: %d %s in %s (%.0f a second)", p.what, p.done, so, took.Round(time.Millisecond), float64(p.done)/took.Seconds())
}

// say writes a line for a person. Where nobody can be told there is nothing to do.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}
