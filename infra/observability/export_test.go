package observability

// Queries are the PromQL of every panel, by dashboard and title.
func Queries(f File) map[string]string {
	all := map[string]string{}
	for _, d := range f.dashboards() {
		for _, p := range d.Panels {
			all[d.UID+": "+p.Title] = p.Targets[0].Expr
		}
	}
	return all
}

// Alerts are the names of all alerts.
func Alerts(f File) (names []string) {
	for _, g := range f.rules().Groups {
		for _, r := range g.Rules {
			if r.Alert != "" {
				names = append(names, r.Alert)
			}
		}
	}
	return names
}
