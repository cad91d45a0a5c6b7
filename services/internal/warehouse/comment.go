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
	table := datasetTable(c.Name).String()
	var all []string
	add := func(name, on, text string) {
		if have[name] != text {
			all = append(all, "COMMENT ON "+on+" IS "+commentText(text))
		}
	}
	add("", "TABLE "+table, c.Description)
	for _, column := range c.Columns {
		add(column.Name, "COLUMN "+table+"."+database.QuoteName(column.Name), column.Comment())
	}
	if err := database.ExecAll(ctx, conn, all...); err != nil {
		return fmt.Errorf("comment table: %w", err)
	}
	return nil
}

// commentText quotes a comment; NULL removes it.
func commentText(text string) string {
	if text == "" {
		return "NULL"
	}
	return database.QuoteText(text)
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
