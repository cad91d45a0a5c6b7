package page

import "context"

// Tick is what happens once a second.
func (s *Server) Tick(ctx context.Context) error { return s.tick(ctx) }

// End ends what is live, as the end of Run does.
func (s *Server) End() {
	s.live.close()
	s.checks.tasks.Wait()
}

// Tabs are those that are open.
func (s *Server) Tabs() int {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	return s.live.tabs
}
