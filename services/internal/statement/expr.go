package statement

import (
	"fmt"
	"strings"
)

// fixedBytes is the size of a number, time or boolean.
const fixedBytes = 16

// estimate is the estimated size of an expression's values.
type estimate struct {
	bytes  float64
	rows   bool    // each row has its own
	tables float64 // in its subqueries
}

func (v estimate) add(o estimate) estimate {
	return estimate{v.bytes + o.bytes, v.rows || o.rows, v.tables + o.tables}
}

func (v estimate) withBytes(bytes float64) estimate { return estimate{bytes, v.rows, v.tables} }

// sumChildren adds up the estimates of n's children.
func (w *walker) sumChildren(n any, s *scope, skip ...string) (v estimate) {
	eachChild(n, skip, func(t node) {
		r := w.estimate(t, s)
		v = v.add(r)
	})
	return v
}

// estimate is expr, for queries and tables too.
func (w *walker) estimate(n node, s *scope) estimate {
	if n["class"] == nil {
		r := w.visit(n, s)
		return estimate{r.width, true, r.tables}
	}
	return w.expr(n, s)
}

// checkSize rejects a value that is too large, counted for a vector if each row has its own.
func (w *walker) checkSize(place int, what string, v estimate) estimate {
	size := v.bytes
	if v.rows {
		size *= vectorRows
	}
	if size > 1<<20 && w.probing == 0 {
		w.total += size
	}
	switch {
	case size > MaxBytes:
		rows := ""
		if v.rows {
			rows = fmt.Sprintf(" in each of %d rows", vectorRows)
		}
		w.fault(place, fmt.Sprintf("%s can make a value of %.3g bytes%s; %d in all are allowed", what, v.bytes, rows, MaxBytes),
			"lower what sizes it: a constant, least(x, N), or maximum= and pattern= of the parameter")
	case w.total > MaxTotal:
		w.fault(-1, fmt.Sprintf("makes values of %.3g bytes together", w.total), fmt.Sprintf("make fewer or smaller ones: %d bytes are allowed", MaxTotal))
		w.total = 0
	}
	return v
}

// instanceColumns are column names that DuckDB resolves to functions if there is no such column.
var instanceColumns = map[string]bool{"current_catalog": true, "current_database": true, "current_schema": true, "current_role": true, "current_user": true, "session_user": true}

// expr estimates an expression.
func (w *walker) expr(n node, s *scope) estimate {
	switch class := stringField(n, "class"); class {
	case "CONSTANT":
		return estimate{bytes: constantBytes(child(n, "value"))}
	case "PARAMETER":
		return estimate{bytes: max(fixedBytes, w.params[stringField(n, "identifier")].Bytes)}
	case "COLUMN_REF":
		return w.column(n, s)
	case "LAMBDA": // not as an argument of a function that takes one: json -> path
		return w.sumChildren(n, s)
	case "POSITIONAL_REFERENCE", "DEFAULT":
		return estimate{s.columnBytes, true, 0}
	case "STAR":
		return w.sumChildren(n, s).add(estimate{s.column([]any{""}), true, 0})
	case "FUNCTION", "WINDOW":
		return w.call(n, s)
	case "CAST":
		return w.cast(n, s)
	case "CASE":
		return w.maxOfChildren(n, s)
	case "OPERATOR":
		return w.operator(n, s)
	case "COMPARISON", "CONJUNCTION", "BETWEEN":
		return w.sumChildren(n, s).withBytes(fixedBytes)
	case "SUBQUERY":
		v := w.sumChildren(n, s)
		if kind := stringField(n, "subquery_type"); kind != "SCALAR" {
			return v.withBytes(fixedBytes)
		}
		return v
	case "COLLATE":
		v := w.sumChildren(n, s)
		return w.checkSize(location(n), "COLLATE", v.withBytes(4*v.bytes))
	default:
		w.fault(location(n), "uses what the check does not know: "+class, "write it in another way")
		return w.sumChildren(n, s)
	}
}

func constantBytes(v node) float64 {
	if text, ok := v["value"].(string); ok {
		return float64(max(fixedBytes, len(text)))
	}
	return fixedBytes
}

func (w *walker) column(n node, s *scope) estimate {
	names := children(n, "column_names")
	if len(names) == 0 {
		return estimate{s.columnBytes, true, 0}
	}
	if name, _ := names[0].(string); len(names) == 1 && instanceColumns[strings.ToLower(name)] {
		w.fault(location(n), name+" shows the instance and not the data", "leave it out; if it is a column, name its table too")
	}
	if name, _ := names[0].(string); len(names) == 1 && w.selectDepth > 0 && clockFunctions[strings.ToLower(name)] {
		w.nondeterministic(location(n), name)
	}
	return estimate{s.column(names), true, 0}
}

// maxOfChildren is the largest estimate of n's children.
func (w *walker) maxOfChildren(n node, s *scope) (v estimate) {
	eachChild(n, nil, func(t node) {
		o := w.estimate(t, s)
		v = estimate{max(v.bytes, o.bytes), v.rows || o.rows, v.tables + o.tables}
	})
	return v
}

func (w *walker) operator(n node, s *scope) estimate {
	switch kind := stringField(n, "type"); kind {
	case "OPERATOR_COALESCE", "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT", "OPERATOR_TRY", "UNPACK", "OPERATOR_UNPACK":
		return w.maxOfChildren(n, s)
	case "ARRAY_CONSTRUCTOR":
		return w.checkSize(location(n), "a list", w.sumChildren(n, s))
	case "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "GROUPING_FUNCTION":
		return w.sumChildren(n, s).withBytes(fixedBytes)
	default:
		w.fault(location(n), "uses an operator that the check does not know: "+kind, "write it in another way")
		return w.sumChildren(n, s)
	}
}

// fixedTypes are the types with values of fixedBytes.
var fixedTypes = map[string]bool{
	"BOOLEAN": true, "TINYINT": true, "SMALLINT": true, "INTEGER": true, "BIGINT": true, "HUGEINT": true, "UTINYINT": true, "USMALLINT": true,
	"UINTEGER": true, "UBIGINT": true, "UHUGEINT": true, "FLOAT": true, "DOUBLE": true, "DECIMAL": true, "DATE": true, "TIME": true, "TIME_NS": true, "TIMESTAMP": true,
	"TIMESTAMP WITH TIME ZONE": true, "TIMESTAMP_S": true, "TIMESTAMP_MS": true, "TIMESTAMP_NS": true, "TIME WITH TIME ZONE": true, "INTERVAL": true, "UUID": true, "ENUM": true,
}

func (w *walker) cast(n node, s *scope) estimate {
	v := w.sumChildren(n, s, "cast_type")
	to := child(n, "cast_type")
	if size := arraySize(to); size > 1 {
		// DuckDB allocates a vector of arrays even for NULLs.
		w.checkSize(location(n), "the cast to an array", estimate{size * fixedBytes, true, 0})
		v = v.add(estimate{bytes: size * fixedBytes})
	}
	switch id := stringField(to, "id"); {
	case fixedTypes[id]:
		return v.withBytes(fixedBytes)
	case id == "VARCHAR":
		return v.withBytes(v.bytes + fixedBytes)
	case id == "BLOB", id == "JSON", typeName(to) == "json":
		return w.checkSize(location(n), "the cast", v.withBytes(4*v.bytes))
	case id == "LIST", id == "ARRAY", id == "STRUCT", id == "MAP", id == "UNION", id == "BIT", id == "VARIANT":
		return w.checkSize(location(n), "the cast", v.withBytes(8*v.bytes))
	default: // BIGNUM's time grows with the square of its digits
		w.checkSize(location(n), "the cast", v.withBytes(v.bytes*v.bytes))
		return v.withBytes(8 * v.bytes)
	}
}

func typeName(to node) string { return lowerField(child(to, "type_info"), "name") }

// arraySize is the number of elements of an array type with nested ones, 1 for other types.
func arraySize(v any) float64 {
	switch v := v.(type) {
	case []any:
		size := 1.0
		for _, one := range v {
			size = max(size, arraySize(one))
		}
		return size
	case node:
		size := 1.0
		for _, one := range v {
			size = max(size, arraySize(one))
		}
		if n, ok := v["size"].(float64); ok && n > 0 {
			size *= n
		}
		return size
	default:
		return 1
	}
}
