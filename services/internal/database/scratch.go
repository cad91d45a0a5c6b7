package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/duckdb/duckdb-go/v2"
)

// Scratch is a temporary DuckDB instance that may read files, with a database "scratch" in a temporary
// directory. It has one thread: with more, the order of a query's rows varies, and an interrupted
// publish resumes by row number.
type Scratch struct {
	Conn *Conn
	Dir  string

	db *sql.DB
}

// OpenScratch opens a Scratch. The caller closes it. memoryLimit is DuckDB's, 2GB by default.
func OpenScratch(ctx context.Context, memoryLimit string) (*Scratch, error) {
	dir, err := os.MkdirTemp("", "estela-")
	if err != nil {
		return nil, fmt.Errorf("make temporary directory: %w", err)
	}
	s := &Scratch{Dir: dir}
	if err := s.open(ctx, memoryLimit); err != nil {
		return nil, errors.Join(fmt.Errorf("start DuckDB for files: %w", err), s.Close())
	}
	return s, nil
}

func (s *Scratch) open(ctx context.Context, memoryLimit string) error {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return err
	}
	s.db = sql.OpenDB(connector)
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	if s.Conn, err = NewConn(conn); err != nil {
		return err
	}
	if err := registerRows(s.Conn); err != nil {
		return err
	}
	if memoryLimit == "" {
		memoryLimit = "2GB"
	}
	return ExecAll(ctx, s.Conn,
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET GLOBAL TimeZone = 'UTC'",
		"SET threads = 1",
		"SET memory_limit = "+QuoteText(memoryLimit),
		"SET temp_directory = "+QuoteText(filepath.Join(s.Dir, "spill")),
		"ATTACH "+QuoteText(filepath.Join(s.Dir, "scratch.duckdb"))+" AS scratch",
		"USE scratch",
	)
}

// Table returns a table of the scratch database.
func (s *Scratch) Table(name string) Table { return Table{"scratch", "main", name} }

// Close closes the instance and removes its files.
func (s *Scratch) Close() error {
	var errs []error
	if s.Conn != nil {
		errs = append(errs, s.Conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.Dir))...)
}
