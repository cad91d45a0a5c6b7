package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

// Format is a kind of file that events come in.
type Format string

// The formats.
const (
	CSV     Format = "csv"     // RFC 4180 with a header; comma, semicolon, tab or bar
	NDJSON  Format = "ndjson"  // a JSON document a line
	Parquet Format = "parquet" // columns by name
)

// maxLine bounds a line of a text file.
const maxLine = 16 << 20

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(strings.ToLower(name)); f {
	case CSV, NDJSON, Parquet:
		return f, nil
	case "json", "jsonl":
		return NDJSON, nil
	default:
		return "", fmt.Errorf("unknown file format %q: use csv, ndjson or parquet", name)
	}
}

// FileConfig says what to read and how rows become documents.
type FileConfig struct {
	// Path is the file, Reader what to read in its place, for example standard
	// input.
	Path   string
	Reader io.Reader
	Format Format
	// Mapping is a query over the table "source" whose rows become documents;
	// see OpenFile.
	//
	// Default: the file's columns as they are.
	Mapping string
	// References are tables for the mapping: name -> CSV with a header.
	References map[string][]byte
	// Types tell what the columns of a CSV file without mapping are. Without
	// one, what reads as a JSON number, true or false is that.
	Types map[string]contract.Type
	// MemoryLimit bounds DuckDB's memory for the file.
	//
	// Default: "2GB".
	MemoryLimit string
}

// File is a file of events, opened.
type File struct {
	cfg     FileConfig
	in      io.Reader
	opened  *os.File // to be closed, if Path was given
	scratch *scratch // nil if the file needs no SQL
}

// Document is one row of a file. JSON is valid until the callback returns. A
// row that could not be read has a Problem in place of JSON.
type Document struct {
	// Line is where the row is in the file, from 1: the line of a CSV or NDJSON
	// file, the row of a Parquet file; the number of the result's row if the
	// mapping does not pass _row through.
	Line    int64
	JSON    []byte
	Problem error
}

// OpenFile opens a file whose rows become JSON documents. NDJSON and CSV without
// a mapping are read as they come. Otherwise a throw-away DuckDB instance, which
// alone may read files, answers the mapping: a query that sees
//
//   - source: the file's rows. CSV columns are VARCHAR (an empty one NULL), so
//     that one odd value does not change a column's type: use TRY_CAST. The column
//     _row is the line or row number; a mapping that passes it on lets reports
//     name it.
//   - each reference table under its name,
//   - timezone_at(latitude, longitude): the name of the time zone there.
//
// In the documents, columns that are NULL are left out and TIMESTAMPTZ values
// are in UTC ("2001-01-13T14:56:00Z"). The caller closes the file.
func OpenFile(ctx context.Context, cfg FileConfig) (*File, error) {
	f := &File{cfg: cfg, in: cfg.Reader}
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", f.name(), err), f.Close())
	}
	return f, nil
}

func (f *File) name() string {
	if f.cfg.Reader != nil {
		return string(f.cfg.Format) + " input"
	}
	return f.cfg.Path
}

func (f *File) open(ctx context.Context) error {
	if _, err := ParseFormat(string(f.cfg.Format)); err != nil {
		return err
	}
	if f.in == nil {
		opened, err := os.Open(f.cfg.Path)
		if err != nil {
			return err
		}
		f.in, f.opened = opened, opened
	}
	if f.cfg.Format != Parquet && f.cfg.Mapping == "" {
		return nil
	}
	var err error
	if f.scratch, err = openScratch(ctx, f.cfg.MemoryLimit); err != nil {
		return err
	}
	return f.prepare(ctx)
}

// prepare makes what the mapping needs besides the rows.
func (f *File) prepare(ctx context.Context) error {
	for name, content := range f.cfg.References {
		if err := f.scratch.loadCSV(ctx, name, content); err != nil {
			return fmt.Errorf("load reference table %s: %w", name, err)
		}
	}
	if strings.Contains(strings.ToLower(f.cfg.Mapping), "timezone_at") {
		if err := registerTimezones(f.scratch.conn); err != nil {
			return err
		}
	}
	if f.cfg.Format == Parquet {
		return f.viewParquet(ctx)
	}
	return nil
}

func (f *File) viewParquet(ctx context.Context) error {
	path := f.cfg.Path
	if f.opened == nil {
		path = filepath.Join(f.scratch.dir, "input.parquet")
		if err := spool(path, f.in); err != nil {
			return err
		}
	}
	return execAll(ctx, f.scratch.conn, "CREATE VIEW source AS SELECT file_row_number + 1 AS _row, * EXCLUDE (file_row_number) FROM read_parquet("+
		quoteText(path)+", file_row_number = true)")
}

func spool(path string, in io.Reader) error {
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("spool input: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("spool input: %w", err)
	}
	return nil
}

// Rows is the number of rows in a Parquet file, 0 where only reading would tell.
func (f *File) Rows(ctx context.Context) (int64, error) {
	if f.cfg.Format != Parquet {
		return 0, nil
	}
	var n int64
	if err := f.scratch.conn.QueryRowContext(ctx, "SELECT count(*) FROM source").Scan(&n); err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", f.name(), err)
	}
	return n, nil
}

// Each calls fn with every row, once, until it returns an error. Rows that can't
// be read come as problems: with a mapping all of them first, otherwise where
// they are.
func (f *File) Each(ctx context.Context, fn func(Document) error) error {
	err := f.each(ctx, fn)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.name(), err)
	}
	return nil
}

func (f *File) each(ctx context.Context, fn func(Document) error) error {
	switch {
	case f.cfg.Format == Parquet:
	case f.cfg.Format == CSV && f.scratch == nil:
		return eachCSV(ctx, f.in, documentsOf(f.cfg.Types, fn))
	case f.cfg.Format == CSV:
		if err := f.loadCSV(ctx, fn); err != nil {
			return err
		}
	case f.scratch == nil:
		return eachLine(ctx, f.in, func(line int64, text []byte, problem error) error {
			return fn(Document{Line: line, JSON: text, Problem: problem})
		})
	default:
		if err := f.loadNDJSON(ctx, fn); err != nil {
			return err
		}
	}
	return f.eachResult(ctx, fn)
}

// Close frees the file and what was made for it.
func (f *File) Close() error {
	var errs []error
	if f.scratch != nil {
		errs = append(errs, f.scratch.close())
	}
	if f.opened != nil {
		errs = append(errs, f.opened.Close())
	}
	return errors.Join(errs...)
}
