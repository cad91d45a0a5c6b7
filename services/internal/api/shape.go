package api

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// shape is what an endpoint's answer looks like: learnt from the warehouse.
type shape struct {
	columns []column
	order   []orderColumn
}

// column is one column of an answer.
type column struct {
	name, sqlType string
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
	sh := &shape{}
	columns, err := s.cfg.Reader.Describe(ctx, r.typed, r.defaults())
	if err != nil {
		return nil, r.located(err)
	}
	for _, c := range columns {
		sh.columns = append(sh.columns, column{c.Name, c.Type})
	}
	if err := r.fits(sh); err != nil {
		return nil, err
	}
	r.shape.Store(sh)
	return sh, nil
}

// defaults are the endpoint's arguments when none is given.
func (r *route) defaults() map[string]any {
	args := map[string]any{}
	for _, p := range r.Params {
		args[p.Name] = p.Default
	}
	return args
}

var lineNumber = regexp.MustCompile(`LINE (\d+):`)

// located says where in the file DuckDB found the error. The query that ran has
// the endpoint's SQL from its second line on.
func (r *route) located(err error) error {
	line := r.Line
	if match := lineNumber.FindStringSubmatch(err.Error()); match != nil {
		if n, e := strconv.Atoi(match[1]); e == nil {
			line += n - 2
		}
	}
	return fmt.Errorf("%s:%d: describe endpoint: %w", r.File, line, err)
}

// fits checks the columns that the header names against those of the answer.
func (r *route) fits(sh *shape) error {
	var errs []error
	for _, o := range r.Order {
		c, ok := sh.column(o.Column)
		if !ok {
			errs = append(errs, r.noColumn(r.orderLine, "order", o.Column, sh))
		} else if !keyTypes.MatchString(c.sqlType) {
			errs = append(errs, &ParseError{
				r.File, r.orderLine, fmt.Sprintf("order names %s, whose type %s can't be in a cursor", o.Column, c.sqlType),
				"cast it to another type in the SQL",
			})
		}
		sh.order = append(sh.order, orderColumn{"page." + quoteName(o.Column), c.sqlType, o.Desc})
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
		names[i] = c.name
	}
	return &ParseError{
		r.File, line, fmt.Sprintf("%s names the column %s, which the answer does not have", directive, name),
		"its columns are " + strings.Join(names, ", "),
	}
}

// index is the place of a column, -1 if there is none.
func (sh *shape) index(name string) int {
	return slices.IndexFunc(sh.columns, func(c column) bool { return c.name == name })
}

func (sh *shape) column(name string) (column, bool) {
	i := sh.index(name)
	if i < 0 {
		return column{}, false
	}
	return sh.columns[i], true
}

func quoteName(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// page is the query for the rows behind keys (nil: from the beginning), at most
// limit of them, and the values that the keys are bound to.
//
// The casts for JSON and cursor stand around the limit, so that they are done for
// the rows of the page and not for all. Rows keep the order of the inner query.
func (r *route) page(sh *shape, keys []*string, limit int) (query string, args map[string]any) {
	args = map[string]any{}
	var b strings.Builder
	b.WriteString("SELECT * FROM (\n" + r.typed + "\n) AS page")
	if keys != nil {
		var condition string
		condition, args = sh.behind(keys)
		b.WriteString(" WHERE " + condition)
	}
	if len(sh.order) > 0 {
		b.WriteString(" ORDER BY " + sh.orderBy())
	}
	fmt.Fprintf(&b, " LIMIT %d", limit)
	return "SELECT " + sh.projection() + " FROM (" + b.String() + ") AS page", args
}

func (sh *shape) orderBy() string {
	terms := make([]string, len(sh.order))
	for i, o := range sh.order {
		terms[i] = o.String()
	}
	return strings.Join(terms, ", ")
}

// projection is the answer's columns in the form that JSON needs, then the keys.
func (sh *shape) projection() string {
	var all []string
	for _, c := range sh.columns {
		all = append(all, project(c.sqlType, "page."+quoteName(c.name)))
	}
	for _, o := range sh.order {
		all = append(all, "CAST("+o.column+" AS VARCHAR)")
	}
	return strings.Join(all, ", ")
}
