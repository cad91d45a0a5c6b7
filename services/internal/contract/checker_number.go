package contract

import (
	"github.com/estela-dev/estela/services/internal/decimal"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

func (c *checker) number(s *schema) {
	from := c.i
	end, ok := jsontext.Number(c.p, c.i)
	c.i = end
	if !ok {
		c.stop("holds a number that is not JSON's")
		return
	}
	raw := c.p[from:end]
	if !decimal.Fits(raw) {
		c.fail(keywordJSON, "must be within the range of a 64-bit float, found %s", c.excerpt(from))
		return
	}
	if s == nil {
		return
	}
	d := decimal.Parse(c.digits, raw)
	c.digits = d.Digits
	kind := kindNumber
	if d.IsInteger() {
		kind = kindInteger
	}
	if s = c.typed(s, kind, from); s == nil {
		return
	}
	if s.kind() == kindInteger {
		if _, ok := d.Int64(); !ok {
			c.fail("type", "must be an integer of 64 bits, found %s", c.excerpt(from))
			return
		}
	}
	c.bounds(s, d, from)
	if s.multipleOf != nil && !s.divisor.Divides(d) {
		c.fail("multipleOf", "must be a multiple of %s, found %s", s.multipleOf, c.excerpt(from))
	}
	if s.enum != nil || s.constant != nil {
		c.form = d.Append(c.form[:0])
		c.listed(s, kindNumber, c.form, from)
	}
}

func (c *checker) bounds(s *schema, d decimal.Decimal, from int) {
	if s.minimum != nil && d.Compare(*s.minimum) < 0 {
		c.fail("minimum", "must be at least %s, found %s", s.minimum, c.excerpt(from))
	}
	if s.maximum != nil && d.Compare(*s.maximum) > 0 {
		c.fail("maximum", "must be at most %s, found %s", s.maximum, c.excerpt(from))
	}
	if s.above != nil && d.Compare(*s.above) <= 0 {
		c.fail("exclusiveMinimum", "must be above %s, found %s", s.above, c.excerpt(from))
	}
	if s.below != nil && d.Compare(*s.below) >= 0 {
		c.fail("exclusiveMaximum", "must be below %s, found %s", s.below, c.excerpt(from))
	}
}
