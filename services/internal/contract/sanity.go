package contract

import (
	"strconv"

	"github.com/estela-dev/estela/services/internal/decimal"
)

// satisfiable reports bounds that no value is within.
func (c *compiler) satisfiable(s *schema, at string) {
	if s.minLength != nil && s.maxLength != nil && *s.minLength > *s.maxLength {
		c.problem(at+"/minLength", "minLength %d is above maxLength %d: no string is valid", *s.minLength, *s.maxLength)
	}
	pairs := []struct {
		keyword   string
		low, high *decimal.Decimal
		open      bool
	}{
		{"minimum", s.minimum, s.maximum, false},
		{"minimum", s.minimum, s.below, true},
		{"exclusiveMinimum", s.above, s.maximum, true},
		{"exclusiveMinimum", s.above, s.below, true},
	}
	for _, p := range pairs {
		if p.low == nil || p.high == nil {
			continue
		}
		if order := p.low.Compare(*p.high); order > 0 || order == 0 && p.open {
			c.problem(at+"/"+p.keyword, "no number is both above this and below the maximum")
			return
		}
	}
	if low, high := s.integers(); s.kind() == kindInteger && low > high {
		c.problem(at, "no integer of 64 bits is within the bounds")
	}
}

// reachable reports the values of enum and const that the rest of their schema
// forbids: nobody could ever send them.
func (c *compiler) reachable(s *schema, at string) {
	rest := *s
	rest.enum, rest.constant = nil, nil
	for i, k := range s.enum {
		c.reach(&rest, k, at+"/enum/"+strconv.Itoa(i))
	}
	if s.constant == nil {
		return
	}
	rest.enum = s.enum
	c.reach(&rest, *s.constant, at+"/const")
}

func (c *compiler) reach(s *schema, k constant, at string) {
	var check checker
	check.reset([]byte(k.raw))
	check.document(s)
	for _, v := range check.out {
		c.problem(at, "%s can never be sent: %s", k.raw, v.Message)
		return
	}
}
