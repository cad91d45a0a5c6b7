package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// fileFlags name the rows that a command reads.
type fileFlags struct {
	Dataset string `arg:"" help:"Name of the dataset."`
	File    string `arg:"" optional:"" help:"File to read; - or nothing is standard input."`
	Format  string `help:"Format of the file (${enum}); auto goes by its name, NDJSON if that says nothing." enum:"auto,ndjson,csv,parquet" default:"auto"`
	Mapping string `help:"How the columns of a CSV or Parquet file become events: auto takes the dataset's mapping.sql if there is one, none the columns as they are, else a SQL file." default:"auto"`
}

// each calls fn with every row of the file in turn. Its document is valid during
// the call.
func (f *fileFlags) each(ctx context.Context, s *streams, d *dataset, fn func(warehouse.Document) error) error {
	file, err := f.open(ctx, s, d)
	if err != nil {
		return err
	}
	return errors.Join(file.Each(ctx, fn), file.Close())
}

func (f *fileFlags) open(ctx context.Context, s *streams, d *dataset) (*warehouse.File, error) {
	mapping, err := f.mappingFor(d)
	if err != nil {
		return nil, err
	}
	cfg := warehouse.FileConfig{
		Path: f.File, Format: f.format(), Mapping: mapping, References: d.references, Types: map[string]contract.Type{},
	}
	for _, c := range d.Columns {
		cfg.Types[c.Name] = c.Type
	}
	if f.isStdin() {
		cfg.Path, cfg.Reader = "", s.in
	}
	file, err := warehouse.OpenFile(ctx, cfg)
	if errors.Is(err, fs.ErrNotExist) {
		err = usageError{err}
	}
	return file, err
}

func (f *fileFlags) isStdin() bool { return f.File == "" || f.File == "-" }

func (f *fileFlags) format() warehouse.Format {
	if f.Format != "auto" {
		return warehouse.Format(f.Format)
	}
	switch strings.ToLower(filepath.Ext(f.File)) {
	case ".csv":
		return warehouse.CSV
	case ".parquet":
		return warehouse.Parquet
	default:
		return warehouse.NDJSON
	}
}

// mappingFor is the SQL that makes events of the file's rows. NDJSON lines are
// events already, unless a mapping is named.
func (f *fileFlags) mappingFor(d *dataset) (string, error) {
	switch {
	case f.Mapping == "none", f.Mapping == "auto" && f.format() == warehouse.NDJSON:
		return "", nil
	case f.Mapping == "auto":
		return d.mapping, nil
	}
	sql, err := os.ReadFile(f.Mapping)
	if err != nil {
		return "", usageError{fmt.Errorf("read mapping (auto, none or a SQL file): %w", err)}
	}
	return string(sql), nil
}
