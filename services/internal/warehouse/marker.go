package warehouse

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"github.com/estela-dev/estela/services/internal/database"
)

// Marker returns the value stored by SetMarker, "" if there is none.
func (w *Warehouse) Marker(ctx context.Context, name string) (string, error) {
	var value string
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		value, err = marker(ctx, conn, name)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read marker %q: %w", name, err)
	}
	return value, nil
}

// SetMarker stores a value under a name, replacing any other.
func (w *Warehouse) SetMarker(ctx context.Context, name, value string) error {
	err := w.write(ctx, func(ctx context.Context, conn *database.Conn) error {
		return database.RetryConflicts(ctx, func() error {
			return database.Transaction(ctx, conn, func() error { return setMarker(ctx, conn, name, value) })
		})
	})
	if err != nil {
		return fmt.Errorf("set marker %q: %w", name, err)
	}
	return nil
}

func marker(ctx context.Context, conn *database.Conn, name string) (string, error) {
	var value string
	err := conn.QueryRowContext(ctx,
		`SELECT value FROM warehouse.estela.markers WHERE name = ? ORDER BY "at" DESC LIMIT 1`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

// setMarker must run inside a transaction.
func setMarker(ctx context.Context, conn *database.Conn, name, value string) error {
	n, err := database.Changed(ctx, conn, `UPDATE warehouse.estela.markers SET value = ?, "at" = now() WHERE name = ?`, value, name)
	if err != nil || n > 0 {
		return err
	}
	_, err = conn.ExecContext(ctx, "INSERT INTO warehouse.estela.markers VALUES (?, ?, now())", name, value)
	return err
}

// identityMarker is the marker of the warehouse's identity.
const identityMarker = "identity"

// Identity returns the random text that identifies the warehouse. It is created when the warehouse is first
// opened for writing; "" before that. A copy of the file has the same.
func (w *Warehouse) Identity(ctx context.Context) (string, error) {
	return w.Marker(ctx, identityMarker)
}

// createIdentity creates the identity of a warehouse without one, inside a transaction. Concurrent processes
// conflict at the marker newPosition.
func createIdentity(ctx context.Context, conn *database.Conn) error {
	found, err := marker(ctx, conn, identityMarker)
	if err != nil || found != "" {
		return err
	}
	if _, err := conn.ExecContext(ctx, `UPDATE warehouse.estela.markers SET "at" = now() WHERE name = ?`, newPosition); err != nil {
		return fmt.Errorf("create the warehouse's identity: %w", err)
	}
	return setMarker(ctx, conn, identityMarker, rand.Text())
}
