package api

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

// shape is what an endpoint's answer looks like: learnt from the warehouse.
type shape struct {
	columns []result.Column
	order   []orderColumn
}

// orderColumn is a column of the order, quoted, with what its values are cast to.
type orderColumn struct {
	column, sqlType string
	desc            bool
}

func (o orderColumn) operator() string {
	if o.desc {
		return "<"
	}
	return ">"
}

func (o orderColumn) String() string {
	if o.desc {
		return o.column + " DESC NULLS LAST"
	}
	return o.column + " ASC NULLS LAST"
}

// keyTypes are the types whose values survive being written as text and read
// again, in their order.
var keyTypes = regexp.MustCompile(`^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BOOLEAN|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|UUID|DATE|TIME|TIMESTAMP(TZ|_S|_MS|_NS)?)$`)

// shape learns the endpoint's columns, once: later calls are given what the
// first one found.
func (s *Server) shape(ctx context.Context, r *route) (*shape, error) {
	if sh := r.shape.Load(); sh != nil {
		return sh, nil
	}
	if err := s.vet(ctx, r); err != nil {
		return nil, err
	}
	sh, err := r.learn(ctx, s.cfg.Reader)
	if err != nil {
		return nil, err
	}
	r.shape.Store(sh)
	return sh, nil
}

// ofSQL are DuckDB's errors that the author of a statement can do something about.
var ofSQL = regexp.MustCompile(`\b(?:Parser|Binder|Catalog|Conversion|Invalid Input|Not implemented|Out of Range|Mismatch Type) Error: `)

// learn asks the warehouse for the endpoint's columns.
func (r *route) learn(ctx context.Context, from interface {
	Describe(ctx context.Context, query string, args map[string]any) ([]result.Column, error)
},
) (*shape, error) {
	columns, err := from.Describe(ctx, r.typed, r.defaults())
	switch {
	case err != nil && (ctx.Err() != nil || !ofSQL.MatchString(err.Error())):
		return nil, fmt.Errorf("%s: prepare endpoint: %w", r.File, err)
	case err != nil:
		// Before it stands one line.
		return nil, source{r.File, r.SQL, r.Line, 0}.explain(err, 2)
	}
	sh := &shape{}
	for _, c := range columns {
		if !r.hidden[strings.ToLower(c.Name)] {
			sh.columns = append(sh.columns, c)
		}
	}
	if len(r.Order) > 0 && slices.ContainsFunc(columns, func(c result.Column) bool { return strings.EqualFold(quoteName(c.Name), tieColumn) }) {
		return nil, &ParseError{r.File, r.Line, "answers with a column " + tieColumn + ", which is what pages call one of their own", "give it another name"}
	}
	if len(sh.columns) == 0 {
		return nil, &ParseError{r.File, r.Line, "answers with system columns only, which * does not give", "name the columns"}
	}
	return sh, r.fits(sh)
}

// defaults are the endpoint's arguments when none is given.
func (r *route) defaults() map[string]any {
	args := map[string]any{}
	for _, p := range r.Params {
		args[p.Name] = p.Default
	}
	return args
}

// fits checks the columns that the header names against those of the answer.
func (r *route) fits(sh *shape) error {
	var errs []error
	for _, o := range r.Order {
		c, ok := sh.column(o.Column)
		if !ok {
			errs = append(errs, r.noColumn(r.orderLine, "order", o.Column, sh))
		} else if !keyTypes.MatchString(c.Type) {
			errs = append(errs, &ParseError{
				r.File, r.orderLine, fmt.Sprintf("order names %s, whose type %s can't be in a cursor", o.Column, c.Type),
				"cast it to another type in the SQL",
			})
		}
		sh.order = append(sh.order, orderColumn{"page." + quoteName(o.Column), c.Type, o.Desc})
	}
	if r.Chart != nil {
		for _, name := range []string{r.Chart.X, r.Chart.Y} {
			if _, ok := sh.column(name); !ok {
				errs = append(errs, r.noColumn(r.chartLine, "chart", name, sh))
			}
		}
	}
	return errors.Join(errs...)
}

func (r *route) noColumn(line int, directive, name string, sh *shape) error {
	names := make([]string, len(sh.columns))
	for i, c := range sh.columns {
		names[i] = c.Name
	}
	return &ParseError{
		r.File, line, fmt.Sprintf("%s names the column %s, which the answer does not have", directive, name),
		"its columns are " + strings.Join(names, ", "),
	}
}

// index is the place of a column, -1 if there is none.
func (sh *shape) index(name string) int {
	return slices.IndexFunc(sh.columns, func(c result.Column) bool { return c.Name == name })
}

func (sh *shape) column(name string) (result.Column, bool) {
	i := sh.index(name)
	if i < 0 {
		return result.Column{}, false
	}
	return sh.columns[i], true
}

func quoteName(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// page asks for a page of an endpoint.
type page struct {
	// behind is the cursor of the page before, nil for the first page.
	behind *cursor
	// border are the keys of rows that this page ends among; all that it may end among any.
	border []*string
	all    bool
	limit  int
}

// pageOf is the query for the rows of the page, at most limit of them, and the values that
// it is bound to. Behind the answer's columns come, of an ordered endpoint, each row's keys,
// whether they are those of the row before, and its place among the rows of the same keys, NULL
// where that was not asked for.
//
// The casts for JSON and cursor stand around the limit, so that they are done for
// the rows of the page and not for all. Rows keep the order of the inner query.
func (r *route) pageOf(sh *shape, p page) (query string, args bound) {
	args = bound{}
	var b strings.Builder
	// Before the order, for DuckDB makes 0.0 of -0.0 where it orders by it.
	b.WriteString("SELECT *" + sh.tie(args, p) + " FROM (\n" + r.typed + "\n) AS page")
	if c := p.behind; c != nil {
		b.WriteString(" WHERE " + sh.behind(args, c.Keys))
		if c.Tie != "" {
			args[keyPrefix+"tie"] = c.Tie
			b.WriteString(" OR " + sh.same(args, "", c.Keys) + " AND " + sh.row() + " >= $" + keyPrefix + "tie")
		}
	}
	if len(sh.order) > 0 {
		b.WriteString(" ORDER BY " + sh.orderBy() + ", " + tieColumn)
	}
	fmt.Fprintf(&b, " LIMIT %d", p.limit)
	if p.behind != nil && p.behind.Given > 0 {
		fmt.Fprintf(&b, " OFFSET %d", p.behind.Given)
	}
	return "SELECT " + sh.projection() + " FROM (" + b.String() + ") AS page", args
}

// tieColumn is the name of a row's place among the rows of the same keys.
const tieColumn = `"estela tie"`

// tie is the column that orders the rows of the same keys: those that the page begins or ends
// among, for it takes all of a row's values. Rows that it does not tell apart are the same.
func (sh *shape) tie(args bound, p page) string {
	var groups []string
	if p.behind != nil && p.behind.Tie != "" {
		groups = append(groups, sh.same(args, "", p.behind.Keys))
	}
	if p.border != nil {
		groups = append(groups, sh.same(args, "border_", p.border))
	}
	value := "NULL::VARCHAR"
	switch {
	case len(sh.order) == 0:
		return ""
	case p.all:
		value = sh.row()
	case groups != nil:
		value = "CASE WHEN " + strings.Join(groups, " OR ") + " THEN " + sh.row() + " END"
	}
	return ", " + value + " AS " + tieColumn
}

// row stands for all of a row's values.
func (sh *shape) row() string {
	all := make([]string, len(sh.columns))
	for i, c := range sh.columns {
		all[i] = "page." + quoteName(c.Name)
	}
	return "md5(CAST(ROW(" + strings.Join(all, ", ") + ") AS VARCHAR))"
}

func (sh *shape) orderBy() string {
	terms := make([]string, len(sh.order))
	for i, o := range sh.order {
		terms[i] = o.String()
	}
	return strings.Join(terms, ", ")
}

// projection is the answer's columns in the form that JSON needs, then what pages need.
func (sh *shape) projection() string {
	var all, same []string
	for _, c := range sh.columns {
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
