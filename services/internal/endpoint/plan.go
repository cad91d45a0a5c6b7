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

// planNode is a node of a query's plan, as EXPLAIN (FORMAT json) prints it.
type planNode struct {
	text string // the whole plan; of the root only

	Name     string     `json:"name"`
	Children []planNode `json:"children"`
	Info     struct {
		Table   string
		Filters any
	} `json:"extra_info"`
}

// walk visits the node and its descendants.
func (o planNode) walk(visit func(planNode)) {
	visit(o)
	for _, child := range o.Children {
		child.walk(visit)
	}
}

// tables returns the number of table scans below the node.
func (o planNode) tables() (n int) {
	o.walk(func(o planNode) {
		if strings.TrimSpace(o.Name) == "SEQ_SCAN" {
			n++
		}
	})
	return n
}

// explain returns the plan of the endpoint's query.
func (c *Checker) explain(ctx context.Context, e *Endpoint, args map[string]any) (planNode, error) {
	var text strings.Builder
	err := c.reader.Stream(ctx, "EXPLAIN (FORMAT json) "+e.castSQL, args, func(_ result.Snapshot, rows result.Rows) error {
		return eachChunk(rows, func(chunk *result.Chunk) {
			for i := range chunk.Rows {
				text.Write(chunk.Vectors[len(chunk.Vectors)-1].Bytes(i))
			}
		})
	})
	if err != nil {
		return planNode{}, err
	}
	var plan []planNode
	if err := json.Unmarshal([]byte(text.String()), &plan); err != nil {
		return planNode{}, fmt.Errorf("read plan: %w", err)
	}
	return planNode{text: text.String(), Children: plan}, nil
}

// checkPlan rejects plans that don't scale: joins of every row with every row, and unbounded answers
// with all rows of a table.
func (c *Checker) checkPlan(ctx context.Context, e *Endpoint, args map[string]any) error {
	plan, err := c.explain(ctx, e, args)
	if err != nil {
		return fmt.Errorf("%s: explain endpoint: %w", e.File, err)
	}
	errs := []error{c.checkImplicitCasts(ctx, e, plan)}
	bounded, table := len(e.Order) > 0, ""
	plan.walk(func(o planNode) {
		name := strings.TrimSpace(o.Name)
		switch {
		case slices.Contains([]string{"CROSS_PRODUCT", "BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN"}, name) && o.tables() > 1:
			errs = append(errs, e.parseError(e.Line, "joins every row of a table with every row of another ("+name+")", "join on columns that are equal"))
		case strings.Contains(name, "GROUP_BY"), strings.Contains(name, "AGGREGATE"), strings.Contains(name, "LIMIT"), name == "TOP_N":
			bounded = true
		case name == "SEQ_SCAN" && o.Info.Filters == nil:
			table = o.Info.Table
		}
	})
	if !bounded && table != "" {
		errs = append(errs, e.parseError(e.Line, "answers with every row of "+table+" in one piece", "add -- order: to page it, or a filter, an aggregate or LIMIT"))
	}
	return errors.Join(errs...)
}

// implicitCast matches a column that the plan casts to a number.
var implicitCast = regexp.MustCompile(`CAST\((?:\\")?(\w+)(?:\\")? AS (?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\))\)`)

// checkImplicitCasts rejects implicit casts of a reference table's text to a number, which DuckDB adds
// where the two are compared: 007 would equal 7, and other text would fail the request.
func (c *Checker) checkImplicitCasts(ctx context.Context, e *Endpoint, plan planNode) error {
	found := implicitCast.FindAllStringSubmatch(plan.text, -1)
	if len(found) == 0 {
		return nil
	}
	text, err := c.referenceTextColumns(ctx)
	if err != nil {
		return err
	}
	for _, match := range found {
		name := match[1]
		if slices.Contains(text, name) && !c.hasExplicitCast(e, name) {
			return e.parseError(e.Line, "takes the text of "+name+", a column of a reference table, for a number", fmt.Sprintf("compare it with text, or cast: CAST(%s AS BIGINT), or give the column a type in its file's header, %s:integer", name, name))
		}
	}
	return nil
}

// referenceTextColumns returns the text columns of the reference tables whose names no table has with
// another type.
func (c *Checker) referenceTextColumns(ctx context.Context) (names []string, err error) {
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

// hasExplicitCast reports whether the SQL of the endpoint or of any view casts the column.
func (c *Checker) hasExplicitCast(e *Endpoint, name string) bool {
	var sql strings.Builder
	sql.WriteString(e.SQL)
	for _, d := range c.datasets {
		sql.WriteString("\n" + d.Views)
	}
	explicit := regexp.MustCompile(`(?is)cast\s*\([^()]*\b` + name + `"?\s+as\b|\b` + name + `"?\s*::`)
	return explicit.MatchString(sql.String())
}
