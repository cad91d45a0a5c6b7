package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/result"
)

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

// tables is the number of tables read below the operator.
func (o operator) tables() (n int) {
	o.walk(func(o operator) {
		if strings.TrimSpace(o.Name) == "SEQ_SCAN" {
			n++
		}
	})
	return n
}

// explain is the plan of the endpoint's query.
func (c *Checker) explain(ctx context.Context, e *Endpoint, args map[string]any) (operator, error) {
	var text strings.Builder
	err := c.reader.Stream(ctx, "EXPLAIN (FORMAT json) "+e.typed, args, func(_ result.Snapshot, rows result.Rows) error {
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

// impliedCast is how a plan shows a column that DuckDB reads as a number.
var impliedCast = regexp.MustCompile(`CAST\((?:\\")?(\w+)(?:\\")? AS (?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))\)`)

// implied refuses an endpoint that takes text of a reference table for a number without
// saying so: DuckDB does where it is equal to a number, and 007 is then 7, and other text
// fails the request.
func (c *Checker) implied(ctx context.Context, e *Endpoint, plan operator) error {
	found := impliedCast.FindAllStringSubmatch(plan.text, -1)
	if len(found) == 0 {
		return nil
	}
	text, err := c.referenceTexts(ctx)
	if err != nil {
		return err
	}
	for _, match := range found {
		name := match[1]
		if slices.Contains(text, name) && !c.casts(e, name) {
			return e.fault(e.Line, "takes the text of "+name+", a column of a reference table, for a number", fmt.Sprintf("compare it with text, or cast: CAST(%s AS BIGINT), or give the column a type in its file's header, %s:integer", name, name))
		}
	}
	return nil
}

// referenceTexts are the columns of text in the reference tables whose names no other table has
// for something else.
func (c *Checker) referenceTexts(ctx context.Context) (names []string, err error) {
	others := map[string]bool{}
	for _, d := range c.datasets {
		for _, column := range d.Columns {
			others[column.Name] = true
		}
		for _, table := range d.Tables {
			columns, err := c.reader.Describe(ctx, "FROM "+quoteName(table), nil)
			if err != nil {
				return nil, fmt.Errorf("describe reference table %s: %w", table, err)
			}
			for _, column := range columns {
				if column.Type == "VARCHAR" {
					names = append(names, column.Name)
				} else {
					others[column.Name] = true
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return others[name] }), nil
}

// casts reports whether the endpoint, or a view that it may use, casts the column itself.
func (c *Checker) casts(e *Endpoint, name string) bool {
	var sql strings.Builder
	sql.WriteString(e.SQL)
	for _, d := range c.datasets {
		sql.WriteString("\n" + d.Views)
	}
	explicit := regexp.MustCompile(`(?is)cast\s*\([^()]*\b` + name + `"?\s+as\b|\b` + name + `"?\s*::`)
	return explicit.MatchString(sql.String())
}
