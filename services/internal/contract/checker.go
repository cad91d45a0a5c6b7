package contract

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// Limits of one event.
const (
	// MaxEvent is the size in bytes beyond which an event is rejected unread.
	MaxEvent = 1 << 20
	// MaxDepth is how deep objects and arrays may lie in each other; the event
	// itself is the first level.
	MaxDepth = 64
	// MaxViolations is how many violations of one event are listed.
	MaxViolations = 1000
)

// The keywords of violations that no keyword of JSON Schema stands for.
const (
	keywordJSON  = "json"  // not one JSON document as this package takes it
	keywordSize  = "size"  // above MaxEvent
	keywordEntry = "entry" // a stream entry without an event
	keywordLimit = "limit" // more than MaxViolations
)

// checker walks once over a document and validates it against a schema. It finds
// every violation, or, when quiet, whether there is one.
//
// It keeps no tree: the schema goes down with the walk. Only an object or array
// that enum or const speaks of is parsed as a whole.
type checker struct {
	p       []byte
	i       int
	quiet   bool
	stopped bool // nothing can be said about what follows
	failed  bool
	out     []event.Violation
	path    []step
	names   [][]byte          // of the properties of the open objects
	seen    []bool            // which properties of their schemas were found
	buffer  []byte            // texts of strings with escapes
	digits  []byte            // of the number at hand
	form    []byte            // of the number at hand, when enum or const ask
	spans   []span            // of the root's properties, nil if nobody asks
	members *[]Member         // the root's, nil if nobody asks
	unnamed func(name []byte) // of the root's properties, nil if nobody asks
}

// step is a level of the path to the value at hand: a name, or an index.
type step struct {
	name  []byte
	index int
}

// span is where a value lies in the document; an end of 0 says nowhere.
type span struct{ from, to int }

func (c *checker) reset(p []byte) {
	c.p, c.i, c.out = p, 0, nil
	c.stopped, c.failed = false, false
	c.path, c.names, c.seen, c.buffer = c.path[:0], c.names[:0], c.seen[:0], c.buffer[:0]
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// document checks all of p as one value.
func (c *checker) document(s *schema) {
	switch {
	case len(c.p) > MaxEvent:
		c.fail(keywordSize, "is %d bytes, must be at most %d", len(c.p), MaxEvent)
		return
	case bytes.HasPrefix(c.p, byteOrderMark):
		c.stop("begins with a byte order mark: send UTF-8 without one")
		return
	}
	if c.space(); c.i == len(c.p) {
		c.stop("is empty")
		return
	}
	c.value(s, 0)
	if c.space(); !c.stopped && c.i < len(c.p) {
		c.stop("has more after its end")
	}
}

// value checks the value that begins at c.i, at that depth, and moves past it.
func (c *checker) value(s *schema, depth int) {
	if c.i >= len(c.p) {
		c.stop("ends where a value should be")
		return
	}
	switch b := c.p[c.i]; {
	case b == '"':
		c.str(s)
	case b == '{':
		c.object(s, depth)
	case b == '[':
		c.array(s, depth)
	case b == '-' || b-'0' <= 9:
		c.number(s)
	case b == 't':
		c.literal(s, kindBoolean, "true")
	case b == 'f':
		c.literal(s, kindBoolean, "false")
	case b == 'n':
		c.literal(s, kindNull, "null")
	default:
		c.stop("has no value where one should be")
	}
}

func (c *checker) literal(s *schema, kind kinds, word string) {
	if !bytes.HasPrefix(c.p[c.i:], []byte(word)) {
		c.stop("has no value where one should be")
		return
	}
	from := c.i
	c.i += len(word)
	if s = c.typed(s, kind, from); s != nil {
		c.listed(s, kind, c.p[from:c.i], from)
	}
}

// typed gives the schema back if it admits the kind, else none: nothing more is
// said about a value of the wrong type.
func (c *checker) typed(s *schema, kind kinds, from int) *schema {
	if s == nil || s.kinds == kindAny || s.kinds&kind != 0 {
		return s
	}
	if kind == kindInteger && s.kinds&kindNumber != 0 {
		return s
	}
	if kind&(kindObject|kindArray|kindNull) != 0 {
		c.fail("type", "must be %s, found %s", s.kinds, kind)
	} else {
		c.fail("type", "must be %s, found %s %s", s.kinds, kind, c.excerpt(from))
	}
	return nil
}

// listed holds a value against enum and const by its form (see constant). Of
// objects and arrays the form is made only when it is asked for.
func (c *checker) listed(s *schema, kind kinds, form []byte, from int) {
	if s.enum == nil && s.constant == nil || c.stopped {
		return
	}
	if kind&(kindObject|kindArray) != 0 {
		form = canonicalOf(c.p[from:c.i])
	}
	if s.constant != nil && !s.constant.equals(kind, form) {
		c.fail("const", "must be %s, found %s", shorten(s.constant.raw), c.excerpt(from))
	}
	if s.enum == nil {
		return
	}
	for i := range s.enum {
		if s.enum[i].equals(kind, form) {
			return
		}
	}
	c.fail("enum", "must be one of %s, found %s", choices(s.enum), c.excerpt(from))
}

func choices(enum []constant) string {
	var b strings.Builder
	for i, k := range enum {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len() > 200 {
			fmt.Fprintf(&b, "… (%d more)", len(enum)-i)
			break
		}
		b.WriteString(shorten(k.raw))
	}
	return b.String()
}

// space moves to the next byte that is not white space.
func (c *checker) space() { c.i = jsontext.Space(c.p, c.i) }

// next is the byte at hand, 0 at the end.
func (c *checker) next() byte {
	if c.i < len(c.p) {
		return c.p[c.i]
	}
	return 0
}

// stop reports that the document is no JSON from here on.
func (c *checker) stop(reason string) {
	if !c.stopped {
		c.fail(keywordJSON, "%s (byte %d)", reason, c.i)
		c.stopped = true
	}
}

// fail reports a violation of the value at hand.
func (c *checker) fail(keyword, format string, args ...any) {
	c.failed = true
	if c.quiet {
		c.stopped = true
	}
	if c.stopped {
		return
	}
	if len(c.out) == MaxViolations {
		c.stopped = true
		c.out = append(c.out, event.Violation{
			Keyword: keywordLimit, Message: fmt.Sprintf("has more than %d violations: the rest is not listed", MaxViolations),
		})
		return
	}
	c.out = append(c.out, event.Violation{Pointer: c.pointer(), Keyword: keyword, Message: fmt.Sprintf(format, args...)})
}

// maxToken is how much of a name in a document goes into a pointer.
const maxToken = 128

// pointer is the JSON pointer of the value at hand.
func (c *checker) pointer() string {
	var b strings.Builder
	for _, s := range c.path {
		b.WriteByte('/')
		if s.name == nil {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(escapePointer(cut(s.name, maxToken)))
		}
	}
	return b.String()
}

// maxExcerpt is how much of a value goes into a message.
const maxExcerpt = 80

// excerpt is the value between from and c.i as a message shows it.
func (c *checker) excerpt(from int) string {
	if c.quiet {
		return ""
	}
	return cut(c.p[from:c.i], maxExcerpt)
}

func shorten(raw string) string { return cut([]byte(raw), maxExcerpt) }

// cut gives at most n bytes of text, ended with an ellipsis if there are more.
func cut(text []byte, n int) string {
	if len(text) <= n {
		return strings.ToValidUTF8(string(text), "\uFFFD")
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.ToValidUTF8(string(text[:n]), "\uFFFD") + "…"
}
