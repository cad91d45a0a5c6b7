package warehouse

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// Register migrates the dataset's table to its contract: it creates the table, or adds a column for each new
// optional property; a table in which no event was ever stored is recreated. Then it loads the reference
// tables (name -> CSV, see package reference) that have changed and runs views, CREATE OR REPLACE VIEW
// statements, if they or a table have. A contract that breaks the stored one is refused with
// *RefusedError. With a warehouse open for reading only, it only checks the table's columns.
func (w *Warehouse) Register(ctx context.Context, c *contract.Contract, views string, refs map[string][]byte) error {
	var err error
	if w.cfg.Database.ReadOnly {
		err = w.checkTable(ctx, c)
	} else {
		err = w.write(ctx, func(ctx context.Context, conn *database.Conn) error {
			return w.register(ctx, conn, c, views, refs, false)
		})
	}
	if err != nil {
		return fmt.Errorf("register dataset %s: %w", c.Name, err)
	}
	return nil
}

// Accept is like Register, but accepts a contract that breaks the stored one: shards, removed properties
// (their columns stay, NULL from now on), narrowed values. The caller makes sure that the streams are
// drained and no worker owns their shards. Changes that conflict with stored rows are refused with
// *RefusedError.
func (w *Warehouse) Accept(ctx context.Context, c *contract.Contract, views string, refs map[string][]byte) error {
	err := w.write(ctx, func(ctx context.Context, conn *database.Conn) error {
		return w.register(ctx, conn, c, views, refs, true)
	})
	if err != nil {
		return fmt.Errorf("accept contract of %s: %w", c.Name, err)
	}
	return nil
}

func (w *Warehouse) register(
	ctx context.Context, conn *database.Conn, c *contract.Contract, views string, refs map[string][]byte, accept bool,
) error {
	if err := checkNames(ctx, conn, c, refs); err != nil {
		return err
	}
	defer w.layouts.Delete(c.Name)
	err := database.RetryConflicts(ctx, func() error {
		return database.Transaction(ctx, conn, func() error { return fitTable(ctx, conn, c, accept) })
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		if err := w.loadReference(ctx, conn, name, refs[name]); err != nil {
			return fmt.Errorf("load reference table: %w", err)
		}
	}
	return applyViews(ctx, conn, c, views, referenceHashes(refs))
}

// checkTable checks that the table has the contract's columns.
func (w *Warehouse) checkTable(ctx context.Context, c *contract.Contract) error {
	return w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		have, err := columnsOf(ctx, conn, datasetTable(c.Name))
		if err != nil {
			return err
		}
		for _, column := range c.Columns {
			if !slices.ContainsFunc(have, func(f database.Field) bool { return f.Name == column.Name }) {
				return fmt.Errorf("its table has no column %s: start a worker with this contract on this warehouse first", column.Name)
			}
		}
		return nil
	})
}

// checkNames refuses a dataset and a reference table with the same name.
func checkNames(ctx context.Context, conn *database.Conn, c *contract.Contract, refs map[string][]byte) error {
	for name := range refs {
		stored, err := storedSchema(ctx, conn, name)
		if err != nil {
			return err
		}
		if name == c.Name || stored != "" {
			return fmt.Errorf("reference table %s has the name of a dataset: rename its file", name)
		}
	}
	hash, err := marker(ctx, conn, referenceMarker(c.Name))
	if err == nil && hash != "" {
		err = fmt.Errorf("a reference table has the name %s already: rename its file", c.Name)
	}
	return err
}

// fitTable compares the contract with the stored one and alters the table. A breaking contract is refused or,
// with accept, only one that conflicts with stored rows.
func fitTable(ctx context.Context, conn *database.Conn, c *contract.Contract, accept bool) error {
	old, err := storedSchema(ctx, conn, c.Name)
	if err != nil {
		return err
	}
	have, err := columnsOf(ctx, conn, datasetTable(c.Name))
	if err != nil {
		return err
	}
	if old != "" {
		err := checkBreaks(c, old, have)
		if _, breaks := errors.AsType[*RefusedError](err); breaks {
			if have, err = dropUnused(ctx, conn, c, have, err); err == nil && len(have) == 0 {
				old = ""
			}
		}
		if err != nil && (!accept || isFinal(err)) {
			return err
		}
	}
	if err := database.ExecAll(ctx, conn, alterations(c, have)...); err != nil {
		return fmt.Errorf("change table: %w", err)
	}
	if err := comment(ctx, conn, c); err != nil {
		return err
	}
	if old == string(c.Schema) {
		return nil
	}
	_, err = conn.ExecContext(ctx, "INSERT INTO warehouse.estela.contracts VALUES (?, ?, ?, now())", c.Name, c.Version, string(c.Schema))
	return err
}

// storedSchema returns the contract last registered under the name, "" if there is none.
func storedSchema(ctx context.Context, conn *database.Conn, name string) (string, error) {
	var schema string
	err := conn.QueryRowContext(ctx,
		"SELECT schema FROM warehouse.estela.contracts WHERE dataset = ? ORDER BY applied_at DESC LIMIT 1", name).Scan(&schema)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return schema, err
}

// alterations returns the statements that migrate a table with the columns have to the contract.
func alterations(c *contract.Contract, have []database.Field) []string {
	t := datasetTable(c.Name).String()
	if len(have) == 0 {
		return []string{"CREATE TABLE " + t + " " + database.ColumnList(slices.Concat(contractFields(c), systemFields))}
	}
	kinds := make(map[string]string, len(have))
	for _, f := range have {
		kinds[f.Name] = f.Type
	}
	var all []string
	for _, f := range contractFields(c) {
		switch kind, ok := kinds[f.Name]; {
		case !ok:
			all = append(all, "ALTER TABLE "+t+" ADD COLUMN "+database.QuoteName(f.Name)+" "+f.Type)
		case kind != f.Type:
			all = append(all, "ALTER TABLE "+t+" ALTER COLUMN "+database.QuoteName(f.Name)+" TYPE "+f.Type)
		}
	}
	return all
}

// contractFields returns the contract's columns, with types as DuckDB lists them.
func contractFields(c *contract.Contract) []database.Field {
	fields := make([]database.Field, len(c.Columns))
	for i, property := range c.Columns {
		fields[i] = database.Field{Name: property.Name, Type: property.Type.String()}
		if property.Type == column.TimestampTZ {
			fields[i].Type = "TIMESTAMP WITH TIME ZONE"
		}
	}
	return fields
}

// applyViews runs the statements if they, the contract or the reference tables have changed since the last
// time.
func applyViews(ctx context.Context, conn *database.Conn, c *contract.Contract, views, references string) error {
	if strings.TrimSpace(views) == "" {
		return nil
	}
	name := "views of " + c.Name
	hash := digest([]byte(c.Version + "\n" + references + views))
	done, err := marker(ctx, conn, name)
	if err != nil || done == hash {
		return err
	}
	return database.Transaction(ctx, conn, func() error {
		if err := database.ExecAll(ctx, conn, views); err != nil {
			return fmt.Errorf("create views: %w", err)
		}
		return setMarker(ctx, conn, name, hash)
	})
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
