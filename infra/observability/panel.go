package observability

import "strings"

// Panel is a panel's query.
type Panel struct {
	// Name is the dashboard's and the panel's.
	Name string
	Expr string
}

// Panels are those of every dashboard, for the systems that a regular expression matches.
func (f File) Panels(systems string) (all []Panel) {
	for _, d := range f.dashboards() {
		for _, p := range d.Panels {
			all = append(all, Panel{d.UID + ": " + p.Title, strings.ReplaceAll(p.Targets[0].Expr, "$system", systems)})
		}
	}
	return all
}
