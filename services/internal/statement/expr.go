package statement

import (
	"fmt"
	"strings"
)

// fixedBytes is what a number, time or truth takes.
const fixedBytes = 16

// value is what the check knows of an expression's values.
type value struct {
	bytes  float64
	rows   bool    // each row has one of its own
	tables float64 // in its subqueries
}

func (v value) plus(o value) value {
	return value{v.bytes + o.bytes, v.rows || o.rows, v.tables + o.tables}
}

func (v value) sized(bytes float64) value { return value{bytes, v.rows, v.tables} }

// sum walks all that is directly inside of n.
func (w *walker) sum(n any, s *scope, skip ...string) (v value) {
	inside(n, skip, func(t tree) {
		r := w.value(t, s)
		v = v.plus(r)
	})
	return v
}

// value is expr for what may be a query or a table as well.
func (w *walker) value(n tree, s *scope) value {
	if n["class"] == nil {
		r := w.visit(n, s)
		return value{r.width, true, r.tables}
	}
	return w.expr(n, s)
}

// charge refuses a value that is too large, for a vector of rows where each has its own.
func (w *walker) charge(place int, what string, v value) value {
	size := v.bytes
	if v.rows {
		size *= vectorRows
	}
	if size > 1<<20 && w.quiet == 0 {
		w.total += size
	}
	switch {
	case size > MaxBytes:
		rows := ""
		if v.rows {
			rows = fmt.Sprintf(" in each of %d rows", vectorRows)
		}
		w.fail(place, fmt.Sprintf("%s can make a value of %.3g bytes%s; %d in all are allowed", what, v.bytes, rows, MaxBytes),
			"lower what sizes it: a constant, least(x, N), or maximum= and pattern= of the parameter")
	case w.total > MaxTotal:
		w.fail(-1, fmt.Sprintf("makes values of %.3g bytes together", w.total), fmt.Sprintf("make fewer or smaller ones: %d bytes are allowed", MaxTotal))
		w.total = 0
	}
	return v
}

// names are columns that DuckDB takes for a function where no column is called so.
var namesOfInstance = map[string]bool{"current_catalog": true, "current_database": true, "current_schema": true, "current_role": true, "current_user": true, "session_user": true}

// expr walks an expression.
func (w *walker) expr(n tree, s *scope) value {
	switch class := word(n, "class"); class {
	case "CONSTANT":
		return value{bytes: constantBytes(sub(n, "value"))}
	case "PARAMETER":
		return value{bytes: max(fixedBytes, w.params[word(n, "identifier")].Bytes)}
	case "COLUMN_REF":
		return w.column(n, s)
	case "LAMBDA": // not as an argument of a function that takes one: json -> path
		return w.sum(n, s)
	case "POSITIONAL_REFERENCE", "DEFAULT":
		return value{s.unit, true, 0}
	case "STAR":
		return w.sum(n, s).plus(value{s.column([]any{""}), true, 0})
	case "FUNCTION", "WINDOW":
		return w.call(n, s)
	case "CAST":
		return w.cast(n, s)
	case "CASE":
		return w.largest(n, s)
	case "OPERATOR":
		return w.operator(n, s)
	case "COMPARISON", "CONJUNCTION", "BETWEEN":
		return w.sum(n, s).sized(fixedBytes)
	case "SUBQUERY":
		v := w.sum(n, s)
		if kind := word(n, "subquery_type"); kind != "SCALAR" {
			return v.sized(fixedBytes)
		}
		return v
	case "COLLATE":
		v := w.sum(n, s)
		return w.charge(at(n), "COLLATE", v.sized(4*v.bytes))
	default:
		w.fail(at(n), "uses what the check does not know: "+class, "write it in another way")
		return w.sum(n, s)
	}
}

func constantBytes(v tree) float64 {
	if text, ok := v["value"].(string); ok {
		return float64(max(fixedBytes, len(text)))
	}
	return fixedBytes
}

func (w *walker) column(n tree, s *scope) value {
	names := list(n, "column_names")
	if len(names) == 0 {
		return value{s.unit, true, 0}
	}
	if name, _ := names[0].(string); len(names) == 1 && namesOfInstance[strings.ToLower(name)] {
		w.fail(at(n), name+" shows the instance and not the data", "leave it out; if it is a column, name its table too")
	}
	if name, _ := names[0].(string); len(names) == 1 && w.shown > 0 && clock[strings.ToLower(name)] {
		w.changes(at(n), name)
	}
	return value{s.column(names), true, 0}
}

// largest is the largest of what is inside.
func (w *walker) largest(n tree, s *scope) (v value) {
	inside(n, nil, func(t tree) {
		o := w.value(t, s)
		v = value{max(v.bytes, o.bytes), v.rows || o.rows, v.tables + o.tables}
	})
	return v
}

func (w *walker) operator(n tree, s *scope) value {
	switch kind := word(n, "type"); kind {
	case "OPERATOR_COALESCE", "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT", "OPERATOR_TRY", "UNPACK", "OPERATOR_UNPACK":
		return w.largest(n, s)
	case "ARRAY_CONSTRUCTOR":
		return w.charge(at(n), "a list", w.sum(n, s))
	case "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "GROUPING_FUNCTION":
		return w.sum(n, s).sized(fixedBytes)
	default:
		w.fail(at(n), "uses an operator that the check does not know: "+kind, "write it in another way")
		return w.sum(n, s)
	}
}

// fixedTypes are those whose values are small.
var fixedTypes = map[string]bool{
	"BOOLEAN": true, "TINYINT": true, "SMALLINT": true, "INTEGER": true, "BIGINT": true, "HUGEINT": true, "UTINYINT": true, "USMALLINT": true,
	"UINTEGER": true, "UBIGINT": true, "UHUGEINT": true, "FLOAT": true, "DOUBLE": true, "DECIMAL": true, "DATE": true, "TIME": true, "TIME_NS": true, "TIMESTAMP": true,
	"TIMESTAMP WITH TIME ZONE": true, "TIMESTAMP_S": true, "TIMESTAMP_MS": true, "TIMESTAMP_NS": true, "TIME WITH TIME ZONE": true, "INTERVAL": true, "UUID": true, "ENUM": true,
}

func (w *walker) cast(n tree, s *scope) value {
	v := w.sum(n, s, "cast_type")
	to := sub(n, "cast_type")
	if size := arraySize(to); size > 1 {
		// DuckDB makes room for a vector of arrays whatever is in them.
		w.charge(at(n), "the cast to an array", value{size * fixedBytes, true, 0})
		v = v.plus(value{bytes: size * fixedBytes})
	}
	switch id := word(to, "id"); {
	case fixedTypes[id]:
		return v.sized(fixedBytes)
	case id == "VARCHAR":
		return v.sized(v.bytes + fixedBytes)
	case id == "BLOB", id == "JSON", named(to) == "json":
		return w.charge(at(n), "the cast", v.sized(4*v.bytes))
	case id == "LIST", id == "ARRAY", id == "STRUCT", id == "MAP", id == "UNION", id == "BIT", id == "VARIANT":
		return w.charge(at(n), "the cast", v.sized(8*v.bytes))
	default: // BIGNUM takes time by the square of its digits
		w.charge(at(n), "the cast", v.sized(v.bytes*v.bytes))
		return v.sized(8 * v.bytes)
	}
}

func named(to tree) string { return lower(sub(to, "type_info"), "name") }

// arraySize is how many elements an array type has in all, 1 if it is none.
func arraySize(v any) float64 {
	switch v := v.(type) {
	case []any:
		size := 1.0
		for _, one := range v {
			size = max(size, arraySize(one))
		}
		return size
	case tree:
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
