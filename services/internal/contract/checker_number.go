package contract

func (c *checker) number(s *schema) {
	from := c.i
	end, ok := scanNumber(c.p, c.i)
	c.i = end
	if !ok {
		c.stop("holds a number that is not JSON's")
		return
	}
	raw := c.p[from:end]
	if !fits(raw) {
		c.fail(keywordJSON, "must be within the range of a 64-bit float, found %s", c.excerpt(from))
		return
	}
	if s == nil {
		return
	}
	d := parseDecimal(c.digits, raw)
	c.digits = d.digits
	kind := kindNumber
	if d.isInteger() {
		kind = kindInteger
	}
	if s = c.typed(s, kind, from); s == nil {
		return
	}
	if s.kind() == kindInteger {
		if _, ok := d.int64(); !ok {
			c.fail("type", "must be an integer of 64 bits, found %s", c.excerpt(from))
			return
		}
	}
	c.bounds(s, d, from)
	if s.multipleOf != nil && !s.divisor.divides(d) {
		c.fail("multipleOf", "must be a multiple of %s, found %s", s.multipleOf, c.excerpt(from))
	}
	if s.enum != nil || s.constant != nil {
		c.form = d.appendTo(c.form[:0])
		c.listed(s, kindNumber, c.form, from)
	}
}

func (c *checker) bounds(s *schema, d decimal, from int) {
	if s.minimum != nil && d.compare(*s.minimum) < 0 {
		c.fail("minimum", "must be at least %s, found %s", s.minimum, c.excerpt(from))
	}
	if s.maximum != nil && d.compare(*s.maximum) > 0 {
		c.fail("maximum", "must be at most %s, found %s", s.maximum, c.excerpt(from))
	}
	if s.above != nil && d.compare(*s.above) <= 0 {
		c.fail("exclusiveMinimum", "must be above %s, found %s", s.above, c.excerpt(from))
	}
	if s.below != nil && d.compare(*s.below) >= 0 {
		c.fail("exclusiveMaximum", "must be below %s, found %s", s.below, c.excerpt(from))
	}
}
