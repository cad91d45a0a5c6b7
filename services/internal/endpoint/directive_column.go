package endpoint

import (
	"fmt"
	"slices"
)

// ColumnText is what the header says about a column of the answer.
type ColumnText struct {
	Name, Unit, Description string
	// Example is a value as text; nil without one.
	Example *string

	line int
}

const columnGrammar = "write -- column: NAME [unit=U] [example=V] -- DESCRIPTION, with quotes around a value that has spaces"

// column parses the documentation of a column, which the statement computes or describes in another
// way than the contract.
func (p *parser) column(value string) {
	all, description, err := parseAttributes(value)
	switch {
	case err != nil:
		p.fail(err.Error(), quoteFix)
		return
	case len(all) == 0 || !columnName.MatchString(all[0].text):
		p.fail(fmt.Sprintf("%q names no column", value), columnGrammar)
		return
	}
	c := ColumnText{Name: all[0].text, Description: description, line: p.line}
	if p.duplicate("column "+c.Name, "the column "+c.Name) || !p.columnAttributes(&c, all) {
		return
	}
	if c.Unit == "" && c.Description == "" && c.Example == nil {
		p.fail("says nothing about the column "+c.Name, columnGrammar)
		return
	}
	p.Columns = append(p.Columns, c)
}

// columnAttributes applies the attributes after the name, all[0].
func (p *parser) columnAttributes(c *ColumnText, all []attribute) bool {
	for i, w := range all[1:] {
		switch {
		case slices.ContainsFunc(all[1:][:i], func(o attribute) bool { return o.key == w.key }):
			p.fail(w.key+" is given twice", "remove one of the two")
			return false
		case w.key == "unit" && len(w.values) == 1 && w.values[0] != "":
			c.Unit = w.values[0]
		case w.key == "example" && len(w.values) == 1:
			c.Example = &w.values[0]
		default:
			p.fail(fmt.Sprintf("%q is nothing that can be said of a column", w.text), columnGrammar)
			return false
		}
	}
	return true
}
