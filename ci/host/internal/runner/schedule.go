package runner

import (
	"slices"

	"github.com/estela-dev/estela/ci/plan"
)

// schedule decides what may start. It belongs to one goroutine.
type schedule struct {
	checks  []plan.Check
	states  []state
	ended   []Result
	jobs    int
	running int
	heavy   int
	alone   bool
}

type state int

const (
	waiting state = iota
	running
	done
)

func newSchedule(checks []plan.Check, jobs int) *schedule {
	s := &schedule{checks: checks, jobs: jobs, states: make([]state, len(checks))}
	for _, c := range checks {
		s.ended = append(s.ended, Result{Check: c, Outcome: NotRun, Reason: "not run"})
	}
	return s
}

// next is the first check that may start now, nil for none.
func (s *schedule) next() *plan.Check {
	for i := range s.checks {
		if s.states[i] == waiting && s.free(s.checks[i]) {
			return &s.checks[i]
		}
	}
	return nil
}

func (s *schedule) free(c plan.Check) bool {
	switch {
	case s.running >= s.jobs || s.alone:
		return false
	case c.Alone && s.running > 0:
		return false
	case c.Heavy && s.heavy >= max(1, s.jobs/2):
		return false
	}
	return !slices.ContainsFunc(c.After, s.pending)
}

// pending reports whether a check that was asked for has not ended yet.
func (s *schedule) pending(name string) bool {
	i := s.index(name)
	return i >= 0 && s.states[i] != done
}

func (s *schedule) begin(c *plan.Check) *plan.Check {
	s.states[s.index(c.Name)] = running
	s.count(*c, 1)
	s.alone = c.Alone
	return c
}

func (s *schedule) end(r Result) {
	i := s.index(r.Check.Name)
	s.states[i] = done
	s.ended[i] = r
	s.count(r.Check, -1)
	s.alone = false
}

func (s *schedule) count(c plan.Check, n int) {
	s.running += n
	if c.Heavy {
		s.heavy += n
	}
}

func (s *schedule) idle() bool { return s.running == 0 }

func (s *schedule) results() []Result { return s.ended }

func (s *schedule) index(name string) int {
	return slices.IndexFunc(s.checks, func(c plan.Check) bool { return c.Name == name })
}
