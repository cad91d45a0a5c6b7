package scaffold

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/inference"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// File is a file to read, and what it is called in messages.
type File struct{ Path, Name string }

// Config is what to make a dataset of.
type Config struct {
	// Name is the dataset's.
	Name string
	// Files are of one format, with the same columns.
	Files []File
	// Format and Encoding are the files'.
	//
	// Default: detected; UTF-8.
	Format   tabular.Format
	Encoding string
	// Stream is the stream of which the files have some entries: its contract has no mapping, for the
	// events are stored as they are there.
	//
	// Default: the events are published from files.
	Stream *contract.Stream
	// Read is called with the number of rows that were read since the last call.
	//
	// Default: nobody is told.
	Read func(rows int)
}

// Survey is what was found in the files.
type Survey struct {
	Config

	Columns []inference.Column
	// Key identifies a row; without columns, its content does. Time is the index of the row's time, -1
	// if there is none.
	Key  inference.Key
	Time int
	// Rows counts the rows that can be read. Invalid are those of all that become no valid event, of
	// which Problem is the first.
	Rows, Invalid int64
	Problem       string
	// LeftOut are properties of a stream's events that no column can have.
	LeftOut []string

	asked  tabular.Format
	sample *sample
	header []string          // of all files
	types  map[string]string // of Parquet
	unread int64
}

// Read reads the files, and once more where only that finds a key. An error of their content names the
// file, the row and the reason.
func Read(ctx context.Context, cfg Config) (*Survey, error) {
	if cfg.Read == nil {
		cfg.Read = func(int) {}
	}
	s := &Survey{Config: cfg, asked: cfg.Format, sample: &sample{}, types: map[string]string{}}
	if err := s.detect(ctx); err != nil {
		return nil, err
	}
	p := inference.New(s.Format.IsTable())
	if err := p.Declare(s.header); err != nil {
		return nil, fmt.Errorf("read %s: line 1: %w", cfg.Files[0].Name, err)
	}
	if err := s.first(ctx, p); err != nil {
		return nil, err
	}
	s.Rows, s.Columns = p.Rows(), p.Columns()
	if s.Rows == 0 {
		return nil, fmt.Errorf("%s: no row of it can be read: %s", cfg.Files[0].Name, s.Problem)
	}
	var search *inference.Search
	if s.Key, search = p.Key(); search != nil {
		if err := s.second(ctx, search); err != nil {
			return nil, err
		}
	}
	s.decide()
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, s.verify(ctx)
}

// detect finds the format, which all files share, and the types of Parquet.
func (s *Survey) detect(ctx context.Context) error {
	for i, file := range s.Files {
		f, err := s.open(ctx, s.config(), file)
		if err != nil {
			return err
		}
		format := f.Format()
		names, types, err := f.Columns(ctx)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		switch {
		case format == tabular.Auto:
			return fmt.Errorf("%s: there is no row in it", file.Name)
		case i > 0 && (format.IsTable() != s.Format.IsTable() || format.IsDocuments() != s.Format.IsDocuments()):
			return fault.Usagef("%s is %s and %s is %s: the files of a dataset have one format", s.Files[0].Name, s.Format, file.Name, format)
		case i == 0:
			s.Format, s.types = format, types
		}
		for _, name := range names {
			if !slices.Contains(s.header, name) {
				s.header = append(s.header, name)
			}
		}
	}
	return nil
}

// config is how the files are read as they are.
func (s *Survey) config() importer.Config {
	return importer.Config{Encoding: s.Encoding, Format: s.asked}
}

func (s *Survey) open(ctx context.Context, cfg importer.Config, file File) (*importer.File, error) {
	cfg.Path = file.Path
	f, err := importer.Open(ctx, cfg)
	if err != nil {
		return nil, renamed(err, file)
	}
	return f, nil
}

// first is the pass that finds the columns.
func (s *Survey) first(ctx context.Context, p *inference.Profile) error {
	return s.each(ctx, s.config(), func(r *row) error {
		if r.problem != nil {
			if s.unread++; s.unread == 1 {
				s.Problem = fmt.Sprintf("%s, line %d: %s", s.Files[r.file].Name, r.line, r.problem)
			}
			return nil
		}
		if err := p.Add(r.members); err != nil {
			return fmt.Errorf("read %s: line %d: %w", s.Files[r.file].Name, r.line, err)
		}
		s.sample.add(r.doc, r.file, r.line)
		return nil
	})
}

var errDone = errors.New("no group of columns is left")

// second is the pass that verifies groups of columns as the key.
func (s *Survey) second(ctx context.Context, search *inference.Search) error {
	err := s.each(ctx, s.config(), func(r *row) error {
		if search.Done() {
			return errDone
		}
		if len(r.members) == 0 { // it can't be read, or has no column
			return nil
		}
		return search.Add(r.members)
	})
	if err != nil && !errors.Is(err, errDone) {
		return err
	}
	s.Key = search.Key()
	return nil
}
