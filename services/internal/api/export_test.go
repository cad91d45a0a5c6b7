package api

import (
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// App returns the Fiber app, for requests without a connection.
func (s *Server) App() *fiber.App { return s.app }

// Spooled returns the number of bytes reserved for large answers.
func (s *Server) Spooled() int64 {
	return s.space.Used()
}

// Bound returns the server's listener with its own write timeout.
func Bound(l net.Listener, writeTimeout time.Duration) net.Listener {
	return &listener{Listener: l, writeTimeout: writeTimeout}
}

// ServeCached answers by the fast path; false if it leaves the request to the router.
func (s *Server) ServeCached(c *fasthttp.RequestCtx) bool { return s.serveCached(c) }

// Route answers by the router alone.
func (s *Server) Route(c *fasthttp.RequestCtx) {
	normalizePath(mapUnknownMethod(s.app.Handler()))(c)
}
