package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// scratch is a throw-away DuckDB instance that may read files, with a database
// in a directory of its own. It has one thread: with more, a join, a group or a window
// gives its rows in another order each time, and an interrupted publish goes on by their
// number.
type scratch struct {
	dir  string
	db   *sql.DB
	conn *sql.Conn
	raw  mapping.Connection
}

func openScratch(ctx context.Context, memoryLimit string) (*scratch, error) {
	dir, err := os.MkdirTemp("", "estela-")
	if err != nil {
		return nil, fmt.Errorf("make temporary directory: %w", err)
	}
	s := &scratch{dir: dir}
	if err := s.open(ctx, memoryLimit); err != nil {
		return nil, errors.Join(fmt.Errorf("start DuckDB for files: %w", err), s.close())
	}
	return s, nil
}

func (s *scratch) open(ctx context.Context, memoryLimit string) error {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return err
	}
	s.db = sql.OpenDB(connector)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	if s.raw, err = rawConnection(s.conn); err != nil {
		return err
	}
	if memoryLimit == "" {
		memoryLimit = "2GB"
	}
	return execAll(ctx, s.conn,
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET GLOBAL TimeZone = 'UTC'",
		"SET threads = 1",
		"SET memory_limit = "+quoteText(memoryLimit),
		"SET temp_directory = "+quoteText(filepath.Join(s.dir, "spill")),
		"ATTACH "+quoteText(filepath.Join(s.dir, "scratch.duckdb"))+" AS scratch",
		"USE scratch",
	)
}

// loadCSV makes the reference table of a CSV file.
func (s *scratch) loadCSV(ctx context.Context, name string, content []byte) error {
	return fillReference(ctx, s.conn, table{"scratch", "main", name}, name, content)
}

// close removes the instance and all its files.
func (s *scratch) close() error {
	var errs []error
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
