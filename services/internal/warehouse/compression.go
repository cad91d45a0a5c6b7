package warehouse

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/database"
)

const (
	// compressFrom and compressTo are the rows of a table between which its columns' compression is
	// decided: fewer say little about the values, and more take seconds to write again.
	compressFrom, compressTo = 10_000, 1_000_000
	// nearlyUnique is the share of distinct values from which a text column is compressed with zstd.
	nearlyUnique = 0.5
)

// compressionMarker is the marker of the decision on a dataset's columns.
func compressionMarker(dataset string) string { return "compression of " + dataset }

// fitCompression decides, once, how the columns of the dataset's table are compressed, and writes the table
// again if not by DuckDB's own choice. That is a dictionary for each text column, which costs most of a
// commit, and space, where hardly any value occurs twice; there zstd is better. (Measured with flights,
// two of whose eight texts are unique: 1.08 against 1.34 µs of CPU a row committed, 37 against 41 bytes.) DuckDB takes
// the compression of a column at CREATE TABLE only. A larger table of an older version stays as it is.
//
// It is an optimization: if it fails, that is logged and the table stays as it is.
func (w *Warehouse) fitCompression(ctx context.Context, conn *database.Conn, dataset string, lay *layout) {
	if w.Remote() || lay.compressed.Swap(true) {
		return
	}
	zstd, err := w.compress(ctx, conn, dataset, lay.fields)
	switch {
	case err != nil:
		w.cfg.Database.Logger.Warn("the table's columns keep their compression", slog.String("dataset", dataset), slog.Any("error", err))
	case len(zstd) > 0:
		w.cfg.Database.Logger.Info("compressed columns of nearly unique texts with zstd",
			slog.String("dataset", dataset), slog.String("columns", database.Names(zstd)))
	}
}

// compress returns the columns that it compressed.
func (w *Warehouse) compress(ctx context.Context, conn *database.Conn, dataset string, fields []database.Field) ([]database.Field, error) {
	decided, err := marker(ctx, conn, compressionMarker(dataset))
	if err != nil || decided != "" {
		return nil, err
	}
	zstd, rows, err := nearlyUniqueTexts(ctx, conn, dataset, fields)
	switch {
	case err != nil:
		return nil, fmt.Errorf("count distinct values: %w", err)
	case rows < compressFrom: // most are deleted: decided after the next start
		return nil, nil
	case rows > compressTo:
		zstd = nil
	}
	comments, err := commentsOf(ctx, conn, datasetTable(dataset))
	if err != nil {
		return nil, err
	}
	return zstd, database.Transaction(ctx, conn, func() error {
		if len(zstd) > 0 {
			if err := rewrite(ctx, conn, dataset, fields, zstd, comments); err != nil {
				return err
			}
		}
		return setMarker(ctx, conn, compressionMarker(dataset), "zstd: "+database.Names(zstd))
	})
}

// nearlyUniqueTexts returns the text columns that have hardly any value twice, and the number of rows.
func nearlyUniqueTexts(ctx context.Context, conn *database.Conn, dataset string, fields []database.Field) (zstd []database.Field, rows int64, err error) {
	var texts []database.Field
	var conditions []string
	for _, f := range fields {
		if f.Type == "VARCHAR" || f.Type == "JSON" {
			name := database.QuoteName(f.Name)
			texts = append(texts, f)
			conditions = append(conditions, fmt.Sprintf("approx_count_distinct(%s) > %g * count(*)", name, nearlyUnique))
		}
	}
	unique := make([]bool, len(texts))
	found := []any{&rows}
	for i := range unique {
		found = append(found, &unique[i])
	}
	query := "SELECT " + strings.Join(append([]string{"count(*)"}, conditions...), ", ") + " FROM " + datasetTable(dataset).String()
	if err := conn.QueryRowContext(ctx, query).Scan(found...); err != nil {
		return nil, 0, err
	}
	for i, f := range texts {
		if unique[i] {
			zstd = append(zstd, f)
		}
	}
	return zstd, rows, nil
}

// rewrite recreates the table with the columns zstd compressed so, inside a transaction.
func rewrite(ctx context.Context, conn *database.Conn, dataset string, fields, zstd []database.Field, comments map[string]string) error {
	compressed := make([]database.Field, len(fields))
	for i, f := range fields {
		compressed[i] = f
		if slices.Contains(zstd, f) {
			compressed[i].Type += " USING COMPRESSION zstd"
		}
	}
	table, next := datasetTable(dataset), datasetTable(dataset+" compressed")
	all := []string{
		// A commit meanwhile, of another handle, would go to the table that is dropped: it conflicts here.
		"UPDATE warehouse.estela.positions SET rev = rev WHERE dataset = " + database.QuoteText(dataset),
		"CREATE TABLE " + next.String() + " " + database.ColumnList(compressed),
		"INSERT INTO " + next.String() + " SELECT * FROM " + table.String(),
		"DROP TABLE " + table.String(),
		"ALTER TABLE " + next.String() + " RENAME TO " + database.QuoteName(table.Name),
	}
	for column, text := range comments {
		all = append(all, commentOn(table, column, text))
	}
	return database.ExecAll(ctx, conn, all...)
}
