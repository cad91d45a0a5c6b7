package endpoint

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/estela-dev/estela/services/internal/statement"
)

// CheckSQL checks every statement of the datasets before DuckDB plans any: the tables it reads,
// the functions it calls and the size of its values (package statement). Each fault is a
// *ParseError.
func CheckSQL(ctx context.Context, parse statement.Parser, datasets []Dataset) error {
	return Prepare(ctx, parse, nil, datasets)
}

// Trial is a temporary warehouse with the datasets' tables and reference tables, without views.
type Trial interface {
	Describer
	// Make runs a CREATE VIEW.
	Make(ctx context.Context, view string) error
}

// Prepare runs CheckSQL and has DuckDB prepare each statement, so that what it accepts can be
// served. It returns the faults of all files together and skips statements that read a view with
// a fault.
func Prepare(ctx context.Context, parse statement.Parser, trial Trial, datasets []Dataset) error {
	v, err := newVetter(ctx, parse, datasets, nil)
	errs := []error{err}
	if trial != nil {
		for _, d := range datasets {
			errs = append(errs, v.createViews(ctx, trial, d))
		}
	}
	for _, d := range datasets {
		for _, e := range d.Endpoints {
			s, err := v.vetEndpoint(ctx, d.Name, &e)
			if err == nil && trial != nil {
				err = v.prepare(ctx, trial, &e, s)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// createViews creates the views of a dataset that have no fault.
func (v *vetter) createViews(ctx context.Context, trial Trial, d Dataset) error {
	views, fault := statement.Views(d.Views)
	if fault != nil {
		return nil //nolint:nilerr // addViews has reported it
	}
	var errs []error
	for _, view := range views {
		if v.hasFault(v.views[view.Name]) {
			v.views[view.Name] = nil
			continue
		}
		if err := trial.Make(ctx, view.Text); err != nil {
			v.views[view.Name] = nil
			s := source{d.Name + "/views.sql", d.Views, 1, view.At + len(view.Body) - len(view.Text)}
			errs = append(errs, s.translateError(err, 1))
		}
	}
	return errors.Join(errs...)
}

// prepare has DuckDB prepare an endpoint's query and, if it is ordered, that of a later page.
func (v *vetter) prepare(ctx context.Context, trial Trial, e *Endpoint, s *statement.Statement) error {
	if v.hasFault(s) {
		return nil
	}
	sh, err := e.describe(ctx, trial, vetted{hidden: v.hiddenColumns(e, s)})
	if err != nil || len(e.Order) == 0 {
		return err
	}
	query, args := e.Query(sh, Page{Limit: 1, After: &Cursor{Keys: make([]*string, len(e.Order)), Tie: "a", Given: 1}})
	maps.Copy(args, e.Defaults())
	if _, err := trial.Describe(ctx, query, args); err != nil {
		return e.parseError(e.orderLine, "the answer can't be paged: "+err.Error(), "order by other columns")
	}
	return nil
}

// CheckMapping checks that DuckDB can parse a mapping's SQL, if it is not empty.
func CheckMapping(ctx context.Context, parse statement.Parser, file, sql string) error {
	if strings.TrimSpace(sql) == "" {
		return nil
	}
	_, err := statement.Check(ctx, parse, sql, nil, nil)
	fault := (*statement.FaultError)(nil)
	if !errors.As(err, &fault) {
		return err
	}
	if fault.At < 0 { // parsed, but not as an endpoint's query
		return nil
	}
	suggestQuotes(ctx, parse, nil, sql, fault)
	return source{file, sql, 1, 0}.fault(fault)
}
