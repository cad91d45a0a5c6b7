package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/statement"
)

// vetter checks statements against the tables and views of all datasets.
type vetter struct {
	parse statement.Parser
	// owners are the datasets of each table and view, by its name in lower case.
	owners map[string][]string
	// views are the views' statements, nil for one with a fault.
	views    map[string]*statement.Statement
	datasets []string
	// columns are the names of the tables' columns, system those that * leaves out of an answer;
	// both in lower case.
	columns, system map[string]bool
	// properties are the columns of each dataset's table.
	properties map[string][]contract.Column
}

// newVetter checks the views, in the files and, if stored has their SQL by name, in the
// warehouse.
func newVetter(ctx context.Context, parse statement.Parser, datasets []Dataset, stored map[string]string) (*vetter, error) {
	v := &vetter{
		parse: parse, owners: map[string][]string{}, views: map[string]*statement.Statement{},
		columns: map[string]bool{}, system: map[string]bool{}, properties: map[string][]contract.Column{},
	}
	for _, d := range datasets {
		v.datasets = append(v.datasets, d.Name)
		v.addOwner(d.Name, d.Name)
		for _, t := range d.Tables {
			v.addOwner(t, d.Name)
		}
		v.properties[d.Name] = d.Columns
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

func (v *vetter) addOwner(name, dataset string) {
	name = strings.ToLower(name)
	if !slices.Contains(v.owners[name], dataset) {
		v.owners[name] = append(v.owners[name], dataset)
	}
}

func (v *vetter) addViews(ctx context.Context, d Dataset, stored map[string]string) error {
	file := source{file: d.Name + "/views.sql", text: d.Views, line: 1}
	views, fault := statement.Views(d.Views)
	if fault != nil {
		return file.fault(fault)
	}
	var errs []error
	for _, view := range views {
		file.at = view.At
		s, err := v.checkQuery(ctx, file, view.Body, nil)
		if now, ok := statement.ViewOf(view.Name, stored[view.Name]); ok && err == nil {
			s, err = v.checkQuery(ctx, source{file.file + " (the view " + view.Name + " as it is stored)", now.Body, 1, 0}, now.Body, nil)
		}
		if err != nil {
			s = nil
		}
		v.addOwner(view.Name, d.Name)
		v.views[view.Name] = s
		errs = append(errs, err)
	}
	for _, view := range views {
		if s := v.views[view.Name]; s != nil {
			file.at = view.At
			if err := v.checkTables(file, s); err != nil {
				v.views[view.Name] = nil
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// checkQuery checks one query of the file.
func (v *vetter) checkQuery(ctx context.Context, file source, sql string, params map[string]statement.Param) (*statement.Statement, error) {
	s, err := statement.Check(ctx, v.parse, sql, params, v.views)
	if fault := (*statement.FaultError)(nil); errors.As(err, &fault) {
		suggestQuotes(ctx, v.parse, v.columns, sql, fault)
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

// checkTables rejects tables that no dataset has.
func (v *vetter) checkTables(file source, s *statement.Statement) error {
	var errs []error
	known := slices.Sorted(maps.Keys(v.owners))
	for _, t := range s.Tables {
		if len(v.owners[t.Name]) == 0 {
			errs = append(errs, file.fault(&statement.FaultError{
				At: t.At, Reason: "reads " + t.Name + ", which is no table, reference table or view of a dataset",
				Fix: "correct the name" + fault.DidYouMean(t.Name, known) + ", or define it in views.sql or the folder reference; there are " + strings.Join(known, ", "),
			}))
		}
	}
	return errors.Join(errs...)
}

// hasFault reports whether a statement has a fault or reads a view with one.
func (v *vetter) hasFault(s *statement.Statement) bool {
	return s == nil || slices.ContainsFunc(s.Tables, func(t statement.Table) bool {
		view, is := v.views[t.Name]
		return is && view == nil
	})
}

// datasetsRead returns the datasets that a statement reads, directly or through views.
func (v *vetter) datasetsRead(s *statement.Statement, dataset string, seen map[string]bool) (all []string) {
	for _, t := range s.Tables {
		all = append(all, v.datasetsOfTable(t.Name, dataset, seen)...)
	}
	return all
}

func (v *vetter) datasetsOfTable(name, dataset string, seen map[string]bool) []string {
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
		all = append(all, v.datasetsRead(view, dataset, seen)...)
	}
	return all
}

// vetEndpoint checks an endpoint of the dataset and returns its statement.
func (v *vetter) vetEndpoint(ctx context.Context, dataset string, e *Endpoint) (*statement.Statement, error) {
	file := source{e.File, e.SQL, e.Line, 0}
	s, err := v.checkQuery(ctx, file, e.SQL, e.paramBounds())
	if err != nil {
		return nil, err
	}
	errs := []error{v.checkTables(file, s), v.checkDeterministic(file, e, s)}
	read := v.datasetsRead(s, dataset, map[string]bool{})
	for _, t := range s.Tables {
		for _, other := range v.datasetsOfTable(t.Name, dataset, map[string]bool{}) {
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
			errs = append(errs, e.parseError(e.readsLine, "reads: names the endpoint's own dataset", "name others only"))
		case !slices.Contains(v.datasets, other):
			errs = append(errs, e.parseError(e.readsLine, "reads: names "+other+", which is no dataset here", "there are "+strings.Join(v.datasets, ", ")))
		case !slices.Contains(read, other):
			errs = append(errs, e.parseError(e.readsLine, "reads: names "+other+", which the SQL does not read", "remove it"))
		}
	}
	return s, errors.Join(errs...)
}

// checkDeterministic rejects an order for an answer that differs from query to query.
func (v *vetter) checkDeterministic(file source, e *Endpoint, s *statement.Statement) error {
	if len(e.Order) == 0 {
		return nil
	}
	var errs []error
	for _, f := range s.Nondeterministic {
		errs = append(errs, file.fault(f))
	}
	for _, t := range s.Tables {
		if view := v.views[t.Name]; view != nil && len(view.Nondeterministic) > 0 {
			f := *view.Nondeterministic[0]
			f.At, f.Reason = t.At, "reads the view "+t.Name+", in which "+f.Reason
			errs = append(errs, file.fault(&f))
		}
	}
	return errors.Join(errs...)
}

// hiddenColumns returns the system columns to leave out of an endpoint's answer: those that neither
// its SQL, nor a view that it reads, nor its header names.
func (v *vetter) hiddenColumns(e *Endpoint, s *statement.Statement) map[string]bool {
	hidden := maps.Clone(v.system)
	for name := range v.system {
		hidden[name+"_1"] = true // DuckDB's name of a second one
	}
	v.unhideNamed(s, hidden, map[string]bool{})
	for _, o := range e.Order {
		delete(hidden, strings.ToLower(o.Column))
	}
	if e.Chart != nil {
		for _, name := range e.Chart.columns() {
			delete(hidden, strings.ToLower(name))
		}
	}
	return hidden
}

func (v *vetter) unhideNamed(s *statement.Statement, hidden, seen map[string]bool) {
	if s == nil {
		return
	}
	maps.DeleteFunc(hidden, func(name string, _ bool) bool { return s.ColumnNames[name] })
	for _, t := range s.Tables {
		if !seen[t.Name] {
			seen[t.Name] = true
			v.unhideNamed(v.views[t.Name], hidden, seen)
		}
	}
}
