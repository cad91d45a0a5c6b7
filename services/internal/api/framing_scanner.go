package api

import (
	"bytes"
	"strings"
)

// framingScanner scans the bytes of a connection for header lines that parsers disagree about: a
// proxy in front of us could see other requests in them (request smuggling).
type framingScanner struct {
	last byte // byte of the previous read
	// lineStart has the first n bytes of the unfinished line, as many as isTransferEncoding compares.
	lineStart [len(transferEncoding)]byte
	n         int
	// ambiguous is true after a newline without a carriage return, a folded header, or
	// Transfer-Encoding.
	ambiguous bool
}

func (l *framingScanner) scan(p []byte) {
	if len(p) == 0 {
		return
	}
	if l.last == '\n' && foldsLine(p[0]) {
		l.ambiguous = true
	}
	// A header's name may be split between reads.
	first, _, _ := bytes.Cut(p, newline)
	l.n += copy(l.lineStart[l.n:], first)
	if isTransferEncoding(l.lineStart[:l.n]) {
		l.ambiguous = true
	}
	for at := bytes.IndexByte(p, '\n'); at >= 0; {
		before := l.last
		if at > 0 {
			before = p[at-1]
		}
		rest := p[at+1:]
		if before != '\r' || len(rest) > 0 && foldsLine(rest[0]) || isTransferEncoding(rest) {
			l.ambiguous = true
		}
		next := bytes.IndexByte(rest, '\n')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	l.last = p[len(p)-1]
	if at := bytes.LastIndexByte(p, '\n'); at >= 0 {
		l.n = copy(l.lineStart[:], p[at+1:])
	}
}

func foldsLine(c byte) bool { return c == ' ' || c == '\t' }

const transferEncoding = "transfer-encoding:"

var newline = []byte{'\n'}

// isTransferEncoding reports whether the line is a Transfer-Encoding header: fasthttp ignores some
// values of it.
func isTransferEncoding(line []byte) bool {
	return len(line) >= len(transferEncoding) && line[0]|0x20 == 't' && strings.EqualFold(string(line[:len(transferEncoding)]), transferEncoding)
}
