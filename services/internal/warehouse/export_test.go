package warehouse

import (
	"context"
	"database/sql"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// RemoteAttach is the SQL that attaches a MotherDuck database.
func RemoteAttach(cfg Config) string { return remoteAttach(cfg.withDefaults()) }

// RawConnection is what the driver's connection is reached by.
func RawConnection(conn *sql.Conn) (mapping.Connection, error) { return rawConnection(conn) }

// Exec runs a statement as the writer would.
func (w *Warehouse) Exec(ctx context.Context, statement string) error {
	return w.write(ctx, func(ctx context.Context, s *session) error { return execAll(ctx, s.conn, statement) })
}

// Redact hides a secret in an error.
func Redact(err error, secret string) error { return redact(err, secret) }

// Break makes the instance unusable, as a fatal error would.
func (w *Warehouse) Break() {
	w.database.mu.RLock()
	defer w.database.mu.RUnlock()
	w.inst.abandon()
}
