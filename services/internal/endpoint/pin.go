package endpoint

import (
	"fmt"
	"maps"
	"slices"
)

// Unpinned returns the parameters that a request may give: those without a pinned value.
func (e *Endpoint) Unpinned(pins map[string]string) []Param {
	if len(pins) == 0 {
		return e.Params
	}
	return slices.DeleteFunc(slices.Clone(e.Params), func(p Param) bool { _, pinned := pins[p.Name]; return pinned })
}

// Pinned returns the values of pinned parameters. A pin without a parameter of its name, or with a value
// that is not one of the parameter, is an error: it would restrict nothing.
func (e *Endpoint) Pinned(pins map[string]string) (map[string]any, error) {
	args := make(map[string]any, len(pins))
	for _, name := range slices.Sorted(maps.Keys(pins)) {
		i := slices.IndexFunc(e.Params, func(p Param) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("it has no parameter %s", name)
		}
		value, err := e.Params[i].Value(pins[name])
		if err != nil {
			return nil, fmt.Errorf("its parameter %s %w", name, err)
		}
		args[name] = value
	}
	return args, nil
}
