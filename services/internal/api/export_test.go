package api

import "github.com/gofiber/fiber/v2"

// App is the server's handler, for requests without a connection.
func (s *Server) App() *fiber.App { return s.app }
