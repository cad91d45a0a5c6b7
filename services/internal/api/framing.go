package api

import (
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// misframed is what of a GET or HEAD could be read in two ways, "" if nothing. All other
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
