package contract

import "regexp"

// Attribute is an attribute of CloudEvents whose value is a property of the event: what
// x-estela.cloudevents says of one.
type Attribute struct {
	// Name is the attribute's, such as "id".
	Name string
	// Property indexes Contract.Columns.
	Property int
}

// attributeName is what CloudEvents 1.0 allows, at the length that it recommends.
var attributeName = regexp.MustCompile(`^[a-z0-9]{1,20}$`)

// cloudEvents reads x-estela.cloudevents: an object of attributes, each with the name of a property.
func (c *compiler) cloudEvents(to *Contract, n node, at string) {
	if n.kind != kindObject {
		c.problem(at, `must be an object of attributes and properties such as {"id": "event_id"}, found %s`, n.raw)
		return
	}
	filled := map[int]string{}
	for _, m := range n.members {
		here := at + "/" + escapePointer(m.name)
		if !attributeName.MatchString(m.name) || m.name == "data" {
			c.problem(here, "is no attribute: they have 1 to 20 lower-case letters and digits, and data is the event itself")
			continue
		}
		i := to.indexOf(m.value)
		switch other, taken := filled[i]; {
		case i < 0:
			c.problem(here, "names no property: found %s", m.value.raw)
		case taken:
			c.problem(here, "property %q is filled by the attribute %q already", to.Columns[i].Name, other)
		default:
			filled[i] = m.name
			to.CloudEvents = append(to.CloudEvents, Attribute{m.name, i})
		}
	}
}

// indexOf is the column of the property that n names, -1 if there is none.
func (c *Contract) indexOf(n node) int {
	for i := range c.Columns {
		if n.kind == kindString && c.Columns[i].Name == n.text {
			return i
		}
	}
	return -1
}

// filledBy is the property that an attribute fills, "" if it fills none.
func (c *Contract) filledBy(attribute string) string {
	for _, a := range c.CloudEvents {
		if a.Name == attribute {
			return c.Columns[a.Property].Name
		}
	}
	return ""
}

// cloudEvents compares what attributes fill. More may, for the property in an event's data goes first.
func (d *differ) cloudEvents(c, old *Contract) {
	for _, a := range old.CloudEvents {
		was, now := old.filledBy(a.Name), c.filledBy(a.Name)
		switch at := "/x-estela/cloudevents/" + a.Name; {
		case now == "":
			d.change(at, "attribute filled property %q and fills none: producers of CloudEvents don't send the property beside it", was)
		case now != was:
			d.change(at, "attribute filled property %q and fills %q: producers of CloudEvents send the one and not the other", was, now)
		}
	}
}
