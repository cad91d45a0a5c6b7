package statement

import "math"

// interval is the range of a number.
type interval struct{ low, high float64 }

var anywhere = interval{math.Inf(-1), math.Inf(1)}

func (r interval) bounded() bool { return r.low > -1e18 && r.high < 1e18 }

// interval returns the range of a numeric expression.
func (w *walker) interval(n node) interval {
	switch stringField(n, "class") {
	case "CONSTANT":
		if v, ok := child(n, "value")["value"].(float64); ok {
			return interval{v, v}
		}
		if null, _ := child(n, "value")["is_null"].(bool); null {
			return interval{}
		}
	case "PARAMETER":
		if p, ok := w.params[stringField(n, "identifier")]; ok {
			return interval{p.Low, p.High}
		}
	case "CAST":
		if fixedTypes[stringField(child(n, "cast_type"), "id")] {
			return w.interval(child(n, "child"))
		}
	case "FUNCTION":
		var args []interval
		for _, one := range children(n, "children") {
			arg, _ := one.(node)
			args = append(args, w.interval(arg))
		}
		return intervalOf(lowerField(n, "function_name"), args)
	}
	return anywhere
}

// intervalOf returns the range of a function of numbers.
func intervalOf(name string, args []interval) interval {
	switch {
	case name == "least" && len(args) > 0:
		// least ignores NULL, so the bound holds whatever the other arguments are.
		r := args[0]
		for _, a := range args[1:] {
			r = interval{min(r.low, a.low), min(r.high, a.high)}
		}
		return r
	case name == "greatest" && len(args) > 0:
		r := args[0]
		for _, a := range args[1:] {
			r = interval{max(r.low, a.low), max(r.high, a.high)}
		}
		return r
	case name == "+" && len(args) == 2:
		return interval{args[0].low + args[1].low, args[0].high + args[1].high}
	case name == "-" && len(args) == 2:
		return interval{args[0].low - args[1].high, args[0].high - args[1].low}
	case name == "-" && len(args) == 1:
		return interval{-args[0].high, -args[0].low}
	case name == "*" && len(args) == 2 && args[0].bounded() && args[1].bounded():
		a, b := args[0], args[1]
		all := []float64{a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high}
		return interval{min(all[0], all[1], all[2], all[3]), max(all[0], all[1], all[2], all[3])}
	default:
		return anywhere
	}
}
