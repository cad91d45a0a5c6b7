package api

import (
	"bytes"
	"strconv"
	"strings"
)

// framingScanner scans the bytes of a connection for header lines that parsers disagree about: a
// proxy in front of us could see other requests in them (request smuggling). Bodies of a known length
// are passed over; after one of an unknown length (chunked) nothing is scanned, and the connection ends.
type framingScanner struct {
	last byte // byte of the previous read
	// lineStart has the first n bytes of the unfinished line, as many as a framing header needs.
	lineStart [48]byte
	n         int
	// length is the Content-Length of the header that is read, body what is left of its body.
	length, body int64
	// lengths counts lines of Content-Length in the header.
	lengths int
	// ambiguous is true after a newline without a carriage return, a folded header, or two lengths.
	ambiguous bool
	// encoded is true after Transfer-Encoding, done at the end of its header.
	encoded, done bool
}

func (l *framingScanner) scan(p []byte) {
	for len(p) > 0 && !l.done {
		if l.body > 0 {
			skipped := min(l.body, int64(len(p)))
			l.body -= skipped
			p, l.last = p[skipped:], '\n'
			continue
		}
		if l.n == 0 && l.last == '\n' && foldsLine(p[0]) {
			l.ambiguous = true
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			l.n += copy(l.lineStart[l.n:], p)
			l.last = p[len(p)-1]
			return
		}
		line := p[:end]
		if l.n > 0 { // begun by an earlier read
			l.n += copy(l.lineStart[l.n:], line)
			line, l.n = l.lineStart[:l.n], 0
		}
		if end > 0 {
			l.last = p[end-1]
		}
		l.ambiguous = l.ambiguous || l.last != '\r'
		p, l.last = p[end+1:], '\n'
		l.endLine(line)
	}
}

// endLine notes what a header line says of the body. A blank one ends the header.
func (l *framingScanner) endLine(line []byte) {
	switch {
	case len(line) == 0 || line[0] == '\r':
		l.body, l.length, l.lengths, l.done = l.length, 0, 0, l.encoded
	case isHeader(line, transferEncoding):
		l.encoded = true
		l.ambiguous = l.ambiguous || l.lengths > 0
	case isHeader(line, contentLength):
		var err error
		l.length, err = strconv.ParseInt(strings.Trim(string(line[len(contentLength):]), " \t\r"), 10, 64)
		l.lengths++
		l.ambiguous = l.ambiguous || err != nil || l.length < 0 || l.lengths > 1 || l.encoded
	}
}

func foldsLine(c byte) bool { return c == ' ' || c == '\t' }

const (
	contentLength    = "content-length:"
	transferEncoding = "transfer-encoding:"
)

// isHeader reports whether the line has that name, which ends in its colon.
func isHeader(line []byte, name string) bool {
	return len(line) >= len(name) && line[0]|0x20 == name[0] && strings.EqualFold(string(line[:len(name)]), name)
}
