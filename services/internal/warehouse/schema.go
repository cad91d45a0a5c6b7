package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// format is the version of the system tables.
const format = 1

// The markers that the warehouse itself keeps.
const (
	formatMarker = "format"
	// newPosition is updated by whoever adds a position row: without a primary
	// key this is what makes two of them conflict.
	newPosition = "new position"
)

// System tables. None has a primary key: see the package's comment.
var systemTables = []struct {
	name   string
	fields []field
}{
	{"positions", []field{
		{"dataset", "VARCHAR"},
		{"shard", "INTEGER"},
		{"last_ms", "UBIGINT"},
		{"last_seq", "UBIGINT"},
		{"epoch", "BIGINT"},
		{"rev", "BIGINT"},
		{"run_id", "VARCHAR"},
		{"token", "UBIGINT"},
		{"rows", "BIGINT"},
		{"rejected", "BIGINT"},
		{"duplicates", "BIGINT"},
		{"committed_at", "TIMESTAMPTZ"},
		// Never NULL: DuckDB 1.5.6 crashes at the next read after a commit that turned NULL
		// into a value and failed because the disk is full (TestDiskFull).
		{"added", "BIGINT DEFAULT -1"},
		{"trace", "VARCHAR DEFAULT ''"},
	}},
	{"rejects", rejectFields},
	{"contracts", []field{
		{"dataset", "VARCHAR"}, {"version", "VARCHAR"}, {"schema", "VARCHAR"}, {"applied_at", "TIMESTAMPTZ"},
	}},
	{"markers", []field{{"name", "VARCHAR"}, {"value", "VARCHAR"}, {"at", "TIMESTAMPTZ"}}},
}

// rejectKeyFields tell a reject: where it came from, and its bytes.
var rejectKeyFields = []field{
	{"dataset", "VARCHAR"},
	{"shard", "INTEGER"},
	{"stream_ms", "UBIGINT"},
	{"stream_seq", "UBIGINT"},
	{"line", "UINTEGER"},
	{"payload", "BLOB"},
	{"payload_hash", "UBIGINT"},
}

var rejectFields = slices.Concat(rejectKeyFields, []field{
	{"violations", "JSON"},
	{"schema_version", "VARCHAR"},
	{"rejected_at", "TIMESTAMPTZ"},
})

// placeFields are the columns that every dataset table has besides the
// contract's: where a row came from and when it was stored.
var placeFields = []field{
	{"_shard", "INTEGER"},
	{"_stream_ms", "UBIGINT"},
	{"_stream_seq", "UBIGINT"},
	{"_line", "UINTEGER"},
	{"_ingested_at", "TIMESTAMPTZ"},
}

// SystemColumns are the columns of a dataset's table that are not its contract's.
func SystemColumns() []string {
	names := make([]string, len(placeFields))
	for i, f := range placeFields {
		names[i] = f.name
	}
	return names
}

// migrate creates what is missing. Another process may do the same on
// MotherDuck: the one that loses finds the other's work at the second try.
func migrate(ctx context.Context, conn *sql.Conn) error {
	return retryConflicts(ctx, func() error {
		err := transaction(ctx, conn, func() error { return createSystem(ctx, conn) })
		if err != nil {
			return fmt.Errorf("create system tables: %w", err)
		}
		return nil
	})
}

func createSystem(ctx context.Context, conn *sql.Conn) error {
	if err := execAll(ctx, conn, "CREATE SCHEMA IF NOT EXISTS warehouse.estela"); err != nil {
		return err
	}
	for _, t := range systemTables {
		create := "CREATE TABLE IF NOT EXISTS " + systemTable(t.name).String() + " " + columnList(t.fields)
		if err := execAll(ctx, conn, create); err != nil {
			return err
		}
	}
	if err := addMissing(ctx, conn); err != nil {
		return err
	}
	found, err := marker(ctx, conn, formatMarker)
	if err != nil {
		return err
	}
	if found != "" {
		if err := checkFormat(found); err != nil {
			return err
		}
		return identify(ctx, conn)
	}
	if err := setMarker(ctx, conn, newPosition, ""); err != nil {
		return err
	}
	if err := identify(ctx, conn); err != nil {
		return err
	}
	return setMarker(ctx, conn, formatMarker, strconv.Itoa(format))
}

// addMissing adds the columns that a table of an older program lacks. It asks first, for
// a change of a table is in the way of those who write.
func addMissing(ctx context.Context, conn *sql.Conn) error {
	for _, t := range systemTables {
		there, err := columnsOf(ctx, conn, systemTable(t.name))
		if err != nil {
			return err
		}
		for _, f := range t.fields {
			if slices.ContainsFunc(there, func(old field) bool { return old.name == f.name }) {
				continue
			}
			add := fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", systemTable(t.name), f.name, f.kind)
			if err := execAll(ctx, conn, add); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSystem makes sure that a worker has prepared the database.
func checkSystem(ctx context.Context, conn *sql.Conn) error {
	found, err := marker(ctx, conn, formatMarker)
	if err != nil {
		return fmt.Errorf("find Estela's tables (start a worker on this warehouse first): %w", err)
	}
	return checkFormat(found)
}

func checkFormat(found string) error {
	if n, err := strconv.Atoi(found); err != nil || n > format {
		return fmt.Errorf("warehouse has format %q, this program knows up to %d: use a newer one", found, format)
	}
	return nil
}

// retryConflicts repeats fn while another transaction is in its way, for about a
// second.
func retryConflicts(ctx context.Context, fn func() error) error {
	for wait := 4 * time.Millisecond; ; wait *= 2 {
		err := fn()
		if !isConflict(err) || wait > 500*time.Millisecond {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}
