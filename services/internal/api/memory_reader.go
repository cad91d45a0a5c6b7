package api

import (
	"context"
	"errors"
	"io"

	"github.com/estela-dev/estela/services/internal/memory"
	"github.com/estela-dev/estela/services/internal/result"
)

// memoryLimitedReader cancels the reader's queries when the process is short of memory.
type memoryLimitedReader struct {
	reader Reader
	watch  *memory.Watch
}

// Revision implements Reader.
func (g memoryLimitedReader) Revision(ctx context.Context) (result.Snapshot, error) {
	return g.reader.Revision(ctx)
}

// Stream implements Reader.
func (g memoryLimitedReader) Stream(ctx context.Context, query string, args map[string]any, each func(at result.Snapshot, rows result.Rows) error) error {
	return g.run(ctx, func(ctx context.Context) error { return g.reader.Stream(ctx, query, args, each) })
}

// Describe implements Reader.
func (g memoryLimitedReader) Describe(ctx context.Context, query string, args map[string]any) (columns []result.Column, err error) {
	err = g.run(ctx, func(ctx context.Context) error {
		columns, err = g.reader.Describe(ctx, query, args)
		return err
	})
	return columns, err
}

// Parquet implements Reader. What it takes is the query's, whose rows it waits for.
func (g memoryLimitedReader) Parquet(w io.Writer, columns []result.Field, metadata map[string]string) (result.Sink, error) {
	return g.reader.Parquet(w, columns, metadata)
}

// run runs a query; its error is memory.ErrPressure if it was cancelled for memory.
func (g memoryLimitedReader) run(ctx context.Context, query func(context.Context) error) error {
	ctx, leave, err := g.watch.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err = query(ctx); err != nil && errors.Is(context.Cause(ctx), memory.ErrPressure) {
		return errors.Join(memory.ErrPressure, err)
	}
	return err
}
