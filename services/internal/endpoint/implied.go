package endpoint

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// impliedCast is how a plan shows a column that DuckDB reads as a number.
var impliedCast = regexp.MustCompile(`CAST\((?:\\")?(\w+)(?:\\")? AS (?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))\)`)

// implied refuses an endpoint that takes text of a reference table for a number without
// saying so: DuckDB does where it is equal to a number, and 007 is then 7, and other text
// fails the request.
func (c *Checker) implied(ctx context.Context, e *Endpoint, plan operator) error {
	found := impliedCast.FindAllStringSubmatch(plan.text, -1)
	if len(found) == 0 {
		return nil
	}
	text, err := c.referenceTexts(ctx)
	if err != nil {
		return err
	}
	for _, match := range found {
		name := match[1]
		if slices.Contains(text, name) && !c.casts(e, name) {
			return e.fault(e.Line, "takes the text of "+name+", a column of a reference table, for a number", fmt.Sprintf("compare it with text, or cast: CAST(%s AS BIGINT), or give the column a type in its file's header, %s:integer", name, name))
		}
	}
	return nil
}

// referenceTexts are the columns of text in the reference tables whose names no other table has
// for something else.
func (c *Checker) referenceTexts(ctx context.Context) (names []string, err error) {
	others := map[string]bool{}
	for _, d := range c.datasets {
		for _, column := range d.Columns {
			others[column.Name] = true
		}
		for _, table := range d.Tables {
			columns, err := c.reader.Describe(ctx, "FROM "+quoteName(table), nil)
			if err != nil {
				return nil, fmt.Errorf("describe reference table %s: %w", table, err)
			}
			for _, column := range columns {
				if column.Type == "VARCHAR" {
					names = append(names, column.Name)
				} else {
					others[column.Name] = true
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return others[name] }), nil
}

// casts reports whether the endpoint, or a view that it may use, casts the column itself.
func (c *Checker) casts(e *Endpoint, name string) bool {
	var sql strings.Builder
	sql.WriteString(e.SQL)
	for _, d := range c.datasets {
		sql.WriteString("\n" + d.Views)
	}
	explicit := regexp.MustCompile(`(?is)cast\s*\([^()]*\b` + name + `"?\s+as\b|\b` + name + `"?\s*::`)
	return explicit.MatchString(sql.String())
}
