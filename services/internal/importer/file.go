package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/reference"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// ErrNoRows is that of a file without a row.
var ErrNoRows = errors.New("there is no row in it")

// Config says what to read and how rows become documents.
type Config struct {
	// Path is the file, Reader what to read in its place, for example standard
	// input.
	Path   string
	Reader io.Reader
	// Name is what messages call a file that is part of a dataset, and so is UTF-8.
	//
	// Default: Path, or "standard input".
	Name string
	// Format and Encoding are the file's.
	//
	// Default: what its name or its content says; UTF-8.
	Format   tabular.Format
	Encoding string
	// Mapping is a query over the table "source" whose rows become documents; see the
	// package. MappingName is where it comes from, for messages.
	//
	// Default: the file's columns as they are.
	Mapping, MappingName string
	// MapTables leaves JSON documents as they are: they are events already.
	MapTables bool
	// References are tables for the mapping: name -> CSV with a header.
	References map[string][]byte
	// Shape is what the contract says of the documents.
	//
	// Default: nothing.
	Shape contract.Shape
	// Warn is called with what the user should know though it stops nothing.
	//
	// Default: nothing is called.
	Warn func(string)
	// MemoryLimit bounds DuckDB's memory for the file.
	//
	// Default: "2GB".
	MemoryLimit string
}

// File is a file of events, opened.
type File struct {
	cfg     Config
	in      *tabular.Input
	opened  *os.File          // to be closed, if Path was given
	scratch *database.Scratch // nil if the file needs no SQL
	columns []string          // of source
	rows    int64             // read from the file, faulty ones too, as far as Each counts them
}

// Document is one row of a file. JSON and Text are valid until the callback returns.
//
// A row that could not be read has a Problem, and what there is to fix: its JSON, in which
// a field at fault is the text that it is in the file, or null if it is none; or, where it
// could not be taken apart, its Text. A row that is too long has neither.
type Document struct {
	// Line is where the row is in the file, from 1: the line of a text, the row of a
	// Parquet file; the number of the result's row if the mapping does not pass _row
	// through.
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
	if f.in.Format.IsDocuments() && f.cfg.MapTables {
		f.cfg.Mapping = ""
	}
	if f.in.Format != tabular.Parquet && f.cfg.Mapping == "" {
		return nil
	}
	if f.scratch, err = database.OpenScratch(ctx, f.cfg.MemoryLimit); err != nil {
		return err
	}
	return f.prepare(ctx)
}

// withoutPath returns the error without the path, which is named anyway.
func withoutPath(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// prepare makes what the mapping needs besides the rows.
func (f *File) prepare(ctx context.Context) error {
	for name, content := range f.cfg.References {
		if err := reference.Fill(ctx, f.scratch.Conn, f.scratch.Table(name), name, content); err != nil {
			return fmt.Errorf("load reference table %s: %w", name, err)
		}
	}
	if f.in.Format == tabular.Parquet {
		return f.viewParquet(ctx)
	}
	return nil
}

// Rows is the number of documents that a Parquet file gives, 0 where only reading
// would show it.
func (f *File) Rows(ctx context.Context) (int64, error) {
	if f.in.Format != tabular.Parquet || f.cfg.Mapping != "" {
		return 0, nil
	}
	var n int64
	if err := f.scratch.Conn.QueryRowContext(ctx, "SELECT count(*) FROM source").Scan(&n); err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", f.name(), f.hidePaths(err))
	}
	return n, nil
}

// Each calls fn with every row, once, until it returns an error. Rows that can't
// be read come as problems: with a mapping all of them first, otherwise where
// they are. A file without a row is ErrNoRows.
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

// emptyResult is why a mapping gave no rows.
func (f *File) emptyResult(ctx context.Context) error {
	var n int64
	err := f.scratch.Conn.QueryRowContext(ctx, "SELECT count(*) FROM source").Scan(&n)
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%s makes no event of its %d rows", f.mappingName(), n)
}

// eachText reads a file that needs no SQL.
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

// load fills source. It reports whether there is one.
func (f *File) load(ctx context.Context, fn func(Document) error) (bool, error) {
	switch {
	case f.in.Format == tabular.Parquet:
		return true, nil
	case f.in.Format.IsTable():
		return f.loadTable(ctx, fn)
	default:
		return f.loadDocuments(ctx, fn)
	}
}

// Close frees the file and what was made for it.
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
