package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// layout is the columns of a dataset's table, in its order: the contract's and
// the place columns, and after those what later contracts added.
type layout struct{ fields []field }

// layout gives the dataset's, as Register left it.
func (d *database) layout(ctx context.Context, s *session, dataset string) (*layout, error) {
	if lay, ok := d.layouts.Load(dataset); ok {
		return lay.(*layout), nil //nolint:forcetypeassert // nothing else is stored
	}
	fields, err := columnsOf(ctx, s.conn, datasetTable(dataset))
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("dataset %s has no table: register its contract first", dataset)
	}
	lay := &layout{fields}
	d.layouts.Store(dataset, lay)
	return lay, nil
}

// columnsOf lists the columns of a table, none if there is no such table.
func columnsOf(ctx context.Context, conn *sql.Conn, of table) ([]field, error) {
	rows, err := conn.QueryContext(ctx, `SELECT column_name, data_type FROM information_schema.columns
		WHERE table_catalog = ? AND table_schema = ? AND table_name = ? ORDER BY ordinal_position`, of.catalog, of.schema, of.name)
	if err != nil {
		return nil, fmt.Errorf("read columns of %s: %w", of, err)
	}
	defer rows.Close()
	var fields []field
	for rows.Next() {
		var f field
		if err := rows.Scan(&f.name, &f.kind); err != nil {
			return nil, fmt.Errorf("read columns of %s: %w", of, err)
		}
		fields = append(fields, f)
	}
	return fields, rows.Err()
}

// sources are the batch's columns in the table's order. A column that the
// contract does not know was added by a newer one: its rows are NULL.
func (l *layout) sources(b *contract.Batch, at time.Time) []source {
	byName := map[string]source{
		"_shard":       constant(int32(b.Shard)),
		"_stream_ms":   numbers(b.MS),
		"_stream_seq":  numbers(b.Seq),
		"_line":        numbers(b.Line),
		"_ingested_at": constant(at.UnixMicro()),
	}
	if b.Unstreamed {
		byName["_stream_seq"] = source{null: true}
	}
	for i, c := range b.Contract.Columns {
		byName[c.Name] = vectorSource(&b.Columns[i])
	}
	all := make([]source, len(l.fields))
	for i, f := range l.fields {
		s, ok := byName[f.name]
		s.null = s.null || !ok
		all[i] = s
	}
	return all
}
