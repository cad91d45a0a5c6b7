package api

import (
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// framingProblem is the defence against request smuggling: it returns why a proxy could frame a GET
// or HEAD in another way than this server does, "" if none could. Other methods are rejected later;
// the connection of one with a body is closed.
func framingProblem(c *fasthttp.RequestCtx) string {
	h := &c.Request.Header
	conn, ok := c.Conn().(*conn)
	ambiguous := ok && (conn.lines.ambiguous || conn.lines.encoded)
	if !h.IsGet() && !h.IsHead() {
		if ambiguous || h.ContentLength() != 0 {
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
	if ambiguous {
		return "A line ends in a newline alone, goes on in the next one, or is Transfer-Encoding."
	}
	return ""
}

// checkFraming rejects requests with ambiguous framing and closes their connection.
func (s *Server) checkFraming(c *fiber.Ctx) error {
	check := framingProblem
	if s.takesBody(&c.Request().Header) {
		check = bodyFramingProblem
	}
	if why := check(c.Context()); why != "" {
		c.Context().SetConnectionClose()
		return badRequest.new("", why)
	}
	return c.Next()
}

// bodyFramingProblem is framingProblem for a request with a body. The connection of one whose length is
// not known before its end is closed after it.
func bodyFramingProblem(c *fasthttp.RequestCtx) string {
	h := &c.Request.Header
	conn, ok := c.Conn().(*conn)
	switch protocol := h.Protocol(); {
	case string(protocol) != "HTTP/1.1" && string(protocol) != "HTTP/1.0":
		return "It is neither HTTP/1.1 nor HTTP/1.0."
	case ok && conn.lines.ambiguous:
		return "A line of its header ends in a newline alone or goes on in the next one, or it has two lengths."
	case h.ContentLength() == -1:
		c.SetConnectionClose()
	}
	return ""
}
