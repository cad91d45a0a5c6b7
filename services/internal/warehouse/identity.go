package warehouse

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/estela-dev/estela/services/internal/database"
)

// identityMarker holds what tells this warehouse from every other.
const identityMarker = "identity"

// Identity is the random text that tells this warehouse from others, made with its system
// tables or, where an older program made those, at the first opening for writing; "" if it
// was not opened so yet. A copy of the file has the same.
func (w *Warehouse) Identity(ctx context.Context) (string, error) {
	return w.Marker(ctx, identityMarker)
}

// identify gives a warehouse that has none its identity, inside a transaction. Two
// processes that do so at once conflict at the marker newPosition.
func identify(ctx context.Context, conn *database.Conn) error {
	found, err := marker(ctx, conn, identityMarker)
	if err != nil || found != "" {
		return err
	}
	if _, err := conn.ExecContext(ctx, `UPDATE warehouse.estela.markers SET "at" = now() WHERE name = ?`, newPosition); err != nil {
		return fmt.Errorf("give the warehouse an identity: %w", err)
	}
	return setMarker(ctx, conn, identityMarker, rand.Text())
}
