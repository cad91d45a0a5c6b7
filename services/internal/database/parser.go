package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/estela-dev/estela/services/internal/statement"
)

// Parser returns DuckDB's parser, in an instance without data: it parses statements without planning them
// and without a warehouse. The caller closes it by end, once.
func Parser(ctx context.Context) (parse statement.Parser, end func() error, err error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("start DuckDB: %w", err)
	}
	db := sql.OpenDB(connector)
	if err := ExecAll(ctx, db, "SET threads = 1", "SET enable_external_access = false", "SET lock_configuration = true"); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("configure DuckDB: %w", err), db.Close())
	}
	parse = func(ctx context.Context, query string) (text string, err error) {
		err = db.QueryRowContext(ctx, statement.ParseQuery, sql.Named("query", query)).Scan(&text)
		return text, err
	}
	return parse, db.Close, nil
}
