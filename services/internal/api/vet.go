package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/statement"
)

// CheckSQL looks at every statement of the datasets before DuckDB plans any: what it
// reads, which functions it calls and how large its values can become (package
// statement). Each fault is a ParseError.
func CheckSQL(ctx context.Context, parse statement.Parser, datasets []Dataset) error {
	return Prepare(ctx, parse, nil, datasets)
}

// Trial is a warehouse with the datasets' tables, reference tables and no views.
type Trial interface {
	// Describe is a Reader's.
	Describe(ctx context.Context, query string, args map[string]any) ([]result.Column, error)
	// Make runs a CREATE VIEW.
	Make(ctx context.Context, view string) error
}

// Prepare is CheckSQL, and then has DuckDB prepare each statement as a start would: what
// it passes can be served. All faults of all files come at once; what reads a view that
// has one is not looked at.
func Prepare(ctx context.Context, parse statement.Parser, trial Trial, datasets []Dataset) error {
	v, err := newVetting(ctx, parse, datasets, nil)
	errs := []error{err}
	if trial != nil {
		for _, d := range datasets {
			errs = append(errs, v.makeViews(ctx, trial, d))
		}
	}
	for _, d := range datasets {
		for _, e := range d.Endpoints {
			err := v.endpoint(ctx, d.Name, e)
			if err == nil && trial != nil {
				err = v.prepare(ctx, trial, e)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// makeViews makes the views of a dataset that have no fault.
func (v *vetting) makeViews(ctx context.Context, trial Trial, d Dataset) error {
	views, fault := statement.Views(d.Views)
	if fault != nil {
		return nil //nolint:nilerr // addViews has said it
	}
	var errs []error
	for _, view := range views {
		if v.broken(v.views[view.Name]) {
			v.views[view.Name] = nil
			continue
		}
		if err := trial.Make(ctx, view.Text); err != nil {
			v.views[view.Name] = nil
			s := source{d.Name + "/views.sql", d.Views, 1, view.At + len(view.Body) - len(view.Text)}
			errs = append(errs, s.explain(err, 1))
		}
	}
	return errors.Join(errs...)
}

// broken says whether a statement has a fault or reads a view that has one.
func (v *vetting) broken(s *statement.Statement) bool {
	return s == nil || slices.ContainsFunc(s.Tables, func(t statement.Table) bool {
		view, is := v.views[t.Name]
		return is && view == nil
	})
}

// prepare has DuckDB prepare an endpoint's query and that of a page behind a cursor.
func (v *vetting) prepare(ctx context.Context, trial Trial, e Endpoint) error {
	r := &route{Endpoint: e}
	if v.broken(v.endpoints[e.File]) {
		return nil
	}
	r.hidden = v.hidden(e)
	sh, err := r.learn(ctx, trial)
	if err != nil || len(r.Order) == 0 {
		return err
	}
	query, args := r.pageOf(sh, page{limit: 1, behind: &cursor{Keys: make([]*string, len(r.Order)), Tie: "a", Given: 1}})
	maps.Copy(args, r.defaults())
	if _, err := trial.Describe(ctx, query, args); err != nil {
		return &ParseError{r.File, r.orderLine, "the answer can't be paged: " + err.Error(), "order by other columns"}
	}
	return nil
}

// vetting is what endpoints are checked against.
type vetting struct {
	parse statement.Parser
	// owners are the datasets that a table or view belongs to, by its name in lower case.
	owners map[string][]string
	// views are their statements, nil for one that has a fault; endpoints by file.
	views     map[string]*statement.Statement
	endpoints map[string]*statement.Statement
	datasets  []string
	// columns are the names of columns that are known, system those that * does not give;
	// both in lower case.
	columns, system map[string]bool
}

// newVetting looks at the views: as they are written, and as they are stored (their
// statements by name) where that is known.
func newVetting(ctx context.Context, parse statement.Parser, datasets []Dataset, stored map[string]string) (*vetting, error) {
	v := &vetting{
		parse: parse, owners: map[string][]string{}, views: map[string]*statement.Statement{},
		endpoints: map[string]*statement.Statement{}, columns: map[string]bool{}, system: map[string]bool{},
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
		s, err := v.look(ctx, file, view.Body, nil)
		if now, ok := statement.ViewOf(view.Name, stored[view.Name]); ok && err == nil {
			s, err = v.look(ctx, source{file.file + " (the view " + view.Name + " as it is stored)", now.Body, 1, 0}, now.Body, nil)
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

// look checks one query of the file.
func (v *vetting) look(ctx context.Context, file source, sql string, params map[string]statement.Param) (*statement.Statement, error) {
	s, err := statement.Check(ctx, v.parse, sql, params, v.views)
	if fault := (*statement.FaultError)(nil); errors.As(err, &fault) {
		v.quote(ctx, sql, fault)
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

// steady refuses pages of an answer that is another at each query.
func (v *vetting) steady(file source, e Endpoint, s *statement.Statement) error {
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

// endpoint checks one, of that dataset.
func (v *vetting) endpoint(ctx context.Context, dataset string, e Endpoint) error {
	file := source{e.File, e.SQL, e.Line, 0}
	s, err := v.look(ctx, file, e.SQL, e.bounds())
	if err != nil {
		return err
	}
	v.endpoints[e.File] = s
	errs := []error{v.known(file, s), v.steady(file, e, s)}
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
			errs = append(errs, &ParseError{e.File, e.readsLine, "reads: names the endpoint's own dataset", "name others only"})
		case !slices.Contains(v.datasets, other):
			errs = append(errs, &ParseError{e.File, e.readsLine, "reads: names " + other + ", which is no dataset here", "there are " + strings.Join(v.datasets, ", ")})
		case !slices.Contains(read, other):
			errs = append(errs, &ParseError{e.File, e.readsLine, "reads: names " + other + ", which the SQL does not read", "remove it"})
		}
	}
	return errors.Join(errs...)
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

// checkup is the check of a catalog's statements, made once.
type checkup struct {
	mu    sync.Mutex
	done  bool
	fault map[*route]error
	all   error // of what belongs to no endpoint
}

// hidden are the system columns that an endpoint's * gives and nobody asked for: neither
// its SQL by name, nor a view that it reads, nor its header.
func (v *vetting) hidden(e Endpoint) map[string]bool {
	hidden := maps.Clone(v.system)
	for name := range v.system {
		hidden[name+"_1"] = true // what DuckDB calls the second of a name
	}
	v.show(v.endpoints[e.File], hidden, map[string]bool{})
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

// vet refuses an endpoint whose SQL must not run. All of a catalog are looked at when
// the first is, by the warehouse's own parse and the views that it has.
func (s *Server) vet(ctx context.Context, r *route) error {
	k := r.home
	k.checked.mu.Lock()
	defer k.checked.mu.Unlock()
	if !k.checked.done {
		stored, err := s.storedViews(ctx)
		if err != nil {
			return err
		}
		v, err := newVetting(ctx, s.parse, k.datasets, stored)
		k.checked.all, k.checked.fault = err, map[*route]error{}
		for _, r := range k.ordered {
			k.checked.fault[r] = v.endpoint(ctx, r.dataset, r.Endpoint)
			r.hidden = v.hidden(r.Endpoint)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k.checked.done = true
	}
	return errors.Join(k.checked.all, k.checked.fault[r])
}

// parse is the warehouse's parse of a query.
func (s *Server) parse(ctx context.Context, query string) (string, error) {
	all, err := s.texts(ctx, statement.ParseQuery, map[string]any{"query": query})
	if err != nil {
		return "", err
	}
	return strings.Join(all, ""), nil
}

// storedViews are the statements of the warehouse's views, by name in lower case.
func (s *Server) storedViews(ctx context.Context) (map[string]string, error) {
	all, err := s.texts(ctx, "SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal AND database_name = current_database()", nil)
	if err != nil {
		return nil, fmt.Errorf("list views: %w", err)
	}
	views := map[string]string{}
	for i := 0; i+1 < len(all); i += 2 {
		views[all[i]] = all[i+1]
	}
	return views, nil
}

// texts are the values of a query's answer, row by row.
func (s *Server) texts(ctx context.Context, query string, args map[string]any) (all []string, err error) {
	err = s.cfg.Reader.Stream(ctx, query, args, func(_ result.Snapshot, rows result.Rows) error {
		all = nil
		return each(rows, func(chunk *result.Chunk) {
			for i := range chunk.Rows {
				for _, column := range chunk.Vectors {
					all = append(all, string(column.Bytes(i)))
				}
			}
		})
	})
	return all, err
}

// CheckMapping looks whether DuckDB can read a mapping's SQL; an empty one is none.
func CheckMapping(ctx context.Context, parse statement.Parser, file, sql string) error {
	if strings.TrimSpace(sql) == "" {
		return nil
	}
	v := &vetting{parse: parse}
	_, err := statement.Check(ctx, parse, sql, nil, nil)
	fault := (*statement.FaultError)(nil)
	if !errors.As(err, &fault) {
		return err
	}
	if fault.At < 0 { // a kind of query that endpoints may not be
		return nil
	}
	v.quote(ctx, sql, fault)
	return source{file, sql, 1, 0}.fault(fault)
}
