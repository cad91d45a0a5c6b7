package tabular

import (
	"bytes"
	"errors"
	"io"
)

// MaxRecord is the longest row, in bytes.
const MaxRecord = 16 << 20

// window is the buffered part of the input. Slices of it are valid until more is called.
type window struct {
	in       io.Reader
	buf      []byte
	from, to int
	end      bool // the input ends at to
	line     int64
	// returns: lines end in \r, with or without \n.
	returns bool
}

func newWindow(in io.Reader) *window {
	return &window{in: in, buf: make([]byte, 256<<10), line: 1}
}

// rest returns the unread bytes of the window.
func (w *window) rest() []byte { return w.buf[w.from:w.to] }

// more reads more input into the window. It reports false at the end of the input, or if the window is
// full (MaxRecord).
func (w *window) more() (bool, error) {
	if w.end || w.to-w.from >= MaxRecord {
		return false, nil
	}
	if w.to == len(w.buf) {
		to := w.buf
		if w.to-w.from > len(w.buf)/2 {
			to = make([]byte, 2*len(w.buf))
		}
		w.to, w.from, w.buf = copy(to, w.rest()), 0, to
	}
	n, err := w.in.Read(w.buf[w.to:])
	w.to += n
	w.end = errors.Is(err, io.EOF)
	if w.end {
		err = nil
	}
	return err == nil, err
}

// peek reads until enough reports true for the window, the input ends or the window has size bytes.
func (w *window) peek(size int, enough func(start []byte) bool) error {
	for !enough(w.rest()) && len(w.rest()) < size {
		more, err := w.more()
		if !more {
			return err
		}
	}
	return nil
}

// skip skips n bytes and counts their lines.
func (w *window) skip(n int) {
	w.line += int64(w.lines(w.buf[w.from : w.from+n]))
	w.from += n
}

func (w *window) lines(p []byte) int {
	n := bytes.Count(p, []byte{'\n'})
	if w.returns {
		n += bytes.Count(p, []byte{'\r'}) - bytes.Count(p, []byte("\r\n"))
	}
	return n
}

// lineEnd returns the index after the line of p[from], -1 if it continues after p.
func (w *window) lineEnd(p []byte, from int) int {
	end := bytes.IndexByte(p[from:], '\n')
	if w.returns {
		end = bytes.IndexAny(p[from:], "\r\n")
	}
	switch {
	case end < 0 && w.end:
		return len(p)
	case end < 0:
		return -1
	}
	return from + end + 1
}

// skipLine skips the rest of the line, of any length.
func (w *window) skipLine() error {
	for {
		p := w.rest()
		if end := w.lineEnd(p, 0); end >= 0 {
			w.skip(end)
			return nil
		}
		w.skip(len(p))
		if _, err := w.more(); err != nil {
			return err
		}
	}
}

// Read reads the window and then the input.
func (w *window) Read(p []byte) (int, error) {
	if w.from < w.to {
		n := copy(p, w.rest())
		w.from += n
		return n, nil
	}
	if w.end {
		return 0, io.EOF
	}
	return w.in.Read(p)
}
