package contract

import (
	"strconv"
	"strings"
)

// ofProperty reads the block x-estela of a property. That of the root comes later.
func (c *compiler) ofProperty(s *schema, n node, at string) {
	levels := strings.Count(at, "/")
	switch {
	case levels == 1:
		return
	case levels != 3 || !strings.HasPrefix(at, "/properties/"):
		c.problem(at, "says nothing here: it belongs to the top of the file and to the properties there, which are columns")
		return
	case n.kind != kindObject:
		c.problem(at, "must be an object, found %s", n.raw)
		return
	}
	for _, m := range n.members {
		here := at + "/" + escapePointer(m.name)
		switch m.name {
		case "aliases":
			c.aliases(s, m.value, here)
		case "unit":
			c.unit(s, m.value, here)
		default:
			c.problem(here, "unknown: of a property there are aliases and unit")
		}
	}
}

func (c *compiler) unit(s *schema, n node, at string) {
	if n.kind != kindString || strings.TrimSpace(n.text) == "" {
		c.problem(at, `must be a text such as "minutes", found %s`, n.raw)
	}
	s.unit = n.text
}

func (c *compiler) aliases(s *schema, n node, at string) {
	if n.kind != kindArray {
		c.problem(at, "must be an array of names, found %s", n.raw)
		return
	}
	for i, name := range n.items {
		if name.kind != kindString {
			c.problem(at+"/"+strconv.Itoa(i), "must be a string, found %s", name.raw)
			continue
		}
		s.aliases = append(s.aliases, name.text)
	}
}

// addAliases adds the aliases of the root's properties to its index.
func (c *compiler) addAliases(root *schema) {
	for i, p := range root.properties {
		for n, alias := range p.schema.aliases {
			if other, taken := root.index[alias]; taken {
				c.problem("/properties/"+escapePointer(p.name)+"/x-estela/aliases/"+strconv.Itoa(n),
					"%q is taken: it names property %q", alias, root.properties[other].name)
				continue
			}
			root.index[alias] = i
		}
	}
}
