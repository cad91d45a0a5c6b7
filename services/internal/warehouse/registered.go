package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// Registered is a dataset that is registered in the warehouse.
type Registered struct {
	Dataset string `json:"dataset"`
	// Schema is its contract.
	Schema string `json:"schema"`
	// Versions are the versions of all its contracts, earlier ones included.
	Versions []string `json:"versions"`
	// Rows is the number of rows in its table.
	Rows int64 `json:"rows"`
	// Promised: an event was ever stored, so the contract is binding.
	Promised bool `json:"promised"`
}

// Contract parses the schema.
func (r Registered) Contract() (*contract.Contract, error) {
	return contract.Parse(r.Dataset, "the stored contract of "+r.Dataset, []byte(r.Schema))
}

// Registered returns all registered datasets, by name.
func (w *Warehouse) Registered(ctx context.Context) ([]Registered, error) {
	var all []Registered
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		if all, err = lastContracts(ctx, conn); err != nil {
			return err
		}
		for i := range all {
			there, err := columnsOf(ctx, conn, datasetTable(all[i].Dataset))
			if err != nil {
				return err
			}
			if all[i].Promised, err = promised(ctx, conn, all[i].Dataset, there); err != nil {
				return err
			}
			if len(there) == 0 {
				continue // it was dropped
			}
			count := "SELECT count(*) FROM " + datasetTable(all[i].Dataset).String()
			if err := conn.QueryRowContext(ctx, count).Scan(&all[i].Rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list registered datasets: %w", err)
	}
	return all, nil
}

func lastContracts(ctx context.Context, conn *database.Conn) ([]Registered, error) {
	scan := func(rows *sql.Rows) (Registered, error) {
		var r Registered
		var versions string
		err := rows.Scan(&r.Dataset, &r.Schema, &versions)
		r.Versions = strings.Fields(versions)
		return r, err
	}
	return database.Collect(ctx, conn, scan, `SELECT dataset, arg_max(schema, applied_at), string_agg(DISTINCT version, ' ')
		FROM warehouse.estela.contracts GROUP BY ALL ORDER BY dataset`)
}
