package api

import (
	"bytes"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// lines looks at what a connection sends for lines that not every reader would take for
// the same: what stands between us and the client, or behind us, may see another request
// in them than we do.
type lines struct {
	last byte // of what was read before
	// begun are the first n bytes of the line that it ends in, as many as encodes looks at.
	begun [len(transferEncoding)]byte
	n     int
	// odd is true once there was one: a newline alone, or a header that goes on in the
	// next line.
	odd bool
}

// look sees the next bytes.
func (l *lines) look(p []byte) {
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

// encodes says whether the line is about how a body is sent: the server takes some of
// these for none.
func encodes(line []byte) bool {
	return len(line) >= len(transferEncoding) && line[0]|0x20 == 't' && strings.EqualFold(string(line[:len(transferEncoding)]), transferEncoding)
}

// misframed says what of a GET or HEAD could be read in two ways, "" if nothing. All other
// methods are refused, and the connection of one that has a body is closed.
func misframed(c *fasthttp.RequestCtx) string {
	h := &c.Request.Header
	conn, ok := c.Conn().(*conn)
	odd := ok && conn.lines.odd
	if !h.IsGet() && !h.IsHead() {
		if odd || h.ContentLength() != 0 {
			c.SetConnectionClose()
		}
		return ""
	}
	switch protocol := h.Protocol(); {
	case string(protocol) != "HTTP/1.1" && string(protocol) != "HTTP/1.0":
		return "It is neither HTTP/1.1 nor HTTP/1.0."
	case h.ContentLength() > 0, h.ContentLength() == -1:
		return "A GET has no body here."
	}
	if odd {
		return "A line ends in a newline alone, goes on in the next one, or is Transfer-Encoding."
	}
	return ""
}

// admitFraming refuses what could be read in two ways, and what comes after it.
func (s *Server) admitFraming(c *fiber.Ctx) error {
	if why := misframed(c.Context()); why != "" {
		c.Context().SetConnectionClose()
		return badRequest.new("", why)
	}
	return c.Next()
}

// refuseBody answers "Expect: 100-continue": a body is of use to nobody here.
func refuseBody(*fasthttp.RequestHeader) bool { return false }
