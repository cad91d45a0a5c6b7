package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/result"
)

// Tried is what came of trying an endpoint.
type Tried struct {
	Path string
	Rows int
	Took time.Duration
	Err  error
}

// Try runs every endpoint with the examples of its parameters and looks at its
// plan, as 'estela endpoint check' reports it. It asks more than Check: what would
// only be slow is an error too.
func (s *Server) Try(ctx context.Context) []Tried {
	k := s.catalog.Load()
	tried := make([]Tried, len(k.ordered))
	for i, r := range k.ordered {
		start := time.Now()
		rows, err := s.try(ctx, r)
		tried[i] = Tried{r.path, rows, time.Since(start), err}
	}
	return tried
}

func (s *Server) try(ctx context.Context, r *route) (rows int, err error) {
	args, err := r.examples()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout(s.cfg))
	defer cancel()
	sh, err := s.shape(ctx, r)
	if err != nil {
		return 0, err
	}
	if err := s.inspect(ctx, r, args); err != nil {
		return 0, err
	}
	limit := r.maxRows(s.cfg)
	if len(r.Order) > 0 {
		limit = min(s.cfg.PageRows, limit)
	}
	query, _ := r.pageOf(sh, page{limit: limit + 1})
	err = s.cfg.Reader.Stream(ctx, query, args, func(_ result.Snapshot, answer result.Rows) error {
		return each(answer, func(chunk *result.Chunk) { rows += chunk.Rows })
	})
	switch {
	case ctx.Err() != nil:
		return 0, &ParseError{r.File, r.Line, fmt.Sprintf("ran into its limit of %s", r.timeout(s.cfg)), "make the query cheaper, or raise -- limit: time="}
	case err != nil:
		return 0, fmt.Errorf("%s: run endpoint: %w", r.File, err)
	case rows > limit && len(r.Order) == 0:
		return 0, &ParseError{r.File, r.Line, fmt.Sprintf("answers with more than %d rows in one piece", limit), "add -- order: to page it, aggregate, or raise -- limit: rows="}
	}
	return min(rows, limit), nil
}

func each(rows result.Rows, fn func(*result.Chunk)) error {
	for {
		chunk, err := rows.Next()
		if err != nil || chunk == nil {
			return err
		}
		fn(chunk)
	}
}

// examples are values for the endpoint's parameters.
func (r *route) examples() (map[string]any, error) {
	args := r.defaults()
	for _, p := range r.Params {
		switch {
		case p.Example != nil:
			args[p.Name] = p.Example
		case p.Required && len(p.Enum) > 0:
			args[p.Name], _ = p.parse(p.Enum[0])
		case p.Required:
			return nil, &ParseError{r.File, 0, fmt.Sprintf("the required parameter %s has no example", p.Name), "add example=V to it, a value that shows something"}
		}
	}
	return args, nil
}

// operator is a node of a query's plan, as EXPLAIN (FORMAT json) has it.
type operator struct {
	text string // the whole plan, of its root

	Name     string     `json:"name"`
	Children []operator `json:"children"`
	Info     struct {
		Table   string
		Filters any
	} `json:"extra_info"`
}

// walk visits the operator and all below it.
func (o operator) walk(visit func(operator)) {
	visit(o)
	for _, child := range o.Children {
		child.walk(visit)
	}
}

// inspect refuses a plan whose work grows faster than the answer is worth: every
// row with every row, or all rows of a table in one piece.
func (s *Server) inspect(ctx context.Context, r *route, args map[string]any) error {
	plan, err := s.explain(ctx, r, args)
	if err != nil {
		return fmt.Errorf("%s: explain endpoint: %w", r.File, err)
	}
	errs := []error{s.implied(ctx, r, plan)}
	bounded, table := len(r.Order) > 0, ""
	plan.walk(func(o operator) {
		name := strings.TrimSpace(o.Name)
		switch {
		case slices.Contains([]string{"CROSS_PRODUCT", "BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN"}, name) && o.tables() > 1:
			errs = append(errs, &ParseError{r.File, r.Line, "joins every row of a table with every row of another (" + name + ")", "join on columns that are equal"})
		case strings.Contains(name, "GROUP_BY"), strings.Contains(name, "AGGREGATE"), strings.Contains(name, "LIMIT"), name == "TOP_N":
			bounded = true
		case name == "SEQ_SCAN" && o.Info.Filters == nil:
			table = o.Info.Table
		}
	})
	if !bounded && table != "" {
		errs = append(errs, &ParseError{r.File, r.Line, "answers with every row of " + table + " in one piece", "add -- order: to page it, or a filter, an aggregate or LIMIT"})
	}
	return errors.Join(errs...)
}

// tables is the number of tables read below the operator.
func (o operator) tables() (n int) {
	o.walk(func(o operator) {
		if strings.TrimSpace(o.Name) == "SEQ_SCAN" {
			n++
		}
	})
	return n
}

func (s *Server) explain(ctx context.Context, r *route, args map[string]any) (operator, error) {
	var text strings.Builder
	err := s.cfg.Reader.Stream(ctx, "EXPLAIN (FORMAT json) "+r.typed, args, func(_ result.Snapshot, rows result.Rows) error {
		return each(rows, func(chunk *result.Chunk) {
			for i := range chunk.Rows {
				text.Write(chunk.Vectors[len(chunk.Vectors)-1].Bytes(i))
			}
		})
	})
	if err != nil {
		return operator{}, err
	}
	var plan []operator
	if err := json.Unmarshal([]byte(text.String()), &plan); err != nil {
		return operator{}, fmt.Errorf("read plan: %w", err)
	}
	return operator{text: text.String(), Children: plan}, nil
}
