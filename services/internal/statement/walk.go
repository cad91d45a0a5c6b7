package statement

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// relation is what the check knows of the rows of a query or table.
type relation struct {
	width   float64 // bytes of its largest column
	columns float64
	tables  float64 // that DuckDB plans for it
	// star is a table all of whose columns its * gives, empty if it gives those of none.
	star string
}

// scope is what names mean at a place in the statement.
type scope struct {
	outer *scope
	ctes  map[string]relation
	// unit is the size of a column here, units that of the columns of a table.
	unit  float64
	units map[string]float64
	// lambdas are the parameters of lambdas, with their size.
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

// column is the size of a column, the largest that the name may mean.
func (s *scope) column(names []any) float64 {
	first, _ := names[0].(string)
	first = strings.ToLower(first)
	for o := s; o != nil; o = o.outer {
		if size, ok := o.lambdas[first]; ok {
			return size
		}
		if size, ok := o.units[first]; ok && len(names) > 1 {
			return size
		}
	}
	size := float64(fixedBytes)
	for o := s; o != nil; o = o.outer {
		size = max(size, o.unit)
	}
	return size
}

// walker goes through a parse.
type walker struct {
	out    *Statement
	params map[string]Param
	views  map[string]*Statement
	total  float64
	// quiet is above 0 while a part is looked at with sizes that are not its own.
	quiet int
	// depth is how many lambdas and recursive queries lie around the place: each is
	// looked at several times.
	depth int
	// shown is above 0 in a select list.
	shown int
}

const maxDepth = 8

func (w *walker) tooDeep(place int) {
	w.fail(place, "has lambdas or recursive queries nested too deeply", fmt.Sprintf("nest at most %d", maxDepth))
}

func (w *walker) fail(place int, reason, fix string) {
	same := func(f *FaultError) bool { return f.At == place && f.Reason == reason }
	if w.quiet == 0 && !slices.ContainsFunc(w.out.Faults, same) {
		w.out.Faults = append(w.out.Faults, &FaultError{place, reason, fix})
	}
}

// node walks a query.
func (w *walker) node(n tree, outer *scope) relation {
	s := &scope{outer: outer, ctes: map[string]relation{}, units: map[string]float64{}}
	for _, one := range list(sub(n, "cte_map"), "map") {
		if entry, ok := one.(tree); ok {
			value := sub(entry, "value")
			r := w.node(sub(sub(value, "query"), "node"), s)
			inside(value, []string{"query"}, func(t tree) { w.visit(t, s) })
			s.ctes[lower(entry, "key")] = r
		}
	}
	var r relation
	switch word(n, "type") {
	case "SELECT_NODE":
		r = w.selects(n, s)
	case "SET_OPERATION_NODE":
		inside(n, []string{"cte_map", "modifiers"}, func(t tree) { r = r.with(w.visit(t, s)) })
		r.columns /= 2
		if all, ok := n["setop_all"].(bool); ok && !all { // true is the default, which the parse leaves out
			w.tellsApart(word(n, "setop_type")+" without ALL", r.star)
		}
		s.unit = r.width
		inside(n["modifiers"], nil, func(t tree) { w.visit(t, s) })
	case "RECURSIVE_CTE_NODE":
		r = w.recursion(n, s)
	default:
		w.fail(-1, "has a query of a kind that the check does not know: "+word(n, "type"), "write it as SELECT")
	}
	if r.columns > maxColumns {
		w.fail(-1, "answers with too many columns, for * stands on * again and again", "name the columns")
	}
	if r.tables > maxTables {
		w.fail(-1, fmt.Sprintf("reads more than %d tables, for its parts use each other again and again", maxTables), "join less, or write WITH … AS MATERIALIZED")
	}
	r.columns, r.tables = min(r.columns, 2*maxColumns), min(r.tables, 2*maxTables)
	return r
}

func (r relation) with(o relation) relation {
	return relation{max(r.width, o.width), r.columns + o.columns, r.tables + o.tables, cmp.Or(r.star, o.star)}
}

// tellsApart notes that rows are compared by all columns of a table.
func (w *walker) tellsApart(what, table string) {
	if table != "" && w.quiet == 0 {
		w.out.Stars = append(w.out.Stars, Star{what, table})
	}
}

func (w *walker) selects(n tree, s *scope) relation {
	from := w.from(sub(n, "from_table"), s)
	s.unit = max(s.unit, from.width)
	r := relation{width: fixedBytes, tables: from.tables + 1}
	for _, one := range list(n, "select_list") {
		e, _ := one.(tree)
		w.out.Given[nameOf(e)] = true
		w.shown++
		v := w.expr(e, s)
		w.shown--
		r.width, r.tables = max(r.width, v.bytes), r.tables+v.tables
		if word(e, "class") == "STAR" {
			r.columns += from.columns
			if !excludesSystem(e) {
				r.star = from.star
			}
		} else {
			r.columns++
		}
		// A name that the select gives may stand where a column of the tables could.
		s.unit = max(s.unit, v.bytes)
	}
	for _, one := range list(n, "modifiers") {
		if m, _ := one.(tree); word(m, "type") == "DISTINCT_MODIFIER" && len(list(m, "distinct_on_targets")) == 0 {
			w.tellsApart("SELECT DISTINCT *", r.star)
		}
	}
	if word(n, "aggregate_handling") == "FORCE_AGGREGATES" {
		w.tellsApart("GROUP BY ALL over *", r.star)
	}
	if sample := sub(n, "sample"); sample != nil {
		w.sample(sample)
		w.changes(-1, "USING SAMPLE")
	}
	shown := w.shown
	w.shown = 0
	inside(n, []string{"cte_map", "from_table", "select_list", "sample"}, func(t tree) { r.tables += w.visit(t, s).tables })
	w.shown = shown
	return r
}

// excludesSystem says whether a * leaves out a column that begins with an underscore, as
// system columns do and no property of a contract.
func excludesSystem(star tree) bool {
	return slices.ContainsFunc(list(star, "exclude_list"), func(one any) bool {
		name, _ := one.(string)
		return strings.HasPrefix(name, "_")
	})
}

// clock are the functions and names that give the time of the query, chance those that
// are another for each row.
var (
	clock = map[string]bool{
		"now": true, "today": true, "ago": true, "get_current_timestamp": true, "get_current_time": true, "current_date": true, "current_time": true, "current_timestamp": true,
		"current_localtime": true, "current_localtimestamp": true, "localtime": true, "localtimestamp": true, "transaction_timestamp": true,
	}
	chance = map[string]bool{"random": true, "uuid": true, "gen_random_uuid": true, "uuidv4": true, "uuidv7": true, "reservoir_quantile": true}
)

// changes notes a value that is another at each query.
func (w *walker) changes(place int, name string) {
	w.out.Changing = append(w.out.Changing, &FaultError{
		place, name + " makes the answer another for each page, so that rows would be left out or come twice",
		"leave it out, or use it in WHERE only if it gives the time; without -- order: the answer comes in one piece",
	})
}

// nameOf is the name that a select list gives to an expression, empty if it gives none.
func nameOf(e tree) string {
	if alias := lower(e, "alias"); alias != "" || word(e, "class") != "COLUMN_REF" {
		return alias
	}
	names := list(e, "column_names")
	if len(names) == 0 {
		return ""
	}
	last, _ := names[len(names)-1].(string)
	return strings.ToLower(last)
}

// sample bounds the rows of USING SAMPLE, for which DuckDB makes room at once.
func (w *walker) sample(n tree) {
	size, _ := sub(n, "sample_size")["value"].(float64)
	if percentage, _ := n["is_percentage"].(bool); !percentage && size > maxSample {
		w.fail(-1, fmt.Sprintf("samples %.0f rows", size), fmt.Sprintf("sample at most %d, or a percentage", maxSample))
	}
}

// recursion checks a CTE that refers to itself. Each round may add to a value, not
// multiply it: its size after n rounds would be beyond any bound.
func (w *walker) recursion(n tree, s *scope) relation {
	left := w.node(sub(n, "left"), s)
	name := lower(n, "cte_name")
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > maxDepth {
		w.tooDeep(-1)
		return left
	}
	round := func(width float64) relation {
		s.ctes[name] = relation{width, left.columns, 1, left.star}
		return w.node(sub(n, "right"), s)
	}
	const probe = 1 << 20
	w.quiet++
	growth := (round(2*probe).width - round(probe).width) / probe
	w.quiet--
	if growth > 1.01 {
		w.fail(-1, "the recursive query "+name+" makes a text or list several times as large with each round",
			"add to it only; name the table of each column (r.path || t.name) and cast sums of columns (CAST(a + b AS BIGINT))")
	}
	right := round(max(left.width, gatheredBytes))
	inside(n["key_targets"], nil, func(t tree) { w.visit(t, s) })
	if growth > 0.01 {
		left.width = max(left.width, gatheredBytes)
	}
	return relation{max(left.width, min(right.width, math.MaxFloat32)), left.columns, left.tables + right.tables, left.star}
}

// visit walks an expression, a query or a table.
func (w *walker) visit(n tree, s *scope) relation {
	switch kind := word(n, "type"); {
	case n["class"] != nil:
		v := w.expr(n, s)
		return relation{v.bytes, 1, v.tables, ""}
	case queries[kind]:
		return w.node(n, s)
	default:
		return w.from(n, s)
	}
}

// from walks what follows FROM.
func (w *walker) from(n tree, s *scope) (r relation) {
	names := []string{lower(n, "alias")}
	switch kind := word(n, "type"); kind {
	case "", "EMPTY":
		return relation{}
	case "BASE_TABLE":
		r = w.table(n, s)
		names = append(names, lower(n, "table_name"))
		inside(n, nil, func(t tree) { w.visit(t, s) })
	case "SUBQUERY":
		r = w.node(sub(sub(n, "subquery"), "node"), s)
	case "TABLE_FUNCTION":
		r = w.tableFunction(sub(n, "function"), s)
		names = append(names, lower(sub(n, "function"), "function_name"))
	case "JOIN", "EXPRESSION_LIST", "PIVOT":
		// A lateral part sees the tables before it.
		stars := 0
		inside(n, nil, func(t tree) {
			o := w.visit(t, s)
			r = r.with(o)
			s.unit = max(s.unit, o.width)
			if o.star != "" {
				stars++
			}
		})
		if word(n, "ref_type") == "NATURAL" && stars > 1 {
			w.tellsApart("NATURAL JOIN", r.star)
		}
		if kind == "PIVOT" {
			r.columns = max(r.columns, 1000)
		}
		if list(n, "pivots") != nil {
			if list(n, "groups") == nil {
				w.tellsApart("PIVOT without GROUP BY", r.star)
			}
			r.star = ""
		}
	default:
		w.fail(-1, "uses DESCRIBE, SUMMARIZE, SHOW or what else the check does not know ("+kind+")", "select what the answer needs")
	}
	for _, name := range names {
		if name != "" {
			s.units[name] = max(s.units[name], r.width)
		}
	}
	return r
}

func (w *walker) table(n tree, s *scope) relation {
	name, schema, catalog := lower(n, "table_name"), lower(n, "schema_name"), lower(n, "catalog_name")
	if r, ok := s.cte(name); ok && catalog == "" && (schema == "" || schema == "recurring") {
		r.tables++
		return r
	}
	if catalog == "" && schema == "warehouse" {
		schema = "main"
	}
	if catalog != "" && catalog != "warehouse" || schema != "" && schema != "main" {
		w.fail(at(n), "reads "+strings.TrimPrefix(catalog+"."+schema+"."+name, ".")+", which is not a dataset's", "read tables and views of the datasets only")
		return relation{ColumnBytes, 50, 1, ""}
	}
	if w.quiet == 0 && !slices.ContainsFunc(w.out.Tables, func(t Table) bool { return t.Name == name }) {
		w.out.Tables = append(w.out.Tables, Table{name, at(n)})
	}
	if view := w.views[name]; view != nil {
		return view.relation
	}
	return relation{ColumnBytes, 50, 1, name}
}

func (w *walker) tableFunction(f tree, s *scope) relation {
	name := lower(f, "function_name")
	r := relation{fixedBytes, 10, 1, ""}
	if kind := Kind(name, true); kind != "table" {
		w.refuse(f, name, kind)
	}
	inside(f, nil, func(t tree) { r.width += w.expr(t, s).bytes })
	return r
}

func (w *walker) refuse(f tree, name, kind string) {
	why, ok := refusals[kind]
	if !ok {
		why = unknownFunction
	}
	w.fail(at(f), "the function "+name+" "+why.reason, why.fix)
}
