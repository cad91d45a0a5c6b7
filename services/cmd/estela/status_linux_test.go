package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/worker"
)

const (
	eraseLine = "\r\x1b[K"
	drawn     = "\x1b[?7l" // before the status
)

// TestUpOnATerminal: the status stands below the log and is gone in the end.
func TestUpOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	dir, beside := inside(t, thing)
	writeFile(t, filepath.Join(dir, "things", "sample.ndjson"), `{"id":"a","at":"2026-01-01T00:00:00Z"}
{"id":"b","at":"2026-01-01T00:00:00Z"}
`)
	at := newScreen(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan int)
	go func() {
		args := append([]string{"up", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}, beside...)
		ended <- run(ctx, args, strings.NewReader(""), at.tty, at.tty)
	}()
	at.await(t, drawn+"2 stored | 0 rejected | lag 0s | http://127.0.0.1:")
	at.await(t, "publish sample of things: 2 acknowledged by Redis")
	interrupt()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
	_, _ = at.tty.WriteString("end")
	at.await(t, "end")
	text := at.String()
	if last := text[strings.LastIndex(text, drawn):]; !strings.Contains(last, eraseLine) {
		t.Errorf("the status stays: %q", last)
	}
	// Nothing but the status has a line in which the cursor goes back.
	for line := range strings.SplitSeq(text, "\r\n") {
		if parts := strings.Split(line, eraseLine); strings.Contains(parts[len(parts)-1], " stored | ") {
			t.Errorf("the status is in the log: %q", line)
		}
	}
}

// TestStatusLine: what others write stands above it, also a line in parts, and it fits the terminal.
func TestStatusLine(t *testing.T) {
	t.Setenv("TERM", "xterm")
	at := newScreen(t)
	l, s := newStatusLine(&streams{out: at.tty, err: at.tty})
	l.show("one")
	l.show("one")
	say(s.out, "a line")
	_, _ = s.err.Write([]byte("a part, "))
	l.show("two")
	say(s.err, "its end")
	l.show(strings.Repeat("é", 100))
	l.show("")
	want := strings.Join([]string{
		drawn, "one\x1b[?7h", eraseLine, "a line\r\n", drawn, "one\x1b[?7h", eraseLine, "a part, its end\r\n", drawn, "two\x1b[?7h",
		eraseLine, drawn, strings.Repeat("é", 78), "…\x1b[?7h", eraseLine,
	}, "")
	at.await(t, want)
	if text := at.String(); text != want {
		t.Errorf("%q, want %q", text, want)
	}
	if !isTerminal(s.err) {
		t.Error("what is written beside the status is no terminal")
	}
}

// TestNoStatusLine: none in a pipe, nor on a terminal that can only append.
func TestNoStatusLine(t *testing.T) {
	t.Setenv("TERM", "dumb")
	var text strings.Builder
	for _, s := range []*streams{{err: &text}, {err: newScreen(t).tty}} {
		if l, same := newStatusLine(s); l != nil || same != s {
			t.Errorf("%+v has a status", s)
		}
	}
}

func TestPipelineStatus(t *testing.T) {
	t.Parallel()
	reasons := newRejectReasons(telemetry.New([]string{"things"}))
	reject := func(pointer, message string) event.Reject {
		return event.Reject{Violations: []event.Violation{{Pointer: pointer, Keyword: "type", Message: message}}}
	}
	reasons.Committed("things", &contract.Batch{Rejects: []event.Reject{
		reject("/at", "expected string, found number"),
		reject("/n", "expected integer, found \"\x1b[2J\""), reject("/n", "expected integer, found null"),
	}}, time.Second)
	reason, rejects := reasons.mostFrequent()
	got := pipelineStatus([]worker.ShardStatus{
		{Dataset: "things", Position: event.Position{Rows: 10, Rejected: 2}, Oldest: 1234 * time.Millisecond},
		{Dataset: "things", Shard: 1, Position: event.Position{Rows: 5, Rejected: 1}, Reason: "lease held"},
	}, "http://127.0.0.1:8080/", reason, rejects)
	const want = "15 stored | 3 rejected | lag 1.2s | http://127.0.0.1:8080/ | things shard 1: lease held" +
		" | 2 rejected for: things /n: expected integer, found \"\ufffd[2J\""
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
