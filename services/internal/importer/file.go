package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/reference"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// ErrNoRows is the error of a file without a row.
var ErrNoRows = errors.New("there is no row in it")

// Config configures what to read and how to convert it.
type Config struct {
	// Path is the file, Reader what to read instead, for example standard input.
	Path   string
	Reader io.Reader
	// Name is the name in messages of a file that is part of a dataset, which must be UTF-8.
	//
	// Default: Path, or "standard input".
	Name string
	// Format and Encoding are the file's.
	//
	// Default: detected; UTF-8.
	Format   tabular.Format
	Encoding string
	// Mapping is a query over the table "source" whose rows become documents; see the package.
	// MappingName is its name in messages.
	//
	// Default: the file's columns as they are.
	Mapping, MappingName string
	// MapFormats are the formats that the mapping is for; files of others are read without it.
	//
	// Default: all.
	MapFormats []tabular.Format
	// References are tables for the mapping: name -> CSV with a header.
	References map[string][]byte
	// Shape is the contract's description of the documents.
	//
	// Default: any.
	Shape contract.Shape
	// Warn is called with warnings.
	//
	// Default: none.
	Warn func(string)
	// MemoryLimit bounds DuckDB's memory for the file.
	//
	// Default: "2GB".
	MemoryLimit string
}

// File is an open file of events.
type File struct {
	cfg     Config
	in      *tabular.Input
	opened  *os.File          // to be closed, if Path was given
	scratch *database.Scratch // nil if the file needs no SQL
	columns []string          // of source
	rows    int64             // read so far by Each, including invalid ones
}

// Document is one row of a file. JSON and Text are valid until the callback returns.
//
// An invalid row has a Problem, and the data to correct: its JSON, with invalid fields as their text in
// the file or null; or its Text, if it could not be parsed. A row that is too long has neither.
type Document struct {
	// Line is the row's position in the file, from 1: the line of a text, the row of a Parquet
	// file; the row of the result if the mapping does not select _row.
	Line    int64
	JSON    []byte
	Text    []byte
	Problem error
}

// Open opens a file. The caller closes it.
func Open(ctx context.Context, cfg Config) (*File, error) {
	f := &File{cfg: cfg}
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", f.name(), f.hidePaths(err)), f.Close())
	}
	return f, nil
}

func (f *File) name() string {
	switch {
	case f.cfg.Name != "":
		return f.cfg.Name
	case f.cfg.Reader != nil:
		return "standard input"
	}
	return f.cfg.Path
}

func (f *File) open(ctx context.Context) error {
	from := f.cfg.Reader
	if from == nil {
		opened, err := os.Open(f.cfg.Path)
		if err != nil {
			return withoutPath(err)
		}
		from, f.opened = opened, opened
	}
	var err error
	if f.in, err = tabular.Open(from, tabular.Options{Name: f.cfg.Path, Format: f.cfg.Format, Encoding: f.cfg.Encoding, UTF8: f.cfg.Name != ""}); err != nil {
		return withoutPath(err)
	}
	if f.cfg.MapFormats != nil && !slices.Contains(f.cfg.MapFormats, f.in.Format) {
		f.cfg.Mapping = ""
	}
	if !f.in.Format.ReadByDuckDB() && f.cfg.Mapping == "" {
		return nil
	}
	if f.scratch, err = database.OpenScratch(ctx, f.cfg.MemoryLimit); err != nil {
		return err
	}
	return f.prepare(ctx)
}

// withoutPath removes the path from an error, as the caller adds the name.
func withoutPath(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// prepare loads the reference tables and, for Parquet, creates source.
func (f *File) prepare(ctx context.Context) error {
	for name, content := range f.cfg.References {
		if err := reference.Fill(ctx, f.scratch.Conn, f.scratch.Table(name), name, content); err != nil {
			return fmt.Errorf("load reference table %s: %w", name, err)
		}
	}
	if f.in.Format.ReadByDuckDB() {
		return f.viewParquet(ctx)
	}
	return nil
}

// Format returns the file's format, Auto if it has no rows.
func (f *File) Format() tabular.Format { return f.in.Format }

// Rows returns the number of documents of a Parquet file, 0 if it can't be known without reading.
func (f *File) Rows(ctx context.Context) (int64, error) {
	if !f.in.Format.ReadByDuckDB() || f.cfg.Mapping != "" {
		return 0, nil
	}
	var n int64
	if err := f.scratch.Conn.QueryRowContext(ctx, "SELECT count(*) FROM source").Scan(&n); err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", f.name(), f.hidePaths(err))
	}
	return n, nil
}

// Each calls fn with every row, once, until it returns an error. Invalid rows have a Problem: with a
// mapping they come first, otherwise in order. A file without a row is ErrNoRows.
func (f *File) Each(ctx context.Context, fn func(Document) error) error {
	var failed error // fn's
	counted := func(d Document) error {
		f.rows++
		failed = fn(d)
		return failed
	}
	err := f.each(ctx, counted)
	switch {
	case failed != nil && errors.Is(err, failed):
		return fmt.Errorf("read %s: %w", f.name(), err)
	case err == nil && f.rows == 0:
		err = ErrNoRows
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.name(), f.hidePaths(err))
	}
	return nil
}

func (f *File) each(ctx context.Context, fn func(Document) error) error {
	if f.scratch == nil {
		return f.eachText(ctx, fn)
	}
	loaded, err := f.load(ctx, fn)
	if err != nil || !loaded {
		return err
	}
	before := f.rows
	if err := f.eachResult(ctx, fn); err != nil {
		return err
	}
	if f.rows == before && f.cfg.Mapping != "" {
		return f.emptyResult(ctx)
	}
	return nil
}

// emptyResult returns an error if source has rows, but the mapping returned none.
func (f *File) emptyResult(ctx context.Context) error {
	var n int64
	err := f.scratch.Conn.QueryRowContext(ctx, "SELECT count(*) FROM source").Scan(&n)
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%s makes no event of its %d rows", f.mappingName(), n)
}

// eachText converts a file without SQL.
func (f *File) eachText(ctx context.Context, fn func(Document) error) error {
	if f.in.Format.IsTable() {
		t, err := f.in.Table()
		if err != nil {
			return err
		}
		if err := f.checkHeader(t.Header); err != nil {
			return err
		}
		f.warnUnknown(t.Header)
		return t.Each(ctx, f.recordsOf(t, fn))
	}
	return f.in.Documents(ctx, func(line int64, doc []byte, problem error) error {
		return fn(Document{Line: line, JSON: doc, Problem: problem})
	})
}

// load fills source. It reports whether source exists.
func (f *File) load(ctx context.Context, fn func(Document) error) (bool, error) {
	switch {
	case f.in.Format.ReadByDuckDB():
		return true, nil
	case f.in.Format.IsTable():
		return f.loadTable(ctx, fn)
	default:
		return f.loadDocuments(ctx, fn)
	}
}

// Close closes the file and removes the temporary instance.
func (f *File) Close() error {
	var errs []error
	if f.in != nil {
		f.in.Close()
	}
	if f.scratch != nil {
		errs = append(errs, f.scratch.Close())
	}
	if f.opened != nil {
		errs = append(errs, f.opened.Close())
	}
	return errors.Join(errs...)
}
