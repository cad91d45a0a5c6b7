package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/estela-dev/estela/services/internal/jsontext"
)

// layout is how the documents are in a body.
type layout int

const (
	// document is one document, or the elements of an array.
	document layout = iota
	// one is one document, whatever it is.
	one
	// array is an array's elements.
	array
	// lines is NDJSON.
	lines
)

// splitter reads documents. What it checks of JSON is only what it needs to find their ends: the
// decoder checks the rest.
type splitter struct {
	in          io.Reader
	layout      layout
	maxDocument int

	buf      []byte
	from, to int // of buf: what is read and not returned
	eof      bool
	begun    bool // the array's first bracket was read
	closed   bool // its last one is next
	ended    bool
	line     int
}

func (s *splitter) reset(in io.Reader, l layout, maxDocument int) {
	*s = splitter{in: in, layout: l, maxDocument: maxDocument, buf: s.buf} // all of it is room
}

// next returns the next document and its number from 1, or io.EOF. The document is valid until the next
// call.
func (s *splitter) next() (doc []byte, line int, err error) {
	if s.layout == document {
		if err := s.choose(); err != nil {
			return nil, 0, err
		}
	}
	switch {
	case s.ended:
		return nil, 0, io.EOF
	case s.layout == lines:
		doc, err = s.nextLine()
	case s.layout == array:
		doc, err = s.nextElement()
	default:
		s.ended = true
		doc, err = s.until(func([]byte, int) (int, bool) { return 0, false })
		if err == nil && jsontext.Space(doc, 0) == len(doc) {
			err = io.EOF
		}
	}
	s.line++
	return doc, s.line, err
}

// choose looks whether a body is an array.
func (s *splitter) choose() error {
	first, err := s.peek()
	s.layout = one
	if err == nil && first == '[' {
		s.layout = array
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// peek returns the next byte that is not white space and leaves it.
func (s *splitter) peek() (byte, error) {
	for {
		if s.from = jsontext.Space(s.buf[:s.to], s.from); s.from < s.to {
			return s.buf[s.from], nil
		}
		if s.eof {
			return 0, io.EOF
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// nextLine returns the next line that is not blank. Blank ones are counted.
func (s *splitter) nextLine() ([]byte, error) {
	for {
		if s.from == s.to && s.eof {
			return nil, io.EOF
		}
		doc, err := s.until(func(p []byte, i int) (int, bool) {
			end := bytes.IndexByte(p[i:], '\n')
			return i + max(end, 0), end >= 0
		})
		if err != nil {
			return nil, err
		}
		if s.from < s.to {
			s.from++ // the newline
		}
		if doc = bytes.TrimSuffix(doc, []byte{'\r'}); jsontext.Space(doc, 0) < len(doc) {
			return doc, nil
		}
		if s.from == s.to && s.eof {
			return nil, io.EOF
		}
		s.line++
	}
}

// until returns what comes before the place that end finds, and leaves that place, or all that is left. end is given
// what is read and where to go on in it; it returns the place, or where it has to go on.
func (s *splitter) until(end func(p []byte, i int) (place int, found bool)) ([]byte, error) {
	i := 0
	for {
		p := s.buf[s.from:s.to]
		place, found := end(p, i)
		if !found {
			place = len(p)
		}
		if place > s.maxDocument {
			return nil, tooLarge.New("", fmt.Sprintf("Event %d has more than %d bytes. Split it, or put the large part elsewhere and refer to it.", s.line+1, s.maxDocument))
		}
		if found || s.eof {
			s.from += place
			return p[:place], nil
		}
		i = len(p)
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

const firstBuffer = 32 << 10

// fill reads more. At the end it sets eof.
func (s *splitter) fill() error {
	if s.from > 0 {
		s.to = copy(s.buf, s.buf[s.from:s.to])
		s.from = 0
	}
	if s.to == len(s.buf) {
		s.buf = append(s.buf, make([]byte, max(firstBuffer, len(s.buf)))...)
	}
	n, err := s.in.Read(s.buf[s.to:])
	s.to += n
	if errors.Is(err, io.EOF) {
		s.eof, err = true, nil
	}
	return err
}

// nextElement returns the next element of the array.
func (s *splitter) nextElement() ([]byte, error) {
	first, err := s.peek()
	switch {
	case err != nil:
		return nil, s.broken(err)
	case !s.begun && first != '[':
		return nil, invalidBody.New("", "The body is no JSON array.")
	case !s.begun:
		s.begun = true
		s.from++
		if first, err = s.peek(); err != nil {
			return nil, s.broken(err)
		}
		s.closed = first == ']'
	}
	if s.closed {
		return nil, s.endArray()
	}
	var scan elementScan
	doc, err := s.until(scan.end)
	switch {
	case err != nil:
		return nil, err
	case s.from == s.to:
		return nil, s.broken(io.EOF)
	}
	if s.closed = s.buf[s.from] == ']'; !s.closed {
		s.from++ // the comma
	}
	return doc, nil
}

// endArray reads the array's last bracket; only white space may follow.
func (s *splitter) endArray() error {
	s.from++
	s.ended = true
	_, err := s.peek()
	if err == nil {
		return invalidBody.New("", "There is something after the JSON array. Lines of JSON are sent as application/x-ndjson.")
	}
	return err
}

// elementScan finds the end of a value in an array, or in an object: the comma or bracket that is in no
// string, object or array of it.
type elementScan struct {
	inObject         bool
	depth            int
	inText, escaping bool
}

// end is for splitter.until.
func (e *elementScan) end(p []byte, i int) (place int, found bool) {
	for ; i < len(p); i++ {
		if e.inText {
			if i = e.text(p, i); i == len(p) {
				return i, false
			}
			continue
		}
		switch p[i] {
		case '"':
			e.inText = true
		case '[', '{':
			e.depth++
		case ']', '}':
			if e.depth == 0 && (p[i] == '}') == e.inObject {
				return i, true
			}
			e.depth = max(0, e.depth-1)
		case ',':
			if e.depth == 0 {
				return i, true
			}
		}
	}
	return i, false
}

// text goes on in a string, to the byte that ends it or that a backslash escapes.
func (e *elementScan) text(p []byte, i int) int {
	if e.escaping {
		e.escaping = false
		return i
	}
	if i, _ = jsontext.Scan(p, i); i < len(p) {
		e.inText, e.escaping = p[i] != '"', p[i] == '\\'
	}
	return i
}

// broken is the error of an array without an end.
func (s *splitter) broken(err error) error {
	if errors.Is(err, io.EOF) {
		return invalidBody.New("", fmt.Sprintf("The JSON array ends too early, in element %d.", s.line+1))
	}
	return err
}
