package contract

import "github.com/estela-dev/estela/services/internal/event"

// Member is a property of an object: its name as text, its value as it stands there.
type Member struct{ Name, Value []byte }

// Splitter takes JSON objects apart by the rules of events: see the package's
// documentation. It belongs to one goroutine.
type Splitter struct {
	check   checker
	members []Member
}

// Split gives the members of a document, which has any size, in their order; or why
// it is no JSON object. They are valid until the next call.
func (s *Splitter) Split(doc []byte) ([]Member, []event.Violation) {
	c := &s.check
	c.reset(doc)
	s.members = s.members[:0]
	c.members = &s.members
	if c.space(); c.i == len(c.p) {
		c.stop("is empty")
	} else {
		c.value(&anyObject, 0)
	}
	if c.space(); !c.stopped && c.i < len(c.p) {
		c.stop("has more after its end")
	}
	if c.failed {
		return nil, c.out
	}
	return s.members, nil
}
