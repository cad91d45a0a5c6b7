package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Page is a page of an endpoint's answer.
type Page struct {
	// After is the cursor of the page before, nil for the first page.
	After *Cursor
	// Ties are the keys of the rows among which this page ends, which must be ordered too; with
	// TieAll, all rows with equal keys are.
	Ties   []*string
	TieAll bool
	// Limit is the highest number of rows.
	Limit int
}

// Query returns the SQL for at most Limit rows of the page, and its bound values. For an ordered
// endpoint the answer's columns are followed by each row's keys, whether they equal those of the
// row before, and its tie, which is NULL unless rows with its keys are to be ordered.
//
// The casts are outside of the limit, so that they are computed for the rows of the page only.
// Rows keep the order of the inner query.
func (e *Endpoint) Query(sh *Shape, p Page) (query string, args map[string]any) {
	bound := boundValues{}
	var b strings.Builder
	// The tie is computed before the order, for DuckDB turns -0.0 into 0.0 where it orders by it.
	b.WriteString("SELECT *" + sh.tieProjection(bound, p) + " FROM (\n" + e.castSQL + "\n) AS page")
	if c := p.After; c != nil {
		b.WriteString(" WHERE " + sh.afterCondition(bound, c.Keys))
		if c.Tie != "" {
			bound[keyPrefix+"tie"] = c.Tie
			b.WriteString(" OR " + sh.equalCondition(bound, "", c.Keys) + " AND " + sh.rowHash() + " >= $" + keyPrefix + "tie")
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

// tieProjection is the column that orders rows with equal keys. It hashes a whole row, so it is
// computed only for the keys at which the page begins or ends. Rows with equal ties are equal.
func (sh *Shape) tieProjection(args boundValues, p Page) string {
	var groups []string
	if p.After != nil && p.After.Tie != "" {
		groups = append(groups, sh.equalCondition(args, "", p.After.Keys))
	}
	if p.Ties != nil {
		groups = append(groups, sh.equalCondition(args, "border_", p.Ties))
	}
	value := "NULL::VARCHAR"
	switch {
	case len(sh.order) == 0:
		return ""
	case p.TieAll:
		value = sh.rowHash()
	case groups != nil:
		value = "CASE WHEN " + strings.Join(groups, " OR ") + " THEN " + sh.rowHash() + " END"
	}
	return ", " + value + " AS " + tieColumn
}

// rowHash is a hash of all of a row's values.
func (sh *Shape) rowHash() string {
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

// projection is the answer's columns, readable as vectors, and then the columns that pages need.
func (sh *Shape) projection() string {
	var all, same []string
	for _, c := range sh.Columns {
		all = append(all, readableColumn(c.Type, "page."+quoteName(c.Name)))
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

// unreadableTypes matches the types that can't be read from DuckDB's vectors and are cast; quoted
// names are skipped.
var unreadableTypes = regexp.MustCompile(`"(?:[^"]|"")*"|'(?:[^']|'')*'|\b(?:BIT|BIGNUM|VARIANT|GEOMETRY)\b`)

// readableColumn casts a column with unreadable types to text, which is lossless: BIGNUM becomes
// JSON, so that it is encoded as a number of any length.
func readableColumn(sqlType, column string) string {
	as := func(other func(string) string) string {
		return unreadableTypes.ReplaceAllStringFunc(sqlType, func(word string) string {
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

// boundValues are a query's bound values by name.
type boundValues map[string]any

// bindKey binds a row's key, given as text, and returns it as SQL.
func (b boundValues) bindKey(o orderColumn, group string, i int, text string) string {
	name := fmt.Sprintf("%s%s%d", keyPrefix, group, i)
	b[name] = text
	return fmt.Sprintf("TRY_CAST($%s AS %s)", name, o.sqlType)
}

// afterCondition is the condition that a row's keys sort after the given ones. NULLs sort last in
// both directions.
func (sh *Shape) afterCondition(b boundValues, keys []*string) string {
	var either, same []string
	for i, o := range sh.order {
		if keys[i] == nil {
			// Nothing sorts after NULL.
			same = append(same, o.column+" IS NULL")
			continue
		}
		value := b.bindKey(o, "", i, *keys[i])
		after := fmt.Sprintf("(%s %s %s OR %s IS NULL)", o.column, o.operator(), value, o.column)
		either = append(either, "("+strings.Join(append(slices.Clone(same), after), " AND ")+")")
		same = append(same, o.column+" = "+value)
	}
	if len(either) == 0 {
		return "false"
	}
	return strings.Join(either, " OR ")
}

// equalCondition is the condition that a row's keys equal the given ones, compared by DuckDB and its
// collations.
func (sh *Shape) equalCondition(b boundValues, group string, keys []*string) string {
	all := make([]string, len(sh.order))
	for i, o := range sh.order {
		if keys[i] == nil {
			all[i] = o.column + " IS NULL"
		} else {
			all[i] = o.column + " = " + b.bindKey(o, group, i, *keys[i])
		}
	}
	return "(" + strings.Join(all, " AND ") + ")"
}
