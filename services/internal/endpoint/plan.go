package endpoint

import (
	"context"
	"encoding/json"
	"fmt"
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
