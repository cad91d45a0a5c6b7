package intake

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows the progress of a long operation: a bar on a terminal, a line every 5 s in a pipe and on
// a terminal that can only append (TERM=dumb). It is safe for concurrent use.
type Progress struct {
	out   io.Writer
	what  string
	total int64 // -1: not known
	begun time.Time

	mu      sync.Mutex
	done    int64
	invalid int64
	bar     *progressbar.ProgressBar
	next    time.Time
}

// pipeEvery is how often a pipe receives a line.
const pipeEvery = 5 * time.Second

// NewProgress starts to show the progress of what. total is -1 if unknown.
func NewProgress(out io.Writer, what string, total int64) *Progress {
	p := &Progress{out: out, what: what, total: total, begun: time.Now(), next: time.Now().Add(pipeEvery)}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("events"),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(total > 0),
			progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	}
	return p
}

// Add counts n more.
func (p *Progress) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	if p.bar != nil {
		_ = p.bar.Add(n) // drawing errors are ignored
		return
	}
	p.show()
}

// addInvalid counts an invalid row.
func (p *Progress) addInvalid() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.invalid++
	p.show()
}

func (p *Progress) show() {
	now := time.Now()
	if !now.After(p.next) {
		return
	}
	p.next = now.Add(pipeEvery)
	if p.bar != nil {
		p.bar.Describe(p.what + p.invalidNote())
		return
	}
	say(p.out, "%s: %s%s", p.what, p.count(), p.invalidNote())
}

func (p *Progress) count() string {
	if p.total > 0 {
		return fmt.Sprintf("%d of %d", p.done, p.total)
	}
	return fmt.Sprint(p.done)
}

func (p *Progress) invalidNote() string {
	if p.invalid == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d invalid rows)", p.invalid)
}

// Finish reports how many had the outcome, and at what rate.
func (p *Progress) Finish(outcome string) {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
	took := time.Since(p.begun)
	say(p.out, "%s: %d %s in %s (%.0f a second)", p.what, p.done, outcome, took.Round(time.Millisecond), float64(p.done)/took.Seconds())
}

// say prints a line; write errors are ignored.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}
