package statement

import (
	"maps"
	"slices"
	"strings"
)

// tree is a node of the parse.
type tree = map[string]any

func sub(n tree, key string) tree {
	child, _ := n[key].(tree)
	return child
}

func list(n tree, key string) []any {
	all, _ := n[key].([]any)
	return all
}

func word(n tree, key string) string {
	text, _ := n[key].(string)
	return text
}

func lower(n tree, key string) string { return strings.ToLower(word(n, key)) }

// at is the byte of the statement that the node stands at, -1 if unknown.
func at(n tree) int {
	if place, ok := n["query_location"].(float64); ok {
		return int(place)
	}
	return -1
}

// inside calls visit for each expression, query and table directly below v, through
// whatever holds them: nothing of the parse is passed over because it is new.
func inside(v any, skip []string, visit func(tree)) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			below(one, visit)
		}
	case tree:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if !slices.Contains(skip, key) {
				below(v[key], visit)
			}
		}
	}
}

func below(v any, visit func(tree)) {
	n, ok := v.(tree)
	if !ok {
		inside(v, nil, visit)
		return
	}
	if _, isExpr := n["class"]; isExpr || queries[word(n, "type")] || references[word(n, "type")] {
		visit(n)
		return
	}
	inside(n, nil, visit)
}

// queries and references are the types of nodes that are no expressions.
var (
	queries    = map[string]bool{"SELECT_NODE": true, "SET_OPERATION_NODE": true, "RECURSIVE_CTE_NODE": true, "CTE_NODE": true}
	references = map[string]bool{
		"BASE_TABLE": true, "SUBQUERY": true, "JOIN": true, "TABLE_FUNCTION": true, "EXPRESSION_LIST": true, "EMPTY": true,
		"PIVOT": true, "SHOW_REF": true, "COLUMN_DATA": true, "DELIM_GET": true, "BOUND_TABLE_REF": true, "CTE": true,
	}
)
