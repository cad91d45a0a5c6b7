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

// Shape is the columns of an endpoint's answer, as the warehouse describes them.
type Shape struct {
	// Columns are the answer's.
	Columns []Column

	order []orderColumn
}

// tieColumn is the column that orders rows with equal keys.
const tieColumn = `"estela tie"`

// orderColumn is a column of the order, quoted, and the SQL type of its values.
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

// keyTypes matches the types whose values keep their order through a round trip as text.
var keyTypes = regexp.MustCompile(`^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BOOLEAN|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|UUID|DATE|TIME|TIMESTAMP(TZ|_S|_MS|_NS)?)$`)

// sqlError matches DuckDB's errors that the author of a statement can fix.
var sqlError = regexp.MustCompile(`\b(?:Parser|Binder|Catalog|Conversion|Invalid Input|Not implemented|Out of Range|Mismatch Type) Error: `)

// Describer describes the columns of a query's answer.
type Describer interface {
	// Describe returns the columns of the answer to a query with named parameters ($name),
	// without running it.
	Describe(ctx context.Context, query string, args map[string]any) ([]result.Column, error)
}

// describe returns the shape of the answer, as vetted allows and documents it.
func (e *Endpoint) describe(ctx context.Context, from Describer, v vetted) (*Shape, error) {
	columns, err := from.Describe(ctx, e.castSQL, e.Defaults())
	switch {
	case err != nil && (ctx.Err() != nil || !sqlError.MatchString(err.Error())):
		return nil, fmt.Errorf("%s: prepare endpoint: %w", e.File, err)
	case err != nil:
		// Describe puts one line before it.
		return nil, source{e.File, e.SQL, e.Line, 0}.translateError(err, 2)
	}
	sh := &Shape{}
	for _, c := range columns {
		if !v.hidden[strings.ToLower(c.Name)] {
			sh.Columns = append(sh.Columns, Column{Column: c})
		}
	}
	if len(e.Order) > 0 && slices.ContainsFunc(columns, func(c result.Column) bool { return strings.EqualFold(quoteName(c.Name), tieColumn) }) {
		return nil, e.parseError(e.Line, "answers with a column "+tieColumn+", which is what pages call one of their own", "give it another name")
	}
	if len(sh.Columns) == 0 {
		return nil, e.parseError(e.Line, "answers with system columns only, which * does not give", "name the columns")
	}
	return sh, errors.Join(e.resolveColumns(sh), e.document(sh, v.inherited))
}

// QueryError returns the *ParseError of a query that DuckDB could not run for its SQL or the values that it met, nil
// for other errors.
func (e *Endpoint) QueryError(err error) error {
	if err == nil || !sqlError.MatchString(err.Error()) {
		return nil
	}
	return source{e.File, e.SQL, e.Line, 0}.translateError(err, 2) // Query puts one line before it
}

// resolveColumns finds the columns that the header names among those of the answer.
func (e *Endpoint) resolveColumns(sh *Shape) error {
	var errs []error
	for _, o := range e.Order {
		c, ok := sh.column(o.Column)
		if !ok {
			errs = append(errs, e.noColumn(e.orderLine, "order", o.Column, sh))
		} else if !keyTypes.MatchString(c.Type) {
			errs = append(errs, e.parseError(e.orderLine, fmt.Sprintf("order names %s, whose type %s can't be in a cursor", o.Column, c.Type), "cast it to another type in the SQL"))
		}
		sh.order = append(sh.order, orderColumn{"page." + quoteName(o.Column), c.Type, o.Desc})
	}
	return errors.Join(append(errs, e.checkChart(sh)...)...)
}

func (e *Endpoint) noColumn(line int, directive, name string, sh *Shape) error {
	names := make([]string, len(sh.Columns))
	for i, c := range sh.Columns {
		names[i] = c.Name
	}
	return e.parseError(line, fmt.Sprintf("%s names the column %s, which the answer does not have", directive, name), "its columns are "+strings.Join(names, ", "))
}

func (sh *Shape) column(name string) (c Column, ok bool) {
	i := sh.index(name)
	if i < 0 {
		return c, false
	}
	return sh.Columns[i], true
}

// index returns the place of the column of that name, -1 without one.
func (sh *Shape) index(name string) int {
	return slices.IndexFunc(sh.Columns, func(c Column) bool { return c.Name == name })
}
