package endpoint

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

// Shape is what an endpoint's answer looks like, as the warehouse describes it.
type Shape struct {
	// Columns are the answer's, their types by DuckDB's names.
	Columns []result.Column

	order []orderColumn
}

// tieColumn is the name of a row's position among the rows of the same keys.
const tieColumn = `"estela tie"`

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

func quoteName(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// keyTypes are the types whose values survive being written as text and read
// again, in their order.
var keyTypes = regexp.MustCompile(`^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BOOLEAN|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|UUID|DATE|TIME|TIMESTAMP(TZ|_S|_MS|_NS)?)$`)

// ofSQL are DuckDB's errors that the author of a statement can do something about.
var ofSQL = regexp.MustCompile(`\b(?:Parser|Binder|Catalog|Conversion|Invalid Input|Not implemented|Out of Range|Mismatch Type) Error: `)

// Describer is the warehouse, as far as the columns of an answer go.
type Describer interface {
	// Describe gives the columns that a query with named parameters ($name) answers
	// with, without running it.
	Describe(ctx context.Context, query string, args map[string]any) ([]result.Column, error)
}

// describe asks the warehouse for the answer's columns, of which the hidden (by name in lower
// case) are left out.
func (e *Endpoint) describe(ctx context.Context, from Describer, hidden map[string]bool) (*Shape, error) {
	columns, err := from.Describe(ctx, e.typed, e.Defaults())
	switch {
	case err != nil && (ctx.Err() != nil || !ofSQL.MatchString(err.Error())):
		return nil, fmt.Errorf("%s: prepare endpoint: %w", e.File, err)
	case err != nil:
		// One line comes before it.
		return nil, source{e.File, e.SQL, e.Line, 0}.explain(err, 2)
	}
	sh := &Shape{}
	for _, c := range columns {
		if !hidden[strings.ToLower(c.Name)] {
			sh.Columns = append(sh.Columns, c)
		}
	}
	if len(e.Order) > 0 && slices.ContainsFunc(columns, func(c result.Column) bool { return strings.EqualFold(quoteName(c.Name), tieColumn) }) {
		return nil, e.fault(e.Line, "answers with a column "+tieColumn+", which is what pages call one of their own", "give it another name")
	}
	if len(sh.Columns) == 0 {
		return nil, e.fault(e.Line, "answers with system columns only, which * does not give", "name the columns")
	}
	return sh, e.fits(sh)
}

// fits checks the columns that the header names against those of the answer.
func (e *Endpoint) fits(sh *Shape) error {
	var errs []error
	for _, o := range e.Order {
		c, ok := sh.column(o.Column)
		if !ok {
			errs = append(errs, e.noColumn(e.orderLine, "order", o.Column, sh))
		} else if !keyTypes.MatchString(c.Type) {
			errs = append(errs, e.fault(e.orderLine, fmt.Sprintf("order names %s, whose type %s can't be in a cursor", o.Column, c.Type), "cast it to another type in the SQL"))
		}
		sh.order = append(sh.order, orderColumn{"page." + quoteName(o.Column), c.Type, o.Desc})
	}
	if e.Chart != nil {
		for _, name := range []string{e.Chart.X, e.Chart.Y} {
			if _, ok := sh.column(name); !ok {
				errs = append(errs, e.noColumn(e.chartLine, "chart", name, sh))
			}
		}
	}
	return errors.Join(errs...)
}

func (e *Endpoint) noColumn(line int, directive, name string, sh *Shape) error {
	names := make([]string, len(sh.Columns))
	for i, c := range sh.Columns {
		names[i] = c.Name
	}
	return e.fault(line, fmt.Sprintf("%s names the column %s, which the answer does not have", directive, name), "its columns are "+strings.Join(names, ", "))
}

func (sh *Shape) column(name string) (c result.Column, ok bool) {
	i := slices.IndexFunc(sh.Columns, func(c result.Column) bool { return c.Name == name })
	if i < 0 {
		return c, false
	}
	return sh.Columns[i], true
}
