package main

import (
	"context"
	"errors"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// checkSQL looks at the views and endpoints of the datasets before any warehouse sees
// them: planning alone can take all memory. If one has a fault, those of all are reported.
func checkSQL(ctx context.Context, all []*dataset) (err error) {
	parse, end, err := warehouse.Parser(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := endpoint.CheckSQL(ctx, parse, apiDatasets(all)); err != nil {
		return prepareSQL(ctx, all)
	}
	return nil
}

// prepareSQL is checkSQL, and prepares the mappings, views and endpoints against the tables
// of the contracts in a throw-away warehouse: what it passes, a start can serve.
func prepareSQL(ctx context.Context, all []*dataset) (err error) {
	parse, end, err := warehouse.Parser(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	trial, err := warehouse.OpenTrial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trial.Close()) }()
	var tables, mappings error
	for _, d := range all {
		tables = errors.Join(tables, trial.Register(ctx, d.Contract, "", d.references))
		mappings = errors.Join(mappings, endpoint.CheckMapping(ctx, parse, d.Name+"/mapping.sql", d.mapping))
	}
	if tables != nil { // what reads a table that is not there has no fault of its own
		return errors.Join(tables, mappings, endpoint.CheckSQL(ctx, parse, apiDatasets(all)))
	}
	return errors.Join(mappings, endpoint.Prepare(ctx, parse, trial, apiDatasets(all)))
}
