package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/tabular"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// fileFlags name the rows that a command reads.
type fileFlags struct {
	Dataset  string `arg:"" help:"Name of the dataset."`
	File     string `arg:"" optional:"" help:"File to read, plain or compressed with gzip or zstd; - or nothing is standard input."`
	Format   string `help:"Format of the file (${enum}); auto goes by its name, and by its content where that says nothing." enum:"auto,csv,tsv,ndjson,json,parquet" default:"auto"`
	Encoding string `help:"Character encoding of the file, such as windows-1252, if it is not UTF-8 and has no byte order mark." placeholder:"NAME"`
	Mapping  string `help:"How the rows become events: auto takes the dataset's mapping.sql for CSV, TSV and Parquet if there is one, none the columns as they are, else a SQL file." default:"auto"`

	partOf string // what a file of a dataset's own is called
}

// each calls fn with every row of the file in turn. Its document is valid during
// the call.
func (f *fileFlags) each(ctx context.Context, s *streams, d *dataset, fn func(warehouse.Document) error) error {
	file, err := f.open(ctx, s, d)
	if err != nil {
		return err
	}
	return errors.Join(f.spelled(ctx, d, file.Each(ctx, fn)), file.Close())
}

// spelled says of a mapping that DuckDB can't read what 'contract check' does: it knows the
// words of SQL that were meant as names.
func (f *fileFlags) spelled(ctx context.Context, d *dataset, err error) error {
	sql, name, _ := f.mapping(d)
	if err == nil || !strings.Contains(err.Error(), name+", line ") || !strings.Contains(err.Error(), "syntax error") {
		return err
	}
	parse, end, failed := warehouse.Parser(ctx)
	if failed != nil {
		return err
	}
	defer func() { _ = end() }() // it has no data
	return cmp.Or(endpoint.CheckMapping(ctx, parse, name, sql), err)
}

// mapping is the SQL that makes events of the rows, and where it comes from.
func (f *fileFlags) mapping(d *dataset) (sql, name string, err error) {
	switch f.Mapping {
	case "none":
		return "", "", nil
	case "auto":
		return d.mapping, d.Name + "/mapping.sql", nil
	}
	text, err := os.ReadFile(f.Mapping)
	switch {
	case err != nil:
		return "", "", usageError{fmt.Errorf("read mapping (auto, none or a SQL file): %w", err)}
	case strings.TrimSpace(string(text)) == "":
		return "", "", usageError{fmt.Errorf("mapping %s is empty: it should be a SELECT", f.Mapping)}
	}
	return string(text), f.Mapping, nil
}

func (f *fileFlags) open(ctx context.Context, s *streams, d *dataset) (*warehouse.File, error) {
	cfg := warehouse.FileConfig{
		Path: f.File, Name: f.partOf, Format: tabular.Format(f.Format), Encoding: f.Encoding, References: d.references, Shape: d.Shape(),
		Warn: func(text string) { say(s.err, "%s: %s", d.Name, text) },
	}
	if f.File == "" || f.File == "-" {
		cfg.Path, cfg.Reader = "", s.in
	}
	var err error
	if cfg.Mapping, cfg.MappingName, err = f.mapping(d); err != nil {
		return nil, err
	}
	cfg.MapTables = f.Mapping == "auto" // JSON documents are events already, unless a mapping is named
	file, err := warehouse.OpenFile(ctx, cfg)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, tabular.ErrEncoding) {
		err = usageError{err}
	}
	return file, err
}
