package main

import (
	"encoding/json"
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// color is a parameter of a terminal's SGR sequence (ECMA-48, 8.3.117).
type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
)

// isTerminal reports whether out is a terminal that obeys control sequences.
func isTerminal(out io.Writer) bool {
	f, ok := out.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// isColored reports whether out is a terminal and NO_COLOR is not set (https://no-color.org).
func isColored(out io.Writer) bool { return os.Getenv("NO_COLOR") == "" && isTerminal(out) }

// columnsOf is the width of a terminal; of a pipe COLUMNS, or 80.
func columnsOf(out io.Writer) int {
	if f, ok := out.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width > 0 {
		return width
	}
	return 80
}

// paint returns the text in a color, unchanged where out is not colored.
func paint(out io.Writer, c color, text string) string {
	if !isColored(out) {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// status is the outcome of one check.
type status string

const (
	passed status = "ok"
	warned status = "warn"
	failed status = "fail"
)

// mark returns the status as four columns of text for out.
func (s status) mark(out io.Writer) string {
	switch s {
	case warned:
		return paint(out, yellow, "warn")
	case failed:
		return paint(out, red, "FAIL")
	default:
		return paint(out, green, "ok") + "  "
	}
}

// outcome is a check as --json prints it; each command adds members of its own.
type outcome struct {
	Check  string `json:"check"`
	Status status `json:"status"`
	// Found is what was found, for people.
	Found string `json:"found,omitempty"`
	// Fix says what to do, empty if the check passed.
	Fix string `json:"fix,omitempty"`
}

// jsonFlag is the flag of commands that list something.
type jsonFlag struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
}

// say prints a value as one line of JSON with --json, else the text; write errors are ignored.
func (f *jsonFlag) say(out io.Writer, value any, format string, args ...any) {
	if !f.JSON {
		say(out, format, args...)
		return
	}
	line := json.NewEncoder(out)
	line.SetEscapeHTML(false)
	_ = line.Encode(value)
}
