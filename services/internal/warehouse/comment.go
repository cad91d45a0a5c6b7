package warehouse

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// comment documents the dataset's table and its columns with the contract's texts, so that they
// are seen by whoever opens the warehouse. It reads the comments that are there and changes those
// that differ: COMMENT ON, like ALTER TABLE, conflicts with writers.
func comment(ctx context.Context, conn *database.Conn, c *contract.Contract) error {
	have, err := commentsOf(ctx, conn, datasetTable(c.Name))
	if err != nil {
		return err
	}
	var all []string
	add := func(column, text string) {
		if have[column] != text {
			all = append(all, commentOn(datasetTable(c.Name), column, text))
		}
	}
	add("", c.Description)
	for _, column := range c.Columns {
		add(column.Name, column.Comment())
	}
	if err := database.ExecAll(ctx, conn, all...); err != nil {
		return fmt.Errorf("comment table: %w", err)
	}
	return nil
}

// commentOn returns the statement that comments a column, or the table if the name is empty; an empty text
// removes the comment.
func commentOn(table database.Table, column, text string) string {
	on, is := "TABLE "+table.String(), "NULL"
	if column != "" {
		on = "COLUMN " + table.String() + "." + database.QuoteName(column)
	}
	if text != "" {
		is = database.QuoteText(text)
	}
	return "COMMENT ON " + on + " IS " + is
}

// commentsOf reads the comments of a table's columns, by name; that of the table has no name.
func commentsOf(ctx context.Context, conn *database.Conn, of database.Table) (map[string]string, error) {
	comments := map[string]string{}
	scan := func(rows *sql.Rows) (struct{}, error) {
		var name, text string
		err := rows.Scan(&name, &text)
		comments[name] = text
		return struct{}{}, err
	}
	_, err := database.Collect(ctx, conn, scan, `SELECT column_name, comment FROM duckdb_columns()
		WHERE database_name = $1 AND schema_name = $2 AND table_name = $3 AND comment IS NOT NULL
		UNION ALL SELECT '', comment FROM duckdb_tables()
		WHERE database_name = $1 AND schema_name = $2 AND table_name = $3 AND comment IS NOT NULL`, of.Catalog, of.Schema, of.Name)
	if err != nil {
		return nil, fmt.Errorf("read comments of %s: %w", of, err)
	}
	return comments, nil
}
