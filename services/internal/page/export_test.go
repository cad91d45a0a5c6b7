package page

import (
	"context"
	"time"
)

// Spanish are the translated texts.
func Spanish() map[string]string { return inSpanish }

// Rates is what a line is drawn from.
var Rates = rates

// Fresh is what the overview shows of freshness.
var Fresh = fresh

// Checks are those of a pipeline that finds what find returns.
type Checks struct{ checks }

func NewChecks(find func() []Finding) *Checks {
	return &Checks{checks{find: func(context.Context) []Finding { return find() }}}
}

func (c *Checks) Latest(ctx context.Context) ([]Finding, bool) { return c.latest(ctx) }

func (c *Checks) Wait() { c.tasks.Wait() }

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

// SetLiveFor sets how long a live stream lasts.
func (s *Server) SetLiveFor(d time.Duration) { s.live.lasts = d }

// FillTabs opens as many tabs as can be.
func (s *Server) FillTabs() { s.live.tabs = maxTabs }
