package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Page asks for a page of an endpoint.
type Page struct {
	// After is the cursor of the page before, nil for the first page.
	After *Cursor
	// Border are the keys of rows that this page ends among; with All it may end among any.
	Border []*string
	All    bool
	// Limit is the highest number of rows.
	Limit int
}

// Query is the SQL for the rows of the page, at most Limit of them, and the values that
// it is bound to. After the answer's columns come, of an ordered endpoint, each row's keys,
// whether they are those of the row before, and its position among the rows of the same keys,
// NULL where that was not asked for.
//
// The casts for JSON and cursor stand around the limit, so that they are done for
// the rows of the page and not for all. Rows keep the order of the inner query.
func (e *Endpoint) Query(sh *Shape, p Page) (query string, args map[string]any) {
	bound := values{}
	var b strings.Builder
	// Before the order, for DuckDB makes 0.0 of -0.0 where it orders by it.
	b.WriteString("SELECT *" + sh.tie(bound, p) + " FROM (\n" + e.typed + "\n) AS page")
	if c := p.After; c != nil {
		b.WriteString(" WHERE " + sh.after(bound, c.Keys))
		if c.Tie != "" {
			bound[keyPrefix+"tie"] = c.Tie
			b.WriteString(" OR " + sh.same(bound, "", c.Keys) + " AND " + sh.row() + " >= $" + keyPrefix + "tie")
		}
	}
	if len(sh.order) > 0 {
		b.WriteString(" ORDER BY " + sh.orderBy() + ", " + tieColumn)
	}
	fmt.Fprintf(&b, " LIMIT %d", p.Limit)
	if p.After != nil && p.After.Given > 0 {
		fmt.Fprintf(&b, " OFFSET %d", p.After.Given)
	}
	return "SELECT " + sh.projection() + " FROM (" + b.String() + ") AS page", bound
}

// tie is the column that orders the rows of the same keys: those that the page begins or ends
// among, for it takes all of a row's values. Rows that have the same tie are the same.
func (sh *Shape) tie(args values, p Page) string {
	var groups []string
	if p.After != nil && p.After.Tie != "" {
		groups = append(groups, sh.same(args, "", p.After.Keys))
	}
	if p.Border != nil {
		groups = append(groups, sh.same(args, "border_", p.Border))
	}
	value := "NULL::VARCHAR"
	switch {
	case len(sh.order) == 0:
		return ""
	case p.All:
		value = sh.row()
	case groups != nil:
		value = "CASE WHEN " + strings.Join(groups, " OR ") + " THEN " + sh.row() + " END"
	}
	return ", " + value + " AS " + tieColumn
}

// row is a hash of all of a row's values.
func (sh *Shape) row() string {
	all := make([]string, len(sh.Columns))
	for i, c := range sh.Columns {
		all[i] = "page." + quoteName(c.Name)
	}
	return "md5(CAST(ROW(" + strings.Join(all, ", ") + ") AS VARCHAR))"
}

func (sh *Shape) orderBy() string {
	terms := make([]string, len(sh.order))
	for i, o := range sh.order {
		terms[i] = o.String()
	}
	return strings.Join(terms, ", ")
}

// projection is the answer's columns in the form that JSON needs, then what pages need.
func (sh *Shape) projection() string {
	var all, same []string
	for _, c := range sh.Columns {
		all = append(all, project(c.Type, "page."+quoteName(c.Name)))
	}
	for _, o := range sh.order {
		all = append(all, "CAST("+o.column+" AS VARCHAR)")
		same = append(same, o.column+" IS NOT DISTINCT FROM lag("+o.column+") OVER ()")
	}
	if len(sh.order) > 0 {
		all = append(all, strings.Join(same, " AND "), tieColumn)
	}
	return strings.Join(all, ", ")
}

// noVectors are the types that come as another, for they can't be read from DuckDB's
// memory; a name in quotes is none of them.
var noVectors = regexp.MustCompile(`"(?:[^"]|"")*"|'(?:[^']|'')*'|\b(?:BIT|BIGNUM|VARIANT|GEOMETRY)\b`)

// project is the SQL that brings a column into a form that can be read. What is cast to
// text loses nothing: BIGNUM becomes JSON, which is how a number of any length
// stays one.
func project(sqlType, column string) string {
	as := func(other func(string) string) string {
		return noVectors.ReplaceAllStringFunc(sqlType, func(word string) string {
			if word[0] == '"' || word[0] == '\'' {
				return word
			}
			return other(word)
		})
	}
	text := as(func(string) string { return "VARCHAR" })
	if text == sqlType {
		return column
	}
	return "CAST(CAST(" + column + " AS " + text + ") AS " + as(func(word string) string {
		if word == "BIGNUM" {
			return "JSON"
		}
		return "VARCHAR"
	}) + ")"
}

// values are what a query is bound to, by name.
type values map[string]any

// key binds a row's text in an order column and returns it as SQL.
func (b values) key(o orderColumn, group string, i int, text string) string {
	name := fmt.Sprintf("%s%s%d", keyPrefix, group, i)
	b[name] = text
	return fmt.Sprintf("TRY_CAST($%s AS %s)", name, o.sqlType)
}

// after is the condition that a row's keys come after the given ones. NULLs come last,
// whether ascending or descending.
func (sh *Shape) after(b values, keys []*string) string {
	var either, same []string
	for i, o := range sh.order {
		if keys[i] == nil {
			// Nothing sorts after NULL.
			same = append(same, o.column+" IS NULL")
			continue
		}
		value := b.key(o, "", i, *keys[i])
		after := fmt.Sprintf("(%s %s %s OR %s IS NULL)", o.column, o.operator(), value, o.column)
		either = append(either, "("+strings.Join(append(slices.Clone(same), after), " AND ")+")")
		same = append(same, o.column+" = "+value)
	}
	if len(either) == 0 {
		return "false"
	}
	return strings.Join(either, " OR ")
}

// same is the condition that a row's keys are the given ones. What is equal DuckDB
// decides, by collations too.
func (sh *Shape) same(b values, group string, keys []*string) string {
	all := make([]string, len(sh.order))
	for i, o := range sh.order {
		if keys[i] == nil {
			all[i] = o.column + " IS NULL"
		} else {
			all[i] = o.column + " = " + b.key(o, group, i, *keys[i])
		}
	}
	return "(" + strings.Join(all, " AND ") + ")"
}
