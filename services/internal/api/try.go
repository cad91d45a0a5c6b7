package api

import (
	"context"
	"time"
)

// Tried is what came of trying an endpoint.
type Tried struct {
	Path string
	Rows int
	Took time.Duration
	Err  error
}

// Try runs every endpoint with the examples of its parameters and checks its
// plan, as 'estela endpoint check' reports it. It asks more than Check: what would
// only be slow is an error too.
func (s *Server) Try(ctx context.Context) []Tried {
	k := s.catalog.Load()
	tried := make([]Tried, len(k.ordered))
	for i, r := range k.ordered {
		start := time.Now()
		limit := r.Limit
		if len(r.Order) > 0 {
			limit.Rows = min(s.cfg.PageRows, limit.Rows)
		}
		rows, err := r.checker.Try(ctx, r.dataset, &r.Endpoint, limit)
		tried[i] = Tried{r.path, rows, time.Since(start), err}
	}
	return tried
}
