package stream

import (
	"errors"
	"io"
	"math"
	"strconv"
	"sync"

	"github.com/estela-dev/estela/services/internal/event"
)

var (
	// errShort means that more bytes are needed.
	errShort = errors.New("incomplete reply")
	// errProtocol means that the bytes are no valid reply.
	errProtocol = errors.New("the server's reply is not understood: is this a Redis server?")
)

const (
	// segmentSize is how much of a reply is returned at once. An entry that is larger gets a
	// segment of its own size.
	segmentSize = 1 << 20
	// maxBulk is the longest string that Redis stores.
	maxBulk = 512 << 20
)

// segment is a piece of a reply: its bytes and the entries that alias them.
type segment struct {
	buf     []byte
	entries []event.Entry
}

var segments = sync.Pool{New: func() any { return &segment{buf: make([]byte, 0, segmentSize)} }}

func newSegment() *segment {
	c, _ := segments.Get().(*segment)
	return c
}

// release returns the segment to the pool, unless a giant entry has grown it.
func (c *segment) release() {
	if cap(c.buf) > 4*segmentSize {
		return
	}
	clear(c.entries)
	c.buf, c.entries = c.buf[:0], c.entries[:0]
	segments.Put(c)
}

// replyReader reads replies to XREADGROUP in segments of about segmentSize.
type replyReader struct {
	*segment
	form form
	pos  int
	// left counts the entries of the reply that are still to come; begun: its header
	// was read.
	left  int
	begun bool
	// count is the number of entries of the reply so far; segmentBytes and segmentEntries
	// are those of its last part.
	count, segmentBytes, segmentEntries int
}

// reset drops a pending reply.
func (r *replyReader) reset() {
	if r.segment != nil {
		r.release()
	}
	*r = replyReader{form: r.form}
}

// next reads the next segment of the reply, at most its rest; nil: the reply is empty.
func (r *replyReader) next(from io.Reader) (*segment, error) {
	if r.segment == nil {
		r.segment = newSegment()
	}
	for {
		err := r.parse()
		if err == nil || (errors.Is(err, errShort) && r.isFull()) {
			return r.take(), nil
		}
		if !errors.Is(err, errShort) {
			return nil, err
		}
		if err := r.fill(from); err != nil {
			return nil, err
		}
	}
}

// isFull: hand over what there is rather than grow. The last sixteenth is not
// worth a small read.
func (r *replyReader) isFull() bool {
	return len(r.entries) > 0 && cap(r.buf)-len(r.buf) < segmentSize/16
}

func (r *replyReader) fill(from io.Reader) error {
	if len(r.buf) == cap(r.buf) {
		grown := make([]byte, len(r.buf), 2*cap(r.buf))
		copy(grown, r.buf)
		r.buf = grown
	}
	n, err := from.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take returns the segment and copies the unread bytes to the next one.
func (r *replyReader) take() *segment {
	full, tail := r.segment, r.buf[r.pos:]
	r.count, r.segmentBytes, r.segmentEntries = r.count+len(r.entries), r.pos, len(r.entries)
	r.segment, r.pos = nil, 0
	if len(tail) > 0 {
		r.segment = newSegment()
		r.buf = append(r.buf, tail...)
	}
	if len(full.entries) == 0 {
		full.release()
		return nil
	}
	return full
}

// pending reports whether the reply has more segments.
func (r *replyReader) pending() bool { return r.begun }

// parse takes what is complete: nil at the end of the reply, errShort before.
func (r *replyReader) parse() error {
	if !r.begun {
		if err := r.parseHeader(); err != nil {
			return err
		}
	}
	in := cursor{buf: r.buf, pos: r.pos}
	for r.left > 0 {
		entry, err := in.entry(r.form)
		if err != nil {
			return err
		}
		r.entries = append(r.entries, entry)
		r.pos, r.left = in.pos, r.left-1
	}
	r.begun = false
	return nil
}

// parseHeader reads *1 *2 $KEY *N, or nothing at all, or an error.
func (r *replyReader) parseHeader() error {
	in := cursor{buf: r.buf, pos: r.pos}
	n, err := in.streams()
	if err != nil {
		return err
	}
	r.pos, r.left, r.begun, r.count = in.pos, n, true, 0
	return nil
}

// cursor walks over RESP bytes. Its methods return errShort when these end too
// early; pos is then of no use.
type cursor struct {
	buf []byte
	pos int
}

func (c *cursor) streams() (entries int, err error) {
	if c.pos < len(c.buf) && c.buf[c.pos] == '-' {
		return 0, c.failure()
	}
	n, err := c.header('*')
	if err != nil || n < 0 {
		return 0, err
	}
	if n != 1 {
		return 0, errProtocol
	}
	if n, err = c.header('*'); err != nil {
		return 0, err
	}
	if n != 2 {
		return 0, errProtocol
	}
	if _, err = c.bulk(); err != nil {
		return 0, err
	}
	if n, err = c.header('*'); n < 0 {
		return 0, errProtocol
	}
	return n, err
}

func (c *cursor) failure() error {
	for i := c.pos; i < len(c.buf); i++ {
		if c.buf[i] == '\n' {
			return ReplyError(trimCRLF(c.buf[c.pos+1 : i+1]))
		}
	}
	return errShort
}

// entry reads *2 $ID *N and N fields and values.
func (c *cursor) entry(f form) (event.Entry, error) {
	n, err := c.header('*')
	if err != nil {
		return event.Entry{}, err
	}
	if n != 2 {
		return event.Entry{}, errProtocol
	}
	text, err := c.bulk()
	if err != nil {
		return event.Entry{}, err
	}
	id, ok := parseID(text)
	if !ok {
		return event.Entry{}, errProtocol
	}
	entry, err := c.fields(f)
	entry.ID = id
	return entry, err
}

// fields reads *N and N fields and values: an entry without its ID.
func (c *cursor) fields(f form) (event.Entry, error) {
	n, err := c.header('*')
	if err != nil {
		return event.Entry{}, err
	}
	if n < 0 || n%2 != 0 {
		return event.Entry{}, errProtocol
	}
	start, found := c.pos, 0
	var entry event.Entry
	for range n / 2 {
		name, err := c.bulk()
		if err != nil {
			return event.Entry{}, err
		}
		value, err := c.bulk()
		if err != nil {
			return event.Entry{}, err
		}
		found += f.take(&entry, name, value)
	}
	if found == 1 && !f.fields {
		return entry, nil
	}
	again := cursor{buf: c.buf, pos: start}
	entry.Kind = f.otherwise()
	entry.Payload, err = again.object(n/2, c.pos-start, entry.Kind)
	return entry, err
}

// bulk reads $N and N bytes, which it aliases.
func (c *cursor) bulk() ([]byte, error) {
	n, err := c.header('$')
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxBulk {
		return nil, errProtocol
	}
	end := c.pos + n
	if end+2 > len(c.buf) {
		return nil, errShort
	}
	if c.buf[end] != '\r' || c.buf[end+1] != '\n' {
		return nil, errProtocol
	}
	value := c.buf[c.pos:end:end]
	c.pos = end + 2
	return value, nil
}

// header reads a kind, a number and CRLF; -1 is nil.
func (c *cursor) header(kind byte) (int, error) {
	buf, i := c.buf, c.pos
	if i >= len(buf) {
		return 0, errShort
	}
	if buf[i] != kind {
		return 0, errProtocol
	}
	i++
	first, n := i, 0
	for ; i < len(buf) && buf[i]-'0' <= 9; i++ {
		if n = 10*n + int(buf[i]-'0'); n > math.MaxInt32 {
			return 0, errProtocol
		}
	}
	if i == first && i < len(buf) {
		return c.null(i)
	}
	if i+1 >= len(buf) {
		return 0, errShort
	}
	if buf[i] != '\r' || buf[i+1] != '\n' {
		return 0, errProtocol
	}
	c.pos = i + 2
	return n, nil
}

// null reads the "-1" of a nil string or array.
func (c *cursor) null(i int) (int, error) {
	const want = "-1\r\n"
	got := c.buf[i:min(i+len(want), len(c.buf))]
	if string(got) != want[:len(got)] {
		return 0, errProtocol
	}
	if len(got) < len(want) {
		return 0, errShort
	}
	c.pos = i + len(want)
	return -1, nil
}

// parseID reads "MS-SEQ" without allocating.
func parseID(text []byte) (event.ID, bool) {
	for i, b := range text {
		if b == '-' {
			ms, ok1 := parseUint(text[:i])
			seq, ok2 := parseUint(text[i+1:])
			return event.ID{MS: ms, Seq: seq}, ok1 && ok2
		}
	}
	return event.ID{}, false
}

func parseUint(text []byte) (uint64, bool) {
	if len(text) > 19 { // may exceed 64 bits
		n, err := strconv.ParseUint(string(text), 10, 64)
		return n, err == nil
	}
	var n uint64
	for _, b := range text {
		if b-'0' > 9 {
			return 0, false
		}
		n = 10*n + uint64(b-'0')
	}
	return n, len(text) > 0
}

// parseInt reads a whole number that fits an int64.
func parseInt(text []byte) (int64, bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	n, ok := parseUint(text)
	if !ok || n > math.MaxInt64 {
		return 0, false
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}
