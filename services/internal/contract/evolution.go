package contract

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/decimal"
)

// Change is a difference to an older contract that would break somebody.
type Change struct {
	// Pointer is the JSON pointer of the place in the contract file.
	Pointer string `json:"pointer"`
	// Reason says what changed, whom it breaks and, where there is one, the way out.
	Reason string `json:"reason"`
	// Fixed: the stored rows are laid out by what changed, so that the old contract can't be
	// left even when nothing is under way. Any other change can be accepted once the streams
	// are drained.
	Fixed bool `json:"fixed,omitempty"`
}

func (c Change) String() string { return c.Pointer + ": " + c.Reason }

// Breaks lists the changes from old to c that would break a producer, a reader
// or the stored table; none means that c may take old's place.
//
// Evolution is additive. A new optional property may come, also one that
// producers sent all along as an extra one. What is accepted may widen as long
// as the column stays the same: further values of enum, a const that becomes an
// enum, looser bounds and lengths, a pattern dropped, extra properties allowed.
// Refused is what narrows it (it breaks producers), what changes or removes a
// column, what lets NULL into a column that had none (both break readers), and
// any change of what an attribute of CloudEvents fills, of format, key, time, partition, shards or stream (stored rows and their
// streams are laid out by them). Texts, dedupe and retention may change freely.
//
// Of what is refused, all that is not Fixed can be accepted deliberately when nothing is
// under way.
func (c *Contract) Breaks(old *Contract) []Change {
	d := &differ{}
	d.annotation(c, old)
	d.object("", c.root, old.root, true)
	return d.changes
}

// differ collects changes.
type differ struct{ changes []Change }

func (d *differ) change(at, format string, args ...any) {
	d.changes = append(d.changes, Change{Pointer: at, Reason: fmt.Sprintf(format, args...)})
}

// fixed is a change that the stored rows rule out.
func (d *differ) fixed(at, format string, args ...any) {
	d.change(at, format, args...)
	d.changes[len(d.changes)-1].Fixed = true
}

func (d *differ) annotation(c, old *Contract) {
	const at = "/x-estela"
	roles := []struct{ name, now, was, why string }{
		{"key", c.named(c.Key...), old.named(old.Key...), "duplicates are found by it"},
		{"time", c.named(c.Time), old.named(old.Time), "readers take it for the events' time"},
		{"partition", c.named(c.Partition), old.named(old.Partition), "events of one partition would be in two shards"},
	}
	for _, r := range roles {
		if r.now != r.was {
			d.fixed(at+"/"+r.name, "%s was %s and is %s: %s; start a new dataset", r.name, r.was, r.now, r.why)
		}
	}
	if now, was := c.Stream.String(), old.Stream.String(); now != was {
		d.fixed(at+"/stream", "stream was %s and is %s: the stored positions are of that one; start a new dataset", was, now)
	}
	if c.Shards != old.Shards {
		d.change(at+"/shards", "shards were %d and are %d: events of one partition would be in two shards while any are under way",
			old.Shards, c.Shards)
	}
	d.cloudEvents(c, old)
}

// named names columns in a message; -1 and no column are none.
func (c *Contract) named(columns ...int) string {
	var names []string
	for _, i := range columns {
		if i >= 0 {
			names = append(names, strconv.Quote(c.Columns[i].Name))
		}
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// object compares the properties of two object schemas. Those of the root are
// columns.
func (d *differ) object(at string, s, old *schema, root bool) {
	for _, was := range old.properties {
		here := at + "/properties/" + escapePointer(was.name)
		i, ok := s.index[was.name]
		if !ok || s.properties[i].name != was.name {
			d.change(here, "property is removed: readers use it; keep it, optional ones need not be sent")
			continue
		}
		d.property(here, s.properties[i], was, root)
	}
	for _, p := range s.properties {
		if i, ok := old.index[p.name]; p.required && (!ok || old.properties[i].name != p.name) {
			d.change(at+"/properties/"+escapePointer(p.name), "new property is required: producers don't send it yet; make it optional")
		}
	}
	if s.closed && !old.closed {
		d.change(at+"/additionalProperties", "extra properties were allowed and no longer are: producers may send some")
	}
}

func (d *differ) property(at string, p, was property, root bool) {
	now, old := p.schema.column(), was.schema.column()
	if root && now != old {
		d.fixed(at, "column was %s and is %s: add a new property instead", old, now)
		return
	}
	for _, name := range was.schema.aliases {
		if name != p.name && !slices.Contains(p.schema.aliases, name) {
			d.change(at+"/x-estela/aliases", "alias %q is removed: producers may send the property under it", name)
		}
	}
	if p.required && !was.required {
		d.change(at, "property was optional and is required: producers may leave it out")
	}
	if !p.required && was.required {
		d.change(at, "property was required and is optional: readers count on a value")
	}
	if p.schema.takesNull() && !was.schema.takesNull() {
		d.change(at, "property was never null and may be: readers count on a value")
	}
	d.schema(at, p.schema, was.schema)
}

// schema compares what two schemas accept.
func (d *differ) schema(at string, s, old *schema) {
	if s.kind() != old.kind() {
		d.fixed(at+"/type", "type was %s and is %s: add a new property instead", named(old.kind()), named(s.kind()))
		return
	}
	if old.takesNull() && !s.takesNull() {
		d.change(at+"/type", "property may no longer be null: producers may send null")
	}
	if s.format != old.format {
		d.fixed(at+"/format", "format was %q and is %q: add a new property instead", old.format, s.format)
	}
	d.values(at, s, old)
	d.texts(at, s, old)
	d.numbers(at, s, old)
	d.object(at, s, old, false)
	switch {
	case s.items != nil && old.items != nil:
		d.schema(at+"/items", s.items, old.items)
	case s.items != nil:
		d.change(at+"/items", "items had no schema and have one: producers may send others")
	}
}

func named(k kinds) string {
	if k == kindAny {
		return "any"
	}
	return k.String()
}

// values refuses values that enum and const admitted and no longer do.
func (d *differ) values(at string, s, old *schema) {
	was, is := old.listedValues(), s.listedValues()
	switch {
	case is == nil:
	case was == nil:
		d.change(at, "any value was accepted and only %s is: producers may send others", choices(is))
	default:
		for _, k := range was {
			if !slices.ContainsFunc(is, func(other constant) bool { return other.equals(k.kind, []byte(k.form)) }) {
				d.change(at, "value %s is no longer accepted: producers may send it", shorten(k.raw))
			}
		}
	}
}

// listedValues are what const and enum leave, nil if there is neither.
func (s *schema) listedValues() []constant {
	if s.constant != nil {
		return []constant{*s.constant}
	}
	return s.enum
}

func (d *differ) texts(at string, s, old *schema) {
	if s.pattern != nil && (old.pattern == nil || s.pattern.String() != old.pattern.String()) {
		d.change(at+"/pattern", "pattern is new or another one: what producers send may not match; it may only be dropped")
	}
	if s.minLength != nil && *s.minLength > 0 && (old.minLength == nil || *s.minLength > *old.minLength) {
		d.change(at+"/minLength", "minLength is raised to %d: producers may send shorter ones", *s.minLength)
	}
	if s.maxLength != nil && (old.maxLength == nil || *s.maxLength < *old.maxLength) {
		d.change(at+"/maxLength", "maxLength is lowered to %d: producers may send longer ones", *s.maxLength)
	}
}

func (d *differ) numbers(at string, s, old *schema) {
	bounds := []struct {
		keyword  string
		is, was  *decimal.Decimal
		open     bool
		opposite *decimal.Decimal // the other keyword on the same side, in old
		raised   int              // the sign of a narrowing
	}{
		{"minimum", s.minimum, old.minimum, false, old.above, 1},
		{"exclusiveMinimum", s.above, old.above, true, old.minimum, 1},
		{"maximum", s.maximum, old.maximum, false, old.below, -1},
		{"exclusiveMaximum", s.below, old.below, true, old.maximum, -1},
	}
	for _, b := range bounds {
		if b.is == nil || b.was != nil && b.is.Compare(*b.was)*b.raised <= 0 {
			continue
		}
		if b.opposite != nil {
			if order := b.is.Compare(*b.opposite) * b.raised; order < 0 || order == 0 && !b.open {
				continue
			}
		}
		d.change(at+"/"+b.keyword, "%s narrows to %s: producers may send what lies beyond", b.keyword, b.is)
	}
	if s.multipleOf != nil && (old.multipleOf == nil || !s.divisor.Divides(*old.multipleOf)) {
		d.change(at+"/multipleOf", "multipleOf %s is new or no divisor of the old one: producers may send other numbers", s.multipleOf)
	}
}

// Warnings lists what is allowed and may still be a mistake.
func (c *Contract) Warnings() []string {
	var warnings []string
	if len(c.Key) == 0 {
		warnings = append(warnings, "/x-estela: no key, so an event that is sent twice is stored twice")
	}
	if c.Shards > 1 && c.Dedupe > 0 && !slices.Contains(c.Key, c.Partition) {
		warnings = append(warnings, fmt.Sprintf(
			"/x-estela/partition: %s must be decided by the key %s, which can't be seen from here: "+
				"two events of one key in different partitions are not found to be duplicates",
			c.named(c.Partition), c.named(c.Key...)))
	}
	if c.Retention > 0 && c.Retention < c.Dedupe {
		warnings = append(warnings, fmt.Sprintf(
			"/x-estela/retention: rows are kept for %s, less than the %s in which duplicates are looked for", c.Retention, c.Dedupe))
	}
	var bare []string
	for _, column := range c.Columns {
		if column.Description == "" {
			bare = append(bare, column.Name)
		}
	}
	if len(bare) > 0 {
		warnings = append(warnings, fmt.Sprintf("/properties: %d of %d have no description, which is the column's documentation: %s",
			len(bare), len(c.Columns), firstOf(bare)))
	}
	return warnings
}

// firstOf names the first few, and that there are more.
func firstOf(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:few], ", ") + ", …"
}
