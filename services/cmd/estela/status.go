package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/estela-dev/estela/services/internal/worker"
)

// statusEvery is how often the status of 'up' is drawn.
const statusEvery = 500 * time.Millisecond

// statusLine is the last line of a terminal, below what others write there.
type statusLine struct {
	out *os.File

	mu    sync.Mutex
	text  string // what is shown, empty if nothing is
	below bool   // the cursor is at the start of a line, where the status may be
}

// newStatusLine returns a status line on standard error and the streams to write to beside it; nil, and
// the same streams, if standard error is no terminal.
func newStatusLine(s *streams) (*statusLine, *streams) {
	out, ok := s.err.(*os.File)
	if !ok || !isTerminal(out) {
		return nil, s
	}
	l := &statusLine{out: out, below: true}
	beside := &streams{in: s.in, out: s.out, err: besideStatus{l, out}}
	if file, ok := s.out.(*os.File); ok && isTerminal(file) {
		beside.out = besideStatus{l, file}
	}
	return l, beside
}

// besideStatus is a terminal on which a status line is shown.
type besideStatus struct {
	line *statusLine
	file *os.File
}

// Fd is by what the terminal is known as one.
func (b besideStatus) Fd() uintptr { return b.file.Fd() }

// Write writes above the status.
func (b besideStatus) Write(p []byte) (int, error) {
	b.line.mu.Lock()
	defer b.line.mu.Unlock()
	b.line.erase()
	n, err := b.file.Write(p)
	if len(p) > 0 {
		b.line.below = p[len(p)-1] == '\n'
	}
	b.line.draw()
	return n, err
}

// show replaces the status; an empty text removes it.
func (l *statusLine) show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == l.text {
		return
	}
	l.erase()
	l.text = text
	l.draw()
}

func (l *statusLine) erase() {
	if l.text != "" && l.below {
		_, _ = io.WriteString(l.out, "\r\x1b[K")
	}
}

// draw writes as much of the text as fits: a wrapped line could not be erased.
func (l *statusLine) draw() {
	if l.text == "" || !l.below {
		return
	}
	text := []rune(l.text)
	if width, _, err := term.GetSize(int(l.out.Fd())); err == nil && width > 1 && len(text) >= width {
		text = append(text[:width-2], '…')
	}
	_, _ = io.WriteString(l.out, "\x1b[?7l"+string(text)+"\x1b[?7h") // wide characters are cut, too
}

// follow shows what status returns until ctx ends.
func (l *statusLine) follow(ctx context.Context, status func() string) error {
	defer l.show("")
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		l.show(status())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// pipelineStatus returns what 'up' shows of its shards: the totals of the streams, the greatest lag, where to
// look and, last, as it may be cut off, what is wrong.
func pipelineStatus(shards []worker.ShardStatus, url, reason string, rejects int64) string {
	var stored, rejected int64
	var lag time.Duration
	var stalled string
	for _, s := range shards {
		stored, rejected, lag = stored+s.Position.Rows, rejected+s.Position.Rejected, max(lag, s.Oldest)
		if s.Reason != "" && stalled == "" {
			stalled = fmt.Sprintf(" | %s shard %d: %s", s.Dataset, s.Shard, s.Reason)
		}
	}
	text := fmt.Sprintf("%d stored | %d rejected | lag %s | %s", stored, rejected, lag.Round(100*time.Millisecond), url)
	if reason != "" {
		stalled += fmt.Sprintf(" | %d rejected for: %s", rejects, reason)
	}
	return text + printable(stalled)
}

// printable replaces control characters, which a terminal would obey, by U+FFFD.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, text)
}
