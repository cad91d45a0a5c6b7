package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// layout is the columns of a dataset's table, in order: the contract's, the system columns, and those of
// later contracts.
type layout struct {
	fields     []database.Field
	compressed atomic.Bool // see Warehouse.fitCompression
}

// layout returns the dataset's layout, from a cache.
func (w *Warehouse) layout(ctx context.Context, conn *database.Conn, dataset string) (*layout, error) {
	if lay, ok := w.layouts.Load(dataset); ok {
		return lay.(*layout), nil //nolint:forcetypeassert // nothing else is stored
	}
	fields, err := columnsOf(ctx, conn, datasetTable(dataset))
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("dataset %s has no table: register its contract first", dataset)
	}
	lay := &layout{fields: fields}
	w.layouts.Store(dataset, lay)
	return lay, nil
}

// columnsOf lists the columns of a table, none if there is no such table.
func columnsOf(ctx context.Context, conn *database.Conn, of database.Table) ([]database.Field, error) {
	scan := func(rows *sql.Rows) (f database.Field, err error) {
		err = rows.Scan(&f.Name, &f.Type)
		return f, err
	}
	fields, err := database.Collect(ctx, conn, scan, `SELECT column_name, data_type FROM information_schema.columns
		WHERE table_catalog = ? AND table_schema = ? AND table_name = ? ORDER BY ordinal_position`, of.Catalog, of.Schema, of.Name)
	if err != nil {
		return nil, fmt.Errorf("read columns of %s: %w", of, err)
	}
	return fields, nil
}

// values returns the batch's columns in the table's order. Columns that only another contract has are
// NULL.
func (l *layout) values(b *contract.Batch, at time.Time) []database.Values {
	byName := map[string]database.Values{
		"_shard":       database.Constant(int32(b.Shard)),
		"_stream_ms":   database.Numbers(b.MS),
		"_stream_seq":  database.Numbers(b.Seq),
		"_line":        database.Numbers(b.Line),
		"_ingested_at": database.Constant(at.UnixMicro()),
	}
	if b.Unstreamed {
		byName["_stream_seq"] = database.Values{Null: true}
	}
	for i, c := range b.Contract.Columns {
		byName[c.Name] = database.Vector(&b.Columns[i])
	}
	all := make([]database.Values, len(l.fields))
	for i, f := range l.fields {
		s, ok := byName[f.Name]
		s.Null = s.Null || !ok
		all[i] = s
	}
	return all
}
