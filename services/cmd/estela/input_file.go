package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// fileFlags select a command's input file and how to read it.
type fileFlags struct {
	Dataset  string `arg:"" help:"Name of the dataset."`
	File     string `arg:"" optional:"" help:"File to read, plain or compressed with gzip or zstd; - or nothing is standard input."`
	Format   string `help:"Format of the file (${enum}); auto detects it by name, else by content." enum:"auto,csv,tsv,ndjson,json,parquet" default:"auto"`
	Encoding string `help:"Character encoding of the file, such as windows-1252, if it is not UTF-8 and has no byte order mark." placeholder:"NAME"`
	Mapping  string `help:"How rows are converted to events: auto runs the dataset's mapping.sql, if any, on the formats that its header names (CSV, TSV and Parquet without one); none keeps the columns; anything else is a SQL file." default:"auto"`

	sampleName string // name in messages of a dataset's sample
}

// each calls fn with every row of the file. The document is valid during the call.
func (f *fileFlags) each(ctx context.Context, s *streams, d *dataset.Dataset, fn func(importer.Document) error) error {
	file, err := f.open(ctx, s, d)
	if err != nil {
		return err
	}
	return errors.Join(f.explainSyntax(ctx, d, file.Each(ctx, fn)), file.Close())
}

// explainSyntax replaces a syntax error in the mapping by that of 'contract check', which detects
// reserved words used as names.
func (f *fileFlags) explainSyntax(ctx context.Context, d *dataset.Dataset, err error) error {
	sql, name, _ := f.mapping(d)
	if err == nil || !strings.Contains(err.Error(), name+", line ") || !strings.Contains(err.Error(), "syntax error") {
		return err
	}
	parse, end, failed := database.Parser(ctx)
	if failed != nil {
		return err
	}
	defer func() { _ = end() }() // it has no data
	return cmp.Or(endpoint.CheckMapping(ctx, parse, name, sql), err)
}

// mapping returns the SQL that turns rows into events, and its file's name.
func (f *fileFlags) mapping(d *dataset.Dataset) (sql, name string, err error) {
	switch f.Mapping {
	case "none":
		return "", "", nil
	case "auto":
		return d.Mapping, d.Name + "/mapping.sql", nil
	}
	text, err := os.ReadFile(f.Mapping)
	switch {
	case err != nil:
		return "", "", fault.Usagef("read mapping (auto, none or a SQL file): %w", err)
	case strings.TrimSpace(string(text)) == "":
		return "", "", fault.Usagef("mapping %s is empty: it should be a SELECT", f.Mapping)
	}
	return string(text), f.Mapping, nil
}

func (f *fileFlags) open(ctx context.Context, s *streams, d *dataset.Dataset) (*importer.File, error) {
	cfg := importer.Config{
		Path: f.File, Name: f.sampleName, Format: tabular.Format(f.Format), Encoding: f.Encoding, References: d.References, Shape: d.Shape(),
		Warn: func(text string) { say(s.err, "%s: %s", d.Name, text) },
	}
	if f.File == "" || f.File == "-" {
		cfg.Path, cfg.Reader = "", s.in
	}
	var err error
	if cfg.Mapping, cfg.MappingName, err = f.mapping(d); err != nil {
		return nil, err
	}
	if f.Mapping == "auto" {
		cfg.MapFormats = d.MapFormats
	}
	file, err := importer.Open(ctx, cfg)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, tabular.ErrEncoding) {
		err = fault.Usage(err)
	}
	return file, err
}

// errorFlags configure the file of invalid rows.
type errorFlags struct {
	Errors     string `help:"File for the invalid rows, as NDJSON: row, reasons, and the event or, where it is none, the row's text." placeholder:"FILE"`
	FromErrors bool   `help:"The input was written by --errors and corrected since: read the event of each line."`
}

// input returns the streams with a standard input that ends with ctx. Reading from a terminal is
// announced.
func (f *fileFlags) input(ctx context.Context, s *streams) *streams {
	if f.File != "" && f.File != "-" {
		return s
	}
	if file, ok := s.in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		say(s.err, "reading %s from standard input: type or paste rows, end with Ctrl-D", f.Dataset)
	}
	out, in := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{in}, struct{ io.Reader }{s.in}, make([]byte, 1<<20))
		_ = in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { _ = in.CloseWithError(ctx.Err()) })
	return &streams{in: out, out: s.out, err: s.err}
}

// info returns the FileInfo of the input, nil if there is none.
func (f *fileFlags) info(s *streams) os.FileInfo {
	info, err := os.Stat(f.File)
	if file, ok := s.in.(*os.File); ok && (f.File == "" || f.File == "-") {
		info, err = file.Stat()
	}
	if err != nil {
		return nil
	}
	return info
}

// displayName returns the input's name for messages.
func (f *fileFlags) displayName() string {
	if f.File == "" || f.File == "-" {
		return "standard input"
	}
	return f.File
}

// rows wraps fn for --from-errors: it receives the corrected event of each line.
func (f *errorFlags) rows(fn func(importer.Document) error) func(importer.Document) error {
	if !f.FromErrors {
		return fn
	}
	return func(d importer.Document) error { return fn(intake.CorrectedEvent(d)) }
}
