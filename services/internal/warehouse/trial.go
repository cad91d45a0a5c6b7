package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/estela-dev/estela/services/internal/database"
)

// Trial is a throw-away warehouse: with the datasets' tables and nothing in them,
// statements can be prepared against the schema before any data are at stake.
type Trial struct {
	*Warehouse

	dir string
}

// OpenTrial makes one, which takes the datasets by Register.
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

// Make runs a CREATE VIEW.
func (t *Trial) Make(ctx context.Context, view string) error {
	return t.write(ctx, func(ctx context.Context, conn *database.Conn) error { return database.ExecAll(ctx, conn, view) })
}

// Close ends it and removes its file.
func (t *Trial) Close() error {
	return errors.Join(t.Warehouse.Close(), os.RemoveAll(t.dir))
}
