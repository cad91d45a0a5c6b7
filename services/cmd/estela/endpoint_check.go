package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type endpointCheckCmd struct{}

// Run is 'estela endpoint check'.
func (endpointCheckCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	all, err := dataset.Load(g.Data)
	if err != nil {
		return errors.Join(err, prepareSQL(ctx, all))
	}
	if err := prepareSQL(ctx, all); err != nil {
		return err
	}
	c, end, err := g.sampled(ctx, s, all)
	defer end()
	if err != nil {
		return err
	}
	app, err := c.newAPI(ctx, asIs)
	if err != nil {
		return err
	}
	failed := 0
	for _, tried := range app.Try(ctx) {
		if tried.Err != nil {
			failed++
			say(s.out, "FAIL  %s\n      %v", tried.Path, tried.Err)
			continue
		}
		say(s.out, "ok    %-28s %6d rows  %s", tried.Path, tried.Rows, tried.Took.Round(100*time.Microsecond))
	}
	if failed > 0 {
		return fault.Refusedf("%d endpoints failed", failed)
	}
	return nil
}

// asIs configures nothing of an API that serves this command alone.
func asIs(*api.Config) {}

// sampled has for its warehouse a temporary file with the samples in it.
// The caller ends it, also after an error.
func (g *Globals) sampled(ctx context.Context, s *streams, all []*dataset.Dataset) (c *core, end func(), err error) {
	var closing cleanup
	end = func() {
		if err := closing.run(); err != nil {
			say(s.err, "estela: %v", err)
		}
	}
	dir, err := os.MkdirTemp("", "estela-endpoints-")
	if err != nil {
		return nil, end, fmt.Errorf("make a temporary directory: %w", err)
	}
	closing.add(func() error { return os.RemoveAll(dir) })
	own := *g
	own.Warehouse = filepath.Join(dir, "sample.duckdb")
	if c, err = newCore(ctx, &own, all, false, g.logger(s)); err != nil {
		return nil, end, err
	}
	closing.add(c.store.Close)
	for _, d := range all {
		if err := c.loadSample(ctx, s, d); err != nil {
			return nil, end, fmt.Errorf("load sample of %s: %w", d.Name, err)
		}
	}
	return c, end, nil
}

// loadSample stores the dataset's sample without a stream.
func (c *core) loadSample(ctx context.Context, s *streams, d *dataset.Dataset) error {
	if d.Sample == "" {
		return nil
	}
	file, remove, err := openSample(ctx, s, d)
	if err != nil {
		return err
	}
	defer remove()
	l := operation.NewLoader(d, (&detached{c}).Commit)
	if err := file.Each(ctx, func(one warehouse.Document) error { return l.Add(ctx, one) }); err != nil {
		return err
	}
	return l.Flush(ctx)
}
