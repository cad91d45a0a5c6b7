package api

import (
	"io"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// App is the server's handler, for requests without a connection.
func (s *Server) App() *fiber.App { return s.app }

// Spooled is how many bytes the large answers take that are made or read.
func (s *Server) Spooled() int64 {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return s.room.used
}

// Bound is the server's listener, with a time of its own for a piece of an answer.
func Bound(l net.Listener, stall time.Duration) net.Listener {
	return &listener{Listener: l, stall: stall}
}

// AppendJSON writes what DuckDB takes for JSON as JSON.
func AppendJSON(b, text []byte) []byte { return appendJSON(b, text) }

// Encode writes rows in a format.
func Encode(w io.Writer, name string, columns []result.Column, rows result.Rows) error {
	sh := &endpoint.Shape{Columns: columns}
	for _, f := range formats {
		if f.name != name {
			continue
		}
		enc, err := f.newEncoder(w, nil, sh, rows.(result.Typed).Types())
		if err != nil {
			return err
		}
		for {
			chunk, err := rows.Next()
			if err != nil {
				return err
			}
			if chunk == nil {
				return enc.end(meta{})
			}
			if err := enc.rows(chunk, chunk.Rows); err != nil {
				return err
			}
		}
	}
	return nil
}
