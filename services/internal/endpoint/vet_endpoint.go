package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/statement"
)

// endpoint checks one, of that dataset, and returns its statement.
func (v *vetting) endpoint(ctx context.Context, dataset string, e *Endpoint) (*statement.Statement, error) {
	file := source{e.File, e.SQL, e.Line, 0}
	s, err := v.check(ctx, file, e.SQL, e.bounds())
	if err != nil {
		return nil, err
	}
	errs := []error{v.known(file, s), v.deterministic(file, e, s)}
	read := v.readBy(s, dataset, map[string]bool{})
	for _, t := range s.Tables {
		for _, other := range v.readByTable(t.Name, dataset, map[string]bool{}) {
			if other != dataset && !slices.Contains(e.Reads, other) {
				errs = append(errs, file.fault(&statement.FaultError{
					At: t.At, Reason: fmt.Sprintf("reads %s, which is of the dataset %s", t.Name, other), Fix: "add to the header: -- reads: " + strings.Join(append(slices.Clone(e.Reads), other), ", ") + "; an API key then needs both",
				}))
			}
		}
	}
	for _, other := range e.Reads {
		switch {
		case other == dataset:
			errs = append(errs, e.fault(e.readsLine, "reads: names the endpoint's own dataset", "name others only"))
		case !slices.Contains(v.datasets, other):
			errs = append(errs, e.fault(e.readsLine, "reads: names "+other+", which is no dataset here", "there are "+strings.Join(v.datasets, ", ")))
		case !slices.Contains(read, other):
			errs = append(errs, e.fault(e.readsLine, "reads: names "+other+", which the SQL does not read", "remove it"))
		}
	}
	return s, errors.Join(errs...)
}

// deterministic refuses pages of an answer that differs at each query.
func (v *vetting) deterministic(file source, e *Endpoint, s *statement.Statement) error {
	if len(e.Order) == 0 {
		return nil
	}
	var errs []error
	for _, f := range s.Changing {
		errs = append(errs, file.fault(f))
	}
	for _, t := range s.Tables {
		if view := v.views[t.Name]; view != nil && len(view.Changing) > 0 {
			f := *view.Changing[0]
			f.At, f.Reason = t.At, "reads the view "+t.Name+", in which "+f.Reason
			errs = append(errs, file.fault(&f))
		}
	}
	return errors.Join(errs...)
}

// hidden are the system columns that an endpoint's * gives and nobody asked for: neither
// its SQL by name, nor a view that it reads, nor its header.
func (v *vetting) hidden(e *Endpoint, s *statement.Statement) map[string]bool {
	hidden := maps.Clone(v.system)
	for name := range v.system {
		hidden[name+"_1"] = true // what DuckDB calls the second of a name
	}
	v.show(s, hidden, map[string]bool{})
	for _, o := range e.Order {
		delete(hidden, strings.ToLower(o.Column))
	}
	if e.Chart != nil {
		delete(hidden, strings.ToLower(e.Chart.X))
		delete(hidden, strings.ToLower(e.Chart.Y))
	}
	return hidden
}

func (v *vetting) show(s *statement.Statement, hidden, seen map[string]bool) {
	if s == nil {
		return
	}
	maps.DeleteFunc(hidden, func(name string, _ bool) bool { return s.Given[name] })
	for _, t := range s.Tables {
		if !seen[t.Name] {
			seen[t.Name] = true
			v.show(v.views[t.Name], hidden, seen)
		}
	}
}
