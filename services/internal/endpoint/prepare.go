package endpoint

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/estela-dev/estela/services/internal/statement"
)

// CheckSQL checks every statement of the datasets before DuckDB plans any: what it
// reads, which functions it calls and how large its values can become (package
// statement). Each fault is a ParseError.
func CheckSQL(ctx context.Context, parse statement.Parser, datasets []Dataset) error {
	return Prepare(ctx, parse, nil, datasets)
}

// Trial is a warehouse with the datasets' tables, reference tables and no views.
type Trial interface {
	Describer
	// Make runs a CREATE VIEW.
	Make(ctx context.Context, view string) error
}

// Prepare is CheckSQL, and then has DuckDB prepare each statement as a start would: what
// it passes can be served. All faults of all files come at once; what reads a view that
// has one is not checked.
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
			s, err := v.endpoint(ctx, d.Name, &e)
			if err == nil && trial != nil {
				err = v.prepare(ctx, trial, &e, s)
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
		return nil //nolint:nilerr // addViews has reported it
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

// prepare has DuckDB prepare an endpoint's query and that of a page after a cursor.
func (v *vetting) prepare(ctx context.Context, trial Trial, e *Endpoint, s *statement.Statement) error {
	if v.broken(s) {
		return nil
	}
	sh, err := e.describe(ctx, trial, v.hidden(e, s))
	if err != nil || len(e.Order) == 0 {
		return err
	}
	query, args := e.Query(sh, Page{Limit: 1, After: &Cursor{Keys: make([]*string, len(e.Order)), Tie: "a", Given: 1}})
	maps.Copy(args, e.Defaults())
	if _, err := trial.Describe(ctx, query, args); err != nil {
		return e.fault(e.orderLine, "the answer can't be paged: "+err.Error(), "order by other columns")
	}
	return nil
}

// CheckMapping checks that DuckDB can read a mapping's SQL; an empty one is none.
func CheckMapping(ctx context.Context, parse statement.Parser, file, sql string) error {
	if strings.TrimSpace(sql) == "" {
		return nil
	}
	_, err := statement.Check(ctx, parse, sql, nil, nil)
	fault := (*statement.FaultError)(nil)
	if !errors.As(err, &fault) {
		return err
	}
	if fault.At < 0 { // a kind of query that endpoints may not be
		return nil
	}
	quote(ctx, parse, nil, sql, fault)
	return source{file, sql, 1, 0}.fault(fault)
}
