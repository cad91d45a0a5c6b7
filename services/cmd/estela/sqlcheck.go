package main

import (
	"context"
	"errors"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// checkSQL looks at the views and endpoints of the datasets before any warehouse sees
// them: planning alone can take all memory. If one has a fault, those of all are reported.
func checkSQL(ctx context.Context, all []*dataset.Dataset) (err error) {
	parse, end, err := warehouse.Parser(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := api.CheckSQL(ctx, parse, dataset.Served(all, warehouse.SystemColumns())); err != nil {
		return prepareSQL(ctx, all)
	}
	return nil
}

// prepareSQL is checkSQL, and prepares the mappings, views and endpoints against the tables
// of the contracts in a throw-away warehouse: what it passes, a start can serve.
func prepareSQL(ctx context.Context, all []*dataset.Dataset) (err error) {
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
		tables = errors.Join(tables, trial.Register(ctx, d.Contract, "", d.References))
		mappings = errors.Join(mappings, api.CheckMapping(ctx, parse, d.Name+"/mapping.sql", d.Mapping))
	}
	if tables != nil { // what reads a table that is not there has no fault of its own
		return errors.Join(tables, mappings, api.CheckSQL(ctx, parse, dataset.Served(all, warehouse.SystemColumns())))
	}
	return errors.Join(mappings, api.Prepare(ctx, parse, trial, dataset.Served(all, warehouse.SystemColumns())))
}
