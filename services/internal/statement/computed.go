package statement

import "strings"

// picks are the aggregates that return one of a column's values as it is.
var picks = map[string]bool{
	"any_value": true, "arbitrary": true, "first": true, "last": true, "min": true, "max": true, "mode": true,
	"arg_min": true, "arg_max": true, "min_by": true, "max_by": true,
}

// computes records the name of an expression in a select list if it isn't that of the column whose
// value it is, and those that * gives to others.
func (w *walker) computes(e node) {
	name := columnName(e)
	if stringField(e, "class") == "STAR" {
		eachName(e["replace_list"], "key", func(name string) { w.out.Computed[name] = true })
		eachName(e["rename_list"], "value", func(name string) { w.out.Computed[name] = true })
		return
	}
	table, column := pickedColumn(e)
	switch table = w.aliases[table]; {
	case name == "":
	case name != column:
		w.out.Computed[name] = true
	case table != "":
		w.out.Sources[name] = append(w.out.Sources[name], table)
	}
}

// pickedColumn returns the column whose values an expression has, and the table's name in front of
// it; empty if it has others.
func pickedColumn(e node) (table, column string) {
	if stringField(e, "class") == "FUNCTION" && picks[lowerField(e, "function_name")] {
		if args := children(e, "children"); len(args) > 0 {
			e, _ = args[0].(node)
		}
	}
	if stringField(e, "class") != "COLUMN_REF" {
		return "", ""
	}
	names := children(e, "column_names")
	if len(names) > 1 {
		table, _ = names[len(names)-2].(string)
	}
	column, _ = names[len(names)-1].(string)
	return strings.ToLower(table), strings.ToLower(column)
}

// renames records the column names that follow a table's or a CTE's alias: AS t(a, b).
func (w *walker) renames(n node, key string) {
	for _, one := range children(n, key) {
		if name, ok := one.(string); ok {
			w.out.Computed[strings.ToLower(name)] = true
		}
	}
}

// eachName calls fn with the name that each entry of a list has under the key.
func eachName(list any, key string, fn func(name string)) {
	all, _ := list.([]any)
	for _, one := range all {
		if entry, ok := one.(node); ok {
			fn(lowerField(entry, key))
		}
	}
}
