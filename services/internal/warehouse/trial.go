package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/result"
)

// Trial is a temporary warehouse with the datasets' empty tables, to prepare statements against before any
// data is at stake.
type Trial struct {
	warehouse *Warehouse
	dir       string
}

// OpenTrial opens a Trial. The caller closes it.
func OpenTrial(ctx context.Context) (*Trial, error) {
	dir, err := os.MkdirTemp("", "estela-trial-")
	if err != nil {
		return nil, fmt.Errorf("make temporary directory: %w", err)
	}
	w, err := Open(ctx, Config{Database: database.Config{Location: filepath.Join(dir, "trial.duckdb")}})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Trial{w, dir}, nil
}

// Register registers a dataset, without views.
func (t *Trial) Register(ctx context.Context, c *contract.Contract, refs map[string][]byte) error {
	return t.warehouse.Register(ctx, c, "", refs)
}

// Describe returns the columns of the query's result.
func (t *Trial) Describe(ctx context.Context, query string, args map[string]any) ([]result.Column, error) {
	return t.warehouse.Describe(ctx, query, args)
}

// Make runs a CREATE VIEW statement.
func (t *Trial) Make(ctx context.Context, view string) error {
	return t.warehouse.write(ctx, func(ctx context.Context, conn *database.Conn) error { return database.ExecAll(ctx, conn, view) })
}

// Close closes the warehouse and removes its file.
func (t *Trial) Close() error {
	return errors.Join(t.warehouse.Close(), os.RemoveAll(t.dir))
}
