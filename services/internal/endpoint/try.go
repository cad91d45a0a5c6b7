package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

// Try runs the endpoint of that dataset with the examples of its parameters, checks its plan,
// and returns the number of rows. It asks more than Shape: what would only be slow is an error
// too. The limit's rows are those of a page or of an answer in one piece; its time ends the query.
func (c *Checker) Try(ctx context.Context, dataset string, e *Endpoint, limit Limit) (rows int, err error) {
	args, err := e.examples()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit.Time)
	defer cancel()
	sh, err := c.Shape(ctx, dataset, e)
	if err != nil {
		return 0, err
	}
	if err := c.inspect(ctx, e, args); err != nil {
		return 0, err
	}
	query, _ := e.Query(sh, Page{Limit: limit.Rows + 1})
	err = c.reader.Stream(ctx, query, args, func(_ result.Snapshot, answer result.Rows) error {
		return each(answer, func(chunk *result.Chunk) { rows += chunk.Rows })
	})
	switch {
	case ctx.Err() != nil:
		return 0, e.fault(e.Line, fmt.Sprintf("ran into its limit of %s", limit.Time), "make the query cheaper, or raise -- limit: time=")
	case err != nil:
		return 0, fmt.Errorf("%s: run endpoint: %w", e.File, err)
	case rows > limit.Rows && len(e.Order) == 0:
		return 0, e.fault(e.Line, fmt.Sprintf("answers with more than %d rows in one piece", limit.Rows), "add -- order: to page it, aggregate, or raise -- limit: rows=")
	}
	return min(rows, limit.Rows), nil
}

// examples are values for the endpoint's parameters.
func (e *Endpoint) examples() (map[string]any, error) {
	args := e.Defaults()
	for _, p := range e.Params {
		switch {
		case p.Example != nil:
			args[p.Name] = p.Example
		case p.Required && len(p.Enum) > 0:
			args[p.Name], _ = p.parse(p.Enum[0])
		case p.Required:
			return nil, e.fault(0, fmt.Sprintf("the required parameter %s has no example", p.Name), "add example=V to it, a value that shows something")
		}
	}
	return args, nil
}

// inspect refuses a plan whose work grows faster than the answer is worth: every
// row with every row, or all rows of a table in one piece.
func (c *Checker) inspect(ctx context.Context, e *Endpoint, args map[string]any) error {
	plan, err := c.explain(ctx, e, args)
	if err != nil {
		return fmt.Errorf("%s: explain endpoint: %w", e.File, err)
	}
	errs := []error{c.implied(ctx, e, plan)}
	bounded, table := len(e.Order) > 0, ""
	plan.walk(func(o operator) {
		name := strings.TrimSpace(o.Name)
		switch {
		case slices.Contains([]string{"CROSS_PRODUCT", "BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN"}, name) && o.tables() > 1:
			errs = append(errs, e.fault(e.Line, "joins every row of a table with every row of another ("+name+")", "join on columns that are equal"))
		case strings.Contains(name, "GROUP_BY"), strings.Contains(name, "AGGREGATE"), strings.Contains(name, "LIMIT"), name == "TOP_N":
			bounded = true
		case name == "SEQ_SCAN" && o.Info.Filters == nil:
			table = o.Info.Table
		}
	})
	if !bounded && table != "" {
		errs = append(errs, e.fault(e.Line, "answers with every row of "+table+" in one piece", "add -- order: to page it, or a filter, an aggregate or LIMIT"))
	}
	return errors.Join(errs...)
}
