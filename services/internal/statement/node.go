package statement

import (
	"maps"
	"slices"
	"strings"
)

// node is a node of the syntax tree.
type node = map[string]any

func child(n node, key string) node {
	child, _ := n[key].(node)
	return child
}

func children(n node, key string) []any {
	all, _ := n[key].([]any)
	return all
}

func stringField(n node, key string) string {
	text, _ := n[key].(string)
	return text
}

func lowerField(n node, key string) string { return strings.ToLower(stringField(n, key)) }

// location returns the node's byte in the statement, -1 if unknown.
func location(n node) int {
	if place, ok := n["query_location"].(float64); ok {
		return int(place)
	}
	return -1
}

// eachChild calls visit for each nearest expression, query and table below v, through nodes of any
// other kind, so that nothing of a newer DuckDB's tree is skipped.
func eachChild(v any, skip []string, visit func(node)) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			descend(one, visit)
		}
	case node:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !slices.Contains(skip, key) {
				descend(v[key], visit)
			}
		}
	}
}

func descend(v any, visit func(node)) {
	n, ok := v.(node)
	if !ok {
		eachChild(v, nil, visit)
		return
	}
	if _, isExpr := n["class"]; isExpr || queryTypes[stringField(n, "type")] || tableTypes[stringField(n, "type")] {
		visit(n)
		return
	}
	eachChild(n, nil, visit)
}

// queryTypes and tableTypes are the types of nodes that are not expressions.
var (
	queryTypes = map[string]bool{"SELECT_NODE": true, "SET_OPERATION_NODE": true, "RECURSIVE_CTE_NODE": true, "CTE_NODE": true}
	tableTypes = map[string]bool{
		"BASE_TABLE": true, "SUBQUERY": true, "JOIN": true, "TABLE_FUNCTION": true, "EXPRESSION_LIST": true, "EMPTY": true,
		"PIVOT": true, "SHOW_REF": true, "COLUMN_DATA": true, "DELIM_GET": true, "BOUND_TABLE_REF": true, "CTE": true,
	}
)
