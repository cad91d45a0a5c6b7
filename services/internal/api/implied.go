package api

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
func (s *Server) implied(ctx context.Context, r *route, plan operator) error {
	found := impliedCast.FindAllStringSubmatch(plan.text, -1)
	if len(found) == 0 {
		return nil
	}
	text, err := s.referenceTexts(ctx, r)
	if err != nil {
		return err
	}
	for _, match := range found {
		name := match[1]
		if slices.Contains(text, name) && !r.casts(name) {
			return &ParseError{
				r.File, r.Line, "takes the text of " + name + ", a column of a reference table, for a number",
				fmt.Sprintf("compare it with text, or cast: CAST(%s AS BIGINT), or give the column a type in its file's header, %s:integer", name, name),
			}
		}
	}
	return nil
}

// referenceTexts are the columns of text in the reference tables whose names no other table has
// for something else.
func (s *Server) referenceTexts(ctx context.Context, r *route) (names []string, err error) {
	others := map[string]bool{}
	for _, d := range r.home.datasets {
		for _, c := range d.Columns {
			others[c.Name] = true
		}
		for _, table := range d.Tables {
			columns, err := s.cfg.Reader.Describe(ctx, "FROM "+quoteName(table), nil)
			if err != nil {
				return nil, fmt.Errorf("describe reference table %s: %w", table, err)
			}
			for _, c := range columns {
				if c.Type == "VARCHAR" {
					names = append(names, c.Name)
				} else {
					others[c.Name] = true
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return others[name] }), nil
}

// casts reports whether the endpoint, or a view that it may use, casts the column itself.
func (r *route) casts(name string) bool {
	var sql strings.Builder
	sql.WriteString(r.SQL)
	for _, d := range r.home.datasets {
		sql.WriteString("\n" + d.Views)
	}
	explicit := regexp.MustCompile(`(?is)cast\s*\([^()]*\b` + name + `"?\s+as\b|\b` + name + `"?\s*::`)
	return explicit.MatchString(sql.String())
}
