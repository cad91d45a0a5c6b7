package warehouse

import (
	"context"
	"errors"
	"fmt"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

func referenceMarker(name string) string { return "reference table " + name }

// loadReference replaces the table by the file's rows if the file is another
// than the one it was loaded from. The file is parsed by a throw-away instance,
// because this one must not read files.
func (w *Warehouse) loadReference(ctx context.Context, s *session, name string, content []byte) (err error) {
	hash := digest(content)
	done, err := marker(ctx, s.conn, referenceMarker(name))
	if err != nil || done == hash {
		return err
	}
	from, err := openScratch(ctx, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if err := from.loadCSV(ctx, name, content); err != nil {
		return err
	}
	fields, err := from.columns(ctx, name)
	if err != nil {
		return err
	}
	stage := temporary("stage reference")
	if err := copyTable(ctx, s, from, name, stage, fields); err != nil {
		return err
	}
	return transaction(ctx, s.conn, func() error {
		err := execAll(ctx, s.conn,
			"CREATE OR REPLACE TABLE "+datasetTable(name).String()+" AS FROM "+stage.String(),
			"DROP TABLE "+stage.String())
		if err != nil {
			return err
		}
		return setMarker(ctx, s.conn, referenceMarker(name), hash)
	})
}

// copyTable makes the temporary table into with all rows of from's table.
func copyTable(ctx context.Context, s *session, from *scratch, name string, into table, fields []field) error {
	if err := execAll(ctx, s.conn, "CREATE OR REPLACE TEMP TABLE "+quoteName(into.name)+" "+columnList(fields)); err != nil {
		return err
	}
	a, err := newAppender(s.raw, into)
	if err != nil {
		return err
	}
	defer a.close()
	rows, err := stream(ctx, from.raw, "FROM "+quoteName(name), nil)
	if err != nil {
		return err
	}
	defer rows.close()
	if err := rows.each(ctx, func(chunk mapping.DataChunk, _ int) error { return a.appendWhole(chunk) }); err != nil {
		return fmt.Errorf("copy rows: %w", err)
	}
	return a.flush()
}
