package api

import (
	"context"
	"errors"

	"github.com/estela-dev/estela/services/internal/memory"
	"github.com/estela-dev/estela/services/internal/result"
)

// guarded is a reader whose queries end when the process is short of memory.
type guarded struct {
	reader Reader
	watch  *memory.Watch
}

// Revision implements Reader.
func (g guarded) Revision(ctx context.Context) (result.Snapshot, error) {
	return g.reader.Revision(ctx)
}

// Stream implements Reader.
func (g guarded) Stream(ctx context.Context, query string, args map[string]any, each func(at result.Snapshot, rows result.Rows) error) error {
	return g.within(ctx, func(ctx context.Context) error { return g.reader.Stream(ctx, query, args, each) })
}

// Describe implements Reader.
func (g guarded) Describe(ctx context.Context, query string, args map[string]any) (columns []result.Column, err error) {
	err = g.within(ctx, func(ctx context.Context) error {
		columns, err = g.reader.Describe(ctx, query, args)
		return err
	})
	return columns, err
}

// within runs a query; its error is memory.ErrPressure if memory was why it ended.
func (g guarded) within(ctx context.Context, run func(context.Context) error) error {
	ctx, leave, err := g.watch.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err = run(ctx); err != nil && errors.Is(context.Cause(ctx), memory.ErrPressure) {
		return errors.Join(memory.ErrPressure, err)
	}
	return err
}
