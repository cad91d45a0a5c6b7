package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// location returns the warehouse of the flags.
func (g *Globals) location() string {
	if g.Warehouse != "" {
		return g.Warehouse
	}
	return filepath.Join(g.DataDir, "estela.duckdb")
}

// openWarehouse opens the warehouse of the flags and migrates its tables to the contracts.
func (g *Globals) openWarehouse(ctx context.Context, all []*dataset.Dataset, readOnly bool, log *slog.Logger) (*warehouse.Warehouse, error) {
	if parseSize(g.Memory) == 0 {
		return nil, fault.Usagef("--memory %q: give a size such as 512MB or 2GB", g.Memory)
	}
	if parseSize(g.Spill) == 0 {
		return nil, fault.Usagef("--spill %q: give a size such as 512MB or 4GB", g.Spill)
	}
	if err := checkSQL(ctx, all); err != nil { // before a view is made
		return nil, err
	}
	w, err := warehouse.Open(ctx, warehouse.Config{Database: database.Config{
		Location: g.location(), Token: os.Getenv("MOTHERDUCK_TOKEN"), MemoryLimit: g.Memory, SpillLimit: g.Spill, ReadOnly: readOnly, Logger: log,
	}})
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if err := w.Register(ctx, d.Contract, d.Views, d.References); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// errNoWarehouse: there is none yet.
var errNoWarehouse = errors.New("no warehouse")

// inventory lists what the warehouse of the flags has, through the process that has it open or, if none
// has, by opening it. errNoWarehouse: there is none yet.
func (g *Globals) inventory(ctx context.Context, s *streams) (*inventory.Inventory, error) {
	location, err := filepath.Abs(g.location())
	if err != nil {
		return nil, fmt.Errorf("find warehouse: %w", err)
	}
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil {
		return nil, err
	}
	if running != nil {
		all := new(inventory.Inventory)
		ops := operation.Dial(running.Control)
		defer ops.Close()
		err := ops.Do(ctx, operation.Inventory(), nil, all)
		if err != nil || g.Warehouse == "" || all.Warehouse.Location == location || all.Warehouse.Location == g.Warehouse {
			return all, err
		}
	}
	if _, err := os.Stat(location); errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(g.Warehouse, "md:") {
		return nil, fmt.Errorf("%w at %s", errNoWarehouse, g.location())
	}
	w, err := g.openWarehouse(ctx, nil, true, g.logger(s))
	if err != nil {
		return nil, err
	}
	all, err := inventory.Take(ctx, w)
	return all, errors.Join(err, w.Close())
}

// served converts the datasets for the API.
func served(all []*dataset.Dataset) []endpoint.Dataset {
	return dataset.Served(all, contract.SystemColumns())
}

// checkSQL parses the views and endpoints of the datasets before any warehouse plans them, as planning
// alone can exhaust the memory. After an error it reports those of all datasets.
func checkSQL(ctx context.Context, all []*dataset.Dataset) (err error) {
	parse, end, err := database.Parser(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := endpoint.CheckSQL(ctx, parse, served(all)); err != nil {
		return prepareSQL(ctx, all)
	}
	return nil
}

// prepareSQL also prepares the mappings, views and endpoints against the contracts' tables in a
// temporary warehouse: what passes can be served.
func prepareSQL(ctx context.Context, all []*dataset.Dataset) (err error) {
	parse, end, err := database.Parser(ctx)
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
		tables = errors.Join(tables, trial.Register(ctx, d.Contract, d.References))
		mappings = errors.Join(mappings, endpoint.CheckMapping(ctx, parse, d.Name+"/mapping.sql", d.Mapping))
	}
	if tables != nil { // without its table a query fails for that alone
		return errors.Join(tables, mappings, endpoint.CheckSQL(ctx, parse, served(all)))
	}
	return errors.Join(mappings, endpoint.Prepare(ctx, parse, trial, served(all)))
}
