package endpoint

import (
	"context"
	"fmt"

	"github.com/estela-dev/estela/services/internal/result"
)

// Try runs the endpoint with the examples of its parameters, checks its plan, and returns the
// number of rows. Unlike Shape it rejects slow queries too. limit has the rows of a page, or of an
// answer without pages, and the query's time.
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
	if err := c.checkPlan(ctx, e, args); err != nil {
		return 0, err
	}
	query, _ := e.Query(sh, Page{Limit: limit.Rows + 1})
	err = c.reader.Stream(ctx, query, args, func(_ result.Snapshot, answer result.Rows) error {
		return eachChunk(answer, func(chunk *result.Chunk) { rows += chunk.Rows })
	})
	switch {
	case ctx.Err() != nil:
		return 0, e.parseError(e.Line, fmt.Sprintf("ran into its limit of %s", limit.Time), "make the query cheaper, or raise -- limit: time=")
	case err != nil:
		return 0, fmt.Errorf("%s: run endpoint: %w", e.File, err)
	case rows > limit.Rows && len(e.Order) == 0:
		return 0, e.parseError(e.Line, fmt.Sprintf("answers with more than %d rows in one piece", limit.Rows), "add -- order: to page it, aggregate, or raise -- limit: rows=")
	}
	return min(rows, limit.Rows), nil
}

// examples returns a value for each parameter.
func (e *Endpoint) examples() (map[string]any, error) {
	args := e.Defaults()
	for _, p := range e.Params {
		switch {
		case p.Example != nil:
			args[p.Name] = p.Example
		case p.Required && len(p.Enum) > 0:
			args[p.Name], _ = p.parse(p.Enum[0])
		case p.Required:
			return nil, e.parseError(0, fmt.Sprintf("the required parameter %s has no example", p.Name), "add example=V to it, a value that shows something")
		}
	}
	return args, nil
}
