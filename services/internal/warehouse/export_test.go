package warehouse

import (
	"context"

	"github.com/estela-dev/estela/services/internal/database"
)

// Exec runs a statement as the writer would.
func (w *Warehouse) Exec(ctx context.Context, statement string) error {
	return w.write(ctx, func(ctx context.Context, conn *database.Conn) error { return database.ExecAll(ctx, conn, statement) })
}
