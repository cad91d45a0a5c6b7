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

// vetting is what endpoints are checked against.
type vetting struct {
	parse statement.Parser
	// owners are the datasets that a table or view belongs to, by its name in lower case.
	owners map[string][]string
	// views are their statements, nil for one that has a fault.
	views    map[string]*statement.Statement
	datasets []string
	// columns are the names of columns that are known, system those that * does not give;
	// both in lower case.
	columns, system map[string]bool
}

// newVetting checks the views: as they are written, and as they are stored (their
// statements by name) where that is known.
func newVetting(ctx context.Context, parse statement.Parser, datasets []Dataset, stored map[string]string) (*vetting, error) {
	v := &vetting{
		parse: parse, owners: map[string][]string{}, views: map[string]*statement.Statement{},
		columns: map[string]bool{}, system: map[string]bool{},
	}
	for _, d := range datasets {
		v.datasets = append(v.datasets, d.Name)
		v.own(d.Name, d.Name)
		for _, t := range d.Tables {
			v.own(t, d.Name)
		}
		for _, c := range d.Columns {
			v.columns[strings.ToLower(c.Name)] = true
		}
		for _, c := range d.System {
			v.system[strings.ToLower(c)] = true
		}
	}
	var errs []error
	for _, d := range datasets {
		errs = append(errs, v.addViews(ctx, d, stored))
	}
	return v, errors.Join(errs...)
}

func (v *vetting) own(name, dataset string) {
	name = strings.ToLower(name)
	if !slices.Contains(v.owners[name], dataset) {
		v.owners[name] = append(v.owners[name], dataset)
	}
}

func (v *vetting) addViews(ctx context.Context, d Dataset, stored map[string]string) error {
	file := source{file: d.Name + "/views.sql", text: d.Views, line: 1}
	views, fault := statement.Views(d.Views)
	if fault != nil {
		return file.fault(fault)
	}
	var errs []error
	for _, view := range views {
		file.at = view.At
		s, err := v.check(ctx, file, view.Body, nil)
		if now, ok := statement.ViewOf(view.Name, stored[view.Name]); ok && err == nil {
			s, err = v.check(ctx, source{file.file + " (the view " + view.Name + " as it is stored)", now.Body, 1, 0}, now.Body, nil)
		}
		if err != nil {
			s = nil
		}
		v.own(view.Name, d.Name)
		v.views[view.Name] = s
		errs = append(errs, err)
	}
	for _, view := range views {
		if s := v.views[view.Name]; s != nil {
			file.at = view.At
			if err := v.known(file, s); err != nil {
				v.views[view.Name] = nil
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// check checks one query of the file.
func (v *vetting) check(ctx context.Context, file source, sql string, params map[string]statement.Param) (*statement.Statement, error) {
	s, err := statement.Check(ctx, v.parse, sql, params, v.views)
	if fault := (*statement.FaultError)(nil); errors.As(err, &fault) {
		quote(ctx, v.parse, v.columns, sql, fault)
		return nil, file.fault(fault)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.file, err)
	}
	var errs []error
	for _, fault := range s.Faults {
		errs = append(errs, file.fault(fault))
	}
	for _, star := range s.Stars {
		if slices.Contains(v.datasets, star.Table) {
			system := strings.Join(slices.Sorted(maps.Keys(v.system)), ", ")
			errs = append(errs, file.fault(&statement.FaultError{
				At: -1, Reason: fmt.Sprintf("%s compares the system columns of %s too, by which every row differs", star.What, star.Table),
				Fix: "name the columns, or write * EXCLUDE (" + system + ")",
			}))
		}
	}
	return s, errors.Join(errs...)
}

// known refuses tables that no dataset has.
func (v *vetting) known(file source, s *statement.Statement) error {
	var errs []error
	for _, t := range s.Tables {
		if len(v.owners[t.Name]) == 0 {
			errs = append(errs, file.fault(&statement.FaultError{
				At: t.At, Reason: "reads " + t.Name + ", which is no table, reference table or view of a dataset",
				Fix: "correct the name, or define it in views.sql or the folder reference; there are " + strings.Join(slices.Sorted(maps.Keys(v.owners)), ", "),
			}))
		}
	}
	return errors.Join(errs...)
}

// broken reports whether a statement has a fault or reads a view that has one.
func (v *vetting) broken(s *statement.Statement) bool {
	return s == nil || slices.ContainsFunc(s.Tables, func(t statement.Table) bool {
		view, is := v.views[t.Name]
		return is && view == nil
	})
}

// readBy are the datasets that a statement reads, itself or by views.
func (v *vetting) readBy(s *statement.Statement, dataset string, seen map[string]bool) (all []string) {
	for _, t := range s.Tables {
		all = append(all, v.readByTable(t.Name, dataset, seen)...)
	}
	return all
}

func (v *vetting) readByTable(name, dataset string, seen map[string]bool) []string {
	if seen[name] {
		return nil
	}
	seen[name] = true
	var all []string
	if owners := v.owners[name]; slices.Contains(owners, dataset) {
		all = append(all, dataset)
	} else {
		all = append(all, owners...)
	}
	if view := v.views[name]; view != nil {
		all = append(all, v.readBy(view, dataset, seen)...)
	}
	return all
}

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
