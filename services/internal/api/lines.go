package api

import (
	"bytes"
	"strings"
)

// lines watches what a connection sends for lines that not every reader would take for
// the same: a proxy between us and the client may see another request in them than we do.
type lines struct {
	last byte // of what was read before
	// begun are the first n bytes of the line that it ends in, as many as encodes compares.
	begun [len(transferEncoding)]byte
	n     int
	// odd is true once there was one: a newline alone, or a header that goes on in the
	// next line.
	odd bool
}

// scan takes the next bytes.
func (l *lines) scan(p []byte) {
	if len(p) == 0 {
		return
	}
	if l.last == '\n' && folds(p[0]) {
		l.odd = true
	}
	// A line's name may come in pieces.
	first, _, _ := bytes.Cut(p, newline)
	l.n += copy(l.begun[l.n:], first)
	if encodes(l.begun[:l.n]) {
		l.odd = true
	}
	for at := bytes.IndexByte(p, '\n'); at >= 0; {
		before := l.last
		if at > 0 {
			before = p[at-1]
		}
		rest := p[at+1:]
		if before != '\r' || len(rest) > 0 && folds(rest[0]) || encodes(rest) {
			l.odd = true
		}
		next := bytes.IndexByte(rest, '\n')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	l.last = p[len(p)-1]
	if at := bytes.LastIndexByte(p, '\n'); at >= 0 {
		l.n = copy(l.begun[:], p[at+1:])
	}
}

func folds(c byte) bool { return c == ' ' || c == '\t' }

const transferEncoding = "transfer-encoding:"

var newline = []byte{'\n'}

// encodes reports whether the line is about how a body is sent: the server takes some of
// these for none.
func encodes(line []byte) bool {
	return len(line) >= len(transferEncoding) && line[0]|0x20 == 't' && strings.EqualFold(string(line[:len(transferEncoding)]), transferEncoding)
}
