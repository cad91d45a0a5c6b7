package observability

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
