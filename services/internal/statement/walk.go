package statement

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// relation is the estimated size of a query or table.
type relation struct {
	width   float64 // of its largest column, in bytes
	columns float64
	tables  float64 // planned for it
	// star is the table all of whose columns it has by *, empty if none.
	star string
}

// scope resolves names.
type scope struct {
	outer *scope
	ctes  map[string]relation
	// columnBytes is the size of a column here, tableBytes that of a table's columns.
	columnBytes float64
	tableBytes  map[string]float64
	// lambdas are the sizes of the lambdas' parameters.
	lambdas map[string]float64
}

func (s *scope) cte(name string) (relation, bool) {
	for ; s != nil; s = s.outer {
		if r, ok := s.ctes[name]; ok {
			return r, true
		}
	}
	return relation{}, false
}

// column returns the size of a column, the largest that the name may refer to.
func (s *scope) column(names []any) float64 {
	first, _ := names[0].(string)
	first = strings.ToLower(first)
	for o := s; o != nil; o = o.outer {
		if size, ok := o.lambdas[first]; ok {
			return size
		}
		if size, ok := o.tableBytes[first]; ok && len(names) > 1 {
			return size
		}
	}
	size := float64(fixedBytes)
	for o := s; o != nil; o = o.outer {
		size = max(size, o.columnBytes)
	}
	return size
}

// walker walks a syntax tree.
type walker struct {
	out    *Statement
	params map[string]Param
	views  map[string]*Statement
	// aliases are the tables of the names that stand in front of columns.
	aliases map[string]string
	total   float64
	// probing is above 0 while a part is walked with probing sizes: nothing is reported.
	probing int
	// depth is the nesting of lambdas and recursive queries, each of which is walked several
	// times.
	depth int
	// selectDepth is above 0 in a select list.
	selectDepth int
}

const maxDepth = 8

func (w *walker) tooDeep(place int) {
	w.fault(place, "has lambdas or recursive queries nested too deeply", fmt.Sprintf("nest at most %d", maxDepth))
}

func (w *walker) fault(place int, reason, fix string) {
	same := func(f *FaultError) bool { return f.At == place && f.Reason == reason }
	if w.probing == 0 && !slices.ContainsFunc(w.out.Faults, same) {
		w.out.Faults = append(w.out.Faults, &FaultError{place, reason, fix})
	}
}

// query estimates a query.
func (w *walker) query(n node, outer *scope) relation {
	s := &scope{outer: outer, ctes: map[string]relation{}, tableBytes: map[string]float64{}}
	for _, one := range children(child(n, "cte_map"), "map") {
		if entry, ok := one.(node); ok {
			value := child(entry, "value")
			r := w.query(child(child(value, "query"), "node"), s)
			eachChild(value, []string{"query"}, func(t node) { w.visit(t, s) })
			w.renames(value, "aliases")
			s.ctes[lowerField(entry, "key")] = r
		}
	}
	var r relation
	switch stringField(n, "type") {
	case "SELECT_NODE":
		r = w.selectNode(n, s)
	case "SET_OPERATION_NODE":
		eachChild(n, []string{"cte_map", "modifiers"}, func(t node) { r = r.join(w.visit(t, s)) })
		r.columns /= 2
		if all, ok := n["setop_all"].(bool); ok && !all { // true is the default, which is not serialized
			w.comparesAllColumns(stringField(n, "setop_type")+" without ALL", r.star)
		}
		s.columnBytes = r.width
		eachChild(n["modifiers"], nil, func(t node) { w.visit(t, s) })
	case "RECURSIVE_CTE_NODE":
		r = w.recursion(n, s)
	default:
		w.fault(-1, "has a query of a kind that the check does not know: "+stringField(n, "type"), "write it as SELECT")
	}
	if r.columns > maxColumns {
		w.fault(-1, "answers with too many columns, for * stands on * again and again", "name the columns")
	}
	if r.tables > maxTables {
		w.fault(-1, fmt.Sprintf("reads more than %d tables, for its parts use each other again and again", maxTables), "join less, or write WITH … AS MATERIALIZED")
	}
	r.columns, r.tables = min(r.columns, 2*maxColumns), min(r.tables, 2*maxTables)
	return r
}

func (r relation) join(o relation) relation {
	return relation{max(r.width, o.width), r.columns + o.columns, r.tables + o.tables, cmp.Or(r.star, o.star)}
}

// comparesAllColumns records that rows are compared by all columns of a table.
func (w *walker) comparesAllColumns(what, table string) {
	if table != "" && w.probing == 0 {
		w.out.Stars = append(w.out.Stars, Star{what, table})
	}
}

func (w *walker) selectNode(n node, s *scope) relation {
	from := w.from(child(n, "from_table"), s)
	s.columnBytes = max(s.columnBytes, from.width)
	r := relation{width: fixedBytes, tables: from.tables + 1}
	for _, one := range children(n, "select_list") {
		e, _ := one.(node)
		w.out.ColumnNames[columnName(e)] = true
		w.computes(e)
		w.selectDepth++
		v := w.expr(e, s)
		w.selectDepth--
		r.width, r.tables = max(r.width, v.bytes), r.tables+v.tables
		if stringField(e, "class") == "STAR" {
			r.columns += from.columns
			if !excludesSystem(e) {
				r.star = from.star
			}
		} else {
			r.columns++
		}
		// An alias may be used in place of a table's column.
		s.columnBytes = max(s.columnBytes, v.bytes)
	}
	for _, one := range children(n, "modifiers") {
		if m, _ := one.(node); stringField(m, "type") == "DISTINCT_MODIFIER" && len(children(m, "distinct_on_targets")) == 0 {
			w.comparesAllColumns("SELECT DISTINCT *", r.star)
		}
	}
	if stringField(n, "aggregate_handling") == "FORCE_AGGREGATES" {
		w.comparesAllColumns("GROUP BY ALL over *", r.star)
	}
	if sample := child(n, "sample"); sample != nil {
		w.sample(sample)
		w.nondeterministic(-1, "USING SAMPLE")
	}
	shown := w.selectDepth
	w.selectDepth = 0
	eachChild(n, []string{"cte_map", "from_table", "select_list", "sample"}, func(t node) { r.tables += w.visit(t, s).tables })
	w.selectDepth = shown
	return r
}

// excludesSystem reports whether a * excludes a column that begins with an underscore, as only
// system columns do.
func excludesSystem(star node) bool {
	return slices.ContainsFunc(children(star, "exclude_list"), func(one any) bool {
		name, _ := one.(string)
		return strings.HasPrefix(name, "_")
	})
}

// clockFunctions are the functions and names with the time of the query, randomFunctions those
// that differ from row to row.
var (
	clockFunctions = map[string]bool{
		"now": true, "today": true, "ago": true, "get_current_timestamp": true, "get_current_time": true, "current_date": true, "current_time": true, "current_timestamp": true,
		"current_localtime": true, "current_localtimestamp": true, "localtime": true, "localtimestamp": true, "transaction_timestamp": true,
	}
	randomFunctions = map[string]bool{"random": true, "uuid": true, "gen_random_uuid": true, "uuidv4": true, "uuidv7": true, "reservoir_quantile": true}
)

// nondeterministic records a value that differs from query to query.
func (w *walker) nondeterministic(place int, name string) {
	w.out.Nondeterministic = append(w.out.Nondeterministic, &FaultError{
		place, name + " makes the answer another for each page, so that rows would be left out or come twice",
		"leave it out, or use it in WHERE only if it gives the time; without -- order: the answer comes in one piece",
	})
}

// columnName returns the name of an expression in a select list, empty if it has none.
func columnName(e node) string {
	if alias := lowerField(e, "alias"); alias != "" || stringField(e, "class") != "COLUMN_REF" {
		return alias
	}
	names := children(e, "column_names")
	if len(names) == 0 {
		return ""
	}
	last, _ := names[len(names)-1].(string)
	return strings.ToLower(last)
}

// sample bounds the rows of USING SAMPLE, which DuckDB allocates at once.
func (w *walker) sample(n node) {
	size, _ := child(n, "sample_size")["value"].(float64)
	if percentage, _ := n["is_percentage"].(bool); !percentage && size > maxSample {
		w.fault(-1, fmt.Sprintf("samples %.0f rows", size), fmt.Sprintf("sample at most %d, or a percentage", maxSample))
	}
}

// recursion checks a recursive CTE. An iteration may add to a value, not multiply it: its size
// would grow without a bound.
func (w *walker) recursion(n node, s *scope) relation {
	left := w.query(child(n, "left"), s)
	name := lowerField(n, "cte_name")
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > maxDepth {
		w.tooDeep(-1)
		return left
	}
	round := func(width float64) relation {
		s.ctes[name] = relation{width, left.columns, 1, left.star}
		return w.query(child(n, "right"), s)
	}
	const probe = 1 << 20
	w.probing++
	growth := (round(2*probe).width - round(probe).width) / probe
	w.probing--
	if growth > 1.01 {
		w.fault(-1, "the recursive query "+name+" makes a text or list several times as large with each round",
			"add to it only; name the table of each column (r.path || t.name) and cast sums of columns (CAST(a + b AS BIGINT))")
	}
	right := round(max(left.width, gatheredBytes))
	eachChild(n["key_targets"], nil, func(t node) { w.visit(t, s) })
	if growth > 0.01 {
		left.width = max(left.width, gatheredBytes)
	}
	return relation{max(left.width, min(right.width, math.MaxFloat32)), left.columns, left.tables + right.tables, left.star}
}

// visit walks an expression, a query or a table.
func (w *walker) visit(n node, s *scope) relation {
	switch kind := stringField(n, "type"); {
	case n["class"] != nil:
		v := w.expr(n, s)
		return relation{v.bytes, 1, v.tables, ""}
	case queryTypes[kind]:
		return w.query(n, s)
	default:
		return w.from(n, s)
	}
}

// from walks what follows FROM.
func (w *walker) from(n node, s *scope) (r relation) {
	w.renames(n, "column_name_alias")
	names := []string{lowerField(n, "alias")}
	switch kind := stringField(n, "type"); kind {
	case "", "EMPTY":
		return relation{}
	case "BASE_TABLE":
		r = w.table(n, s)
		names = append(names, lowerField(n, "table_name"))
		w.aliases[cmp.Or(names...)] = lowerField(n, "table_name")
		eachChild(n, nil, func(t node) { w.visit(t, s) })
	case "SUBQUERY":
		r = w.query(child(child(n, "subquery"), "node"), s)
	case "TABLE_FUNCTION":
		r = w.tableFunction(child(n, "function"), s)
		names = append(names, lowerField(child(n, "function"), "function_name"))
	case "JOIN", "EXPRESSION_LIST", "PIVOT":
		// A lateral part sees the tables before it.
		stars := 0
		eachChild(n, nil, func(t node) {
			o := w.visit(t, s)
			r = r.join(o)
			s.columnBytes = max(s.columnBytes, o.width)
			if o.star != "" {
				stars++
			}
		})
		if stringField(n, "ref_type") == "NATURAL" && stars > 1 {
			w.comparesAllColumns("NATURAL JOIN", r.star)
		}
		if kind == "PIVOT" {
			r.columns = max(r.columns, 1000)
		}
		if children(n, "pivots") != nil {
			if children(n, "groups") == nil {
				w.comparesAllColumns("PIVOT without GROUP BY", r.star)
			}
			r.star = ""
		}
	default:
		w.fault(-1, "uses DESCRIBE, SUMMARIZE, SHOW or what else the check does not know ("+kind+")", "select what the answer needs")
	}
	for _, name := range names {
		if name != "" {
			s.tableBytes[name] = max(s.tableBytes[name], r.width)
		}
	}
	return r
}

func (w *walker) table(n node, s *scope) relation {
	name, schema, catalog := lowerField(n, "table_name"), lowerField(n, "schema_name"), lowerField(n, "catalog_name")
	if r, ok := s.cte(name); ok && catalog == "" && (schema == "" || schema == "recurring") {
		r.tables++
		return r
	}
	if catalog == "" && schema == "warehouse" {
		schema = "main"
	}
	if catalog != "" && catalog != "warehouse" || schema != "" && schema != "main" {
		w.fault(location(n), "reads "+strings.TrimPrefix(catalog+"."+schema+"."+name, ".")+", which is not a dataset's", "read tables and views of the datasets only")
		return relation{ColumnBytes, 50, 1, ""}
	}
	if w.probing == 0 && !slices.ContainsFunc(w.out.Tables, func(t Table) bool { return t.Name == name }) {
		w.out.Tables = append(w.out.Tables, Table{name, location(n)})
	}
	if view := w.views[name]; view != nil {
		return view.relation
	}
	return relation{ColumnBytes, 50, 1, name}
}

func (w *walker) tableFunction(f node, s *scope) relation {
	name := lowerField(f, "function_name")
	r := relation{fixedBytes, 10, 1, ""}
	if kind := Kind(name, true); kind != "table" {
		w.refuse(f, name, kind)
	}
	eachChild(f, nil, func(t node) { r.width += w.expr(t, s).bytes })
	return r
}

func (w *walker) refuse(f node, name, kind string) {
	why, ok := refusals[kind]
	if !ok {
		why = unknownFunction
	}
	w.fault(location(f), "the function "+name+" "+why.reason, why.fix)
}
