package statement

import (
	_ "embed"
	"strings"
)

//go:embed functions.txt
var functionList string

// functionKinds has the kinds of each function, or prefix of functions ending in *.
var functionKinds = func() map[string][]string {
	all := map[string][]string{}
	for line := range strings.Lines(functionList) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		for _, name := range fields[1:] {
			all[strings.ToLower(name)] = append(all[strings.ToLower(name)], fields[0])
		}
	}
	return all
}()

// Kind returns a function's kind in functions.txt, empty if it has none. A table function may be
// of another kind than the scalar function of the same name.
func Kind(name string, table bool) string {
	name = strings.ToLower(name)
	found := functionKinds[name]
	if found == nil {
		for i := len(name); i > 0 && found == nil; i-- {
			found = functionKinds[name[:i]+"*"]
		}
	}
	for _, kind := range found {
		switch {
		case (kind == "table") == table, refusals[kind] != (refusal{}):
			return kind
		}
	}
	return ""
}

// refusal is why functions of a kind are rejected, and the fix.
type refusal struct{ reason, fix string }

var refusals = map[string]refusal{
	"effect":   {"does more than read", "leave it out: an endpoint only reads"},
	"text":     {"runs or reads what a text names", "write the query itself, so that it can be checked"},
	"outside":  {"reads what lies outside of the datasets", "put the rows into the dataset, or into its folder reference as CSV"},
	"instance": {"shows the instance and not the data", "leave it out"},
	"internal": {"is one of DuckDB's own, for its inside", "leave it out"},
}

var unknownFunction = refusal{"is not on the list of functions that an endpoint may use", "use another function, or join the tables that you need"}
