package api

import (
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
)

// App is the server's handler, for requests without a connection.
func (s *Server) App() *fiber.App { return s.app }

// Spooled is how many bytes the large answers take that are made or read.
func (s *Server) Spooled() int64 {
	return s.space.Used()
}

// Bound is the server's listener, with a time of its own for a piece of an answer.
func Bound(l net.Listener, stall time.Duration) net.Listener {
	return &listener{Listener: l, writeTimeout: stall}
}
