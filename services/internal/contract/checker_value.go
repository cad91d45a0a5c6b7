package contract

import (
	"bytes"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/jsontext"
)

func (c *checker) object(s *schema, depth int) {
	from := c.i
	if !c.enter(depth) {
		return
	}
	s = c.typed(s, kindObject, from)
	o := objectScan{names: len(c.names), seen: len(c.seen), depth: depth}
	if s != nil {
		for range s.properties {
			c.seen = append(c.seen, false)
		}
	}
	for more := c.begin('}'); more; more = c.more('}') {
		c.member(s, &o)
	}
	if s != nil && !c.stopped {
		c.complete(s, c.seen[o.seen:])
		c.listed(s, kindObject, nil, from)
	}
	clear(c.names[o.names:]) // they hold on to the document
	c.names, c.seen = c.names[:o.names], c.seen[:o.seen]
}

// objectScan is the state of one open object: where its part of the checker's
// stacks begins.
type objectScan struct {
	names, seen, depth int
	many               map[string]struct{} // the names, once there are many
}

// enter steps over an opening bracket.
func (c *checker) enter(depth int) bool {
	if depth >= MaxDepth {
		c.stop("nests deeper than 64 levels")
		return false
	}
	c.i++
	return true
}

// begin reports whether a first element follows the opening bracket.
func (c *checker) begin(closing byte) bool {
	if c.space(); c.next() == closing {
		c.i++
		return false
	}
	return !c.stopped
}

// more reports whether another element follows.
func (c *checker) more(closing byte) bool {
	if c.stopped {
		return false
	}
	c.space()
	switch c.next() {
	case ',':
		c.i++
		c.space()
		return true
	case closing:
		c.i++
		return false
	}
	if closing == '}' {
		c.stop("lacks a comma or } after a property")
	} else {
		c.stop("lacks a comma or ] after an item")
	}
	return false
}

// member checks one property of an object, from its name on.
func (c *checker) member(s *schema, o *objectScan) {
	if c.next() != '"' {
		c.stop("lacks a property's name in quotes")
		return
	}
	name, ok := c.text()
	if c.stopped {
		return
	}
	if c.space(); c.next() != ':' {
		c.stop("lacks a colon after a property's name")
		return
	}
	c.i++
	c.space()
	var below *schema
	at := -1
	if ok {
		at = c.property(s, name)
	} else {
		name = unreadable
	}
	twice := false
	if at >= 0 {
		below = s.properties[at].schema
		twice = c.seen[o.seen+at]
		c.seen[o.seen+at] = true
	}
	c.path = append(c.path, step{name: name})
	if ok && c.repeated(o, name) {
		c.fail(keywordJSON, "appears more than once in its object")
	} else if twice {
		c.fail(keywordJSON, "is property %q, which its object has under another name too", s.properties[at].name)
	}
	if ok && at < 0 && s != nil && s.closed {
		c.fail("additionalProperties", "is not a property that the contract names")
	}
	if ok && at < 0 && o.depth == 0 && c.unnamed != nil {
		c.unnamed(name)
	}
	from := c.i
	c.value(below, o.depth+1)
	if o.depth == 0 && c.members != nil {
		*c.members = append(*c.members, Member{name, c.p[from:c.i]})
	}
	if at >= 0 && o.depth == 0 && c.spans != nil {
		c.spans[at] = span{from, c.i}
	}
	c.path[len(c.path)-1] = step{}
	c.path = c.path[:len(c.path)-1]
}

// unreadable stands for a name that is no text.
var unreadable = []byte("\uFFFD")

func (c *checker) property(s *schema, name []byte) int {
	if s == nil {
		return -1
	}
	if at, ok := s.index[string(name)]; ok {
		return at
	}
	return -1
}

// manyNames is the number of properties from which a map finds repeated names.
const manyNames = 32

// repeated records the name and reports whether its object had it before.
func (c *checker) repeated(o *objectScan, name []byte) bool {
	names := c.names[o.names:]
	c.names = append(c.names, name)
	if len(names) < manyNames {
		for _, other := range names {
			if bytes.Equal(other, name) {
				return true
			}
		}
		return false
	}
	if o.many == nil {
		o.many = make(map[string]struct{}, 2*len(names))
		for _, other := range names {
			o.many[string(other)] = struct{}{}
		}
	}
	_, again := o.many[string(name)]
	o.many[string(name)] = struct{}{}
	return again
}

// complete reports the required properties that are missing.
func (c *checker) complete(s *schema, seen []bool) {
	for _, p := range s.required {
		if !seen[p] {
			c.fail("required", "lacks the required property %q", s.properties[p].name)
		}
	}
}

func (c *checker) array(s *schema, depth int) {
	from := c.i
	if !c.enter(depth) {
		return
	}
	s = c.typed(s, kindArray, from)
	var below *schema
	if s != nil {
		below = s.items
	}
	c.path = append(c.path, step{})
	for more := c.begin(']'); more; more = c.more(']') {
		c.value(below, depth+1)
		c.path[len(c.path)-1].index++
	}
	c.path = c.path[:len(c.path)-1]
	if s != nil && !c.stopped {
		c.listed(s, kindArray, nil, from)
	}
}

// text reads the string at hand. It reports false if the string is no text;
// whether the walk can go on is another matter.
func (c *checker) text() (text []byte, ok bool) {
	from := c.i + 1
	end, ascii, escaped, closed := jsontext.End(c.p, from)
	if !closed {
		c.unclosed(end)
		return nil, false
	}
	c.i = end + 1
	text, buffer, fault := jsontext.Plain(c.buffer, c.p[from:end], ascii, escaped)
	c.buffer = buffer
	switch fault {
	case jsontext.Fine:
		return text, true
	case jsontext.BadEscape:
		c.stop(fault.String())
	default:
		c.fail(keywordJSON, "%s", fault)
	}
	return nil, false
}

func (c *checker) unclosed(end int) {
	if c.i = end; end < len(c.p) {
		c.stop("holds a control character in a string: escape it")
	} else {
		c.stop("ends inside a string")
	}
}

func (c *checker) str(s *schema) {
	from := c.i
	text, ok := c.text()
	if s = c.typed(s, kindString, from); s == nil || !ok {
		return
	}
	if s.minLength != nil || s.maxLength != nil {
		c.length(s, utf8.RuneCount(text))
	}
	if s.pattern != nil && !s.pattern.Match(text, isASCII(text)) {
		c.fail("pattern", "must match %s, found %s", s.pattern.String(), c.excerpt(from))
	}
	if s.format != formatNone {
		c.format(s.format, text, from)
	}
	c.listed(s, kindString, text, from)
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (c *checker) length(s *schema, n int) {
	if s.minLength != nil && n < *s.minLength {
		c.fail("minLength", "must have at least %d characters, has %d", *s.minLength, n)
	}
	if s.maxLength != nil && n > *s.maxLength {
		c.fail("maxLength", "must have at most %d characters, has %d", *s.maxLength, n)
	}
}

func (c *checker) format(f format, text []byte, from int) {
	if want := f.wants(text); want != "" {
		c.fail("format", "must %s, found %s", want, c.excerpt(from))
	}
}
