package warehouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// promised reports whether an event of the dataset was ever stored or dropped as a duplicate: only then is
// its contract binding. have are the table's columns.
func promised(ctx context.Context, conn *database.Conn, dataset string, have []database.Field) (bool, error) {
	var stored bool
	err := conn.QueryRowContext(ctx, `SELECT count(*) > 0 FROM warehouse.estela.positions
		WHERE dataset = ? AND ("rows" > 0 OR duplicates > 0)`, dataset).Scan(&stored)
	if err != nil || stored || len(have) == 0 {
		return stored, err
	}
	err = conn.QueryRowContext(ctx, "SELECT count(*) > 0 FROM (FROM "+datasetTable(dataset).String()+" LIMIT 1)").Scan(&stored)
	return stored, err
}

// removesUsedShards reports whether the contract removes shards that have a position or rejects, which no
// worker would own.
func removesUsedShards(ctx context.Context, conn *database.Conn, c *contract.Contract) (bool, error) {
	var found bool
	err := conn.QueryRowContext(ctx, `SELECT
		(SELECT count(*) > 0 FROM warehouse.estela.positions WHERE dataset = $1 AND shard >= $2 AND (last_ms > 0 OR last_seq > 0))
		OR (SELECT count(*) > 0 FROM warehouse.estela.rejects WHERE dataset = $1 AND shard >= $2)`, c.Name, c.Shards).Scan(&found)
	return found, err
}

// dropUnused drops a table in which no event was ever stored, with its contracts, so that it can be created
// by a breaking one; if the table is in use, it returns refused. Positions and rejects stay: a reject
// can be replayed by the new contract.
func dropUnused(ctx context.Context, conn *database.Conn, c *contract.Contract, have []database.Field, refused error) ([]database.Field, error) {
	bound, err := promised(ctx, conn, c.Name, have)
	if err == nil && !bound {
		bound, err = removesUsedShards(ctx, conn, c)
	}
	if err != nil {
		return have, err
	}
	if bound {
		return have, refused
	}
	if _, err := conn.ExecContext(ctx, "DELETE FROM warehouse.estela.contracts WHERE dataset = ?", c.Name); err != nil {
		return have, err
	}
	return nil, database.ExecAll(ctx, conn, "DROP TABLE IF EXISTS "+datasetTable(c.Name).String())
}

// checkBreaks compares the contract with the stored one and with the table's columns.
func checkBreaks(c *contract.Contract, schema string, have []database.Field) error {
	if schema == string(c.Schema) {
		return nil
	}
	old, err := contract.Parse(c.Name, "the stored contract of "+c.Name, []byte(schema))
	if err != nil {
		return fmt.Errorf("read the stored contract: %w", err)
	}
	if changes := append(c.Breaks(old), checkRetired(c, old, have)...); len(changes) > 0 {
		return &RefusedError{Dataset: c.Name, Changes: changes}
	}
	return nil
}

// isFinal reports whether the error is not one of changes that can be accepted.
func isFinal(err error) bool {
	var refused *RefusedError
	return !errors.As(err, &refused) || slices.ContainsFunc(refused.Changes, func(c contract.Change) bool { return c.Fixed })
}

// checkRetired refuses a new property whose name is that of a column with another type, left from an earlier
// contract.
func checkRetired(c, old *contract.Contract, have []database.Field) (changes []contract.Change) {
	for _, f := range contractFields(c) {
		known := slices.ContainsFunc(old.Columns, func(was contract.Column) bool { return was.Name == f.Name })
		for _, left := range have {
			if !known && left.Name == f.Name && left.Type != f.Type {
				changes = append(changes, contract.Change{
					Pointer: "/properties/" + f.Name, Fixed: true,
					Reason: fmt.Sprintf("the table has a column of that name and of type %s, from an earlier contract: choose another name", left.Type),
				})
			}
		}
	}
	return changes
}
