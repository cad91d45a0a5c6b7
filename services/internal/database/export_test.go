package database

import "github.com/duckdb/duckdb-go/v2/mapping"

// RemoteAttach is the SQL that attaches a MotherDuck database.
func RemoteAttach(cfg Config) string { return remoteAttach(cfg.WithDefaults()) }

// Duck is what the driver's connection is reached by.
func (c *Conn) Duck() mapping.Connection { return c.raw }

// Redact hides a secret in an error.
func Redact(err error, secret string) error { return redact(err, secret) }

// Break makes the instance unusable, as a fatal error would.
func (d *DB) Break() {
	d.mu.RLock()
	defer d.mu.RUnlock()
	d.inst.abandon()
}
