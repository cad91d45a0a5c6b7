package api

import (
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
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
