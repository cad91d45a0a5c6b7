package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// format is the version of the system tables.
const format = 1

// The warehouse's own markers.
const (
	formatMarker = "format"
	// newPosition is updated by every transaction that inserts a position row, so that two of them
	// conflict: there is no primary key.
	newPosition = "new position"
)

// systemTables have no primary key: see the package's documentation.
var systemTables = []struct {
	name   string
	fields []database.Field
}{
	{"positions", database.Fields(
		"dataset VARCHAR",
		"shard INTEGER",
		"last_ms UBIGINT",
		"last_seq UBIGINT",
		"epoch BIGINT",
		"rev BIGINT",
		"run_id VARCHAR",
		"token UBIGINT",
		"rows BIGINT",
		"rejected BIGINT",
		"duplicates BIGINT",
		"committed_at TIMESTAMPTZ",
		// Never NULL: DuckDB 1.5.6 crashes at the next read after a commit that turned NULL
		// into a value and failed because the disk is full (TestDiskFull).
		"added BIGINT DEFAULT -1",
		"trace VARCHAR DEFAULT ''",
	)},
	{"rejects", rejectFields},
	{"contracts", database.Fields(
		"dataset VARCHAR", "version VARCHAR", "schema VARCHAR", "applied_at TIMESTAMPTZ",
	)},
	{"markers", database.Fields("name VARCHAR", "value VARCHAR", "at TIMESTAMPTZ")},
}

// rejectKeyFields identify a reject: its origin and its bytes.
var rejectKeyFields = database.Fields(
	"dataset VARCHAR",
	"shard INTEGER",
	"stream_ms UBIGINT",
	"stream_seq UBIGINT",
	"line UINTEGER",
	"payload BLOB",
	"payload_hash UBIGINT",
)

var rejectFields = slices.Concat(rejectKeyFields, database.Fields(
	"violations JSON",
	"schema_version VARCHAR",
	"rejected_at TIMESTAMPTZ",
))

// systemFields are contract.SystemColumns with their types.
var systemFields = func() []database.Field {
	var fields []database.Field
	types := []string{"INTEGER", "UBIGINT", "UBIGINT", "UINTEGER", "TIMESTAMPTZ"}
	for i, name := range contract.SystemColumns() {
		fields = append(fields, database.Field{Name: name, Type: types[i]})
	}
	return fields
}()

// datasetTable returns the table of a dataset or of reference data.
func datasetTable(name string) database.Table {
	return database.Table{Catalog: "warehouse", Schema: "main", Name: name}
}

// systemTable returns a system table.
func systemTable(name string) database.Table {
	return database.Table{Catalog: "warehouse", Schema: "estela", Name: name}
}

// migrate creates missing system tables and columns. On MotherDuck another process may do the same: the one
// that conflicts retries and finds them created.
func migrate(ctx context.Context, conn *database.Conn) error {
	return database.RetryConflicts(ctx, func() error {
		err := database.Transaction(ctx, conn, func() error { return createSystem(ctx, conn) })
		if err != nil {
			return fmt.Errorf("create system tables: %w", err)
		}
		return nil
	})
}

func createSystem(ctx context.Context, conn *database.Conn) error {
	if err := database.ExecAll(ctx, conn, "CREATE SCHEMA IF NOT EXISTS warehouse.estela"); err != nil {
		return err
	}
	for _, t := range systemTables {
		create := "CREATE TABLE IF NOT EXISTS " + systemTable(t.name).String() + " " + database.ColumnList(t.fields)
		if err := database.ExecAll(ctx, conn, create); err != nil {
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
		return createIdentity(ctx, conn)
	}
	if err := setMarker(ctx, conn, newPosition, ""); err != nil {
		return err
	}
	if err := createIdentity(ctx, conn); err != nil {
		return err
	}
	return setMarker(ctx, conn, formatMarker, strconv.Itoa(format))
}

// addMissing adds the columns that tables of an older version lack. It checks first, because ALTER TABLE
// conflicts with writers.
func addMissing(ctx context.Context, conn *database.Conn) error {
	for _, t := range systemTables {
		there, err := columnsOf(ctx, conn, systemTable(t.name))
		if err != nil {
			return err
		}
		for _, f := range t.fields {
			if slices.ContainsFunc(there, func(old database.Field) bool { return old.Name == f.Name }) {
				continue
			}
			add := fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", systemTable(t.name), f.Name, f.Type)
			if err := database.ExecAll(ctx, conn, add); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSystem checks that the system tables exist and have a known format.
func checkSystem(ctx context.Context, conn *database.Conn) error {
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
