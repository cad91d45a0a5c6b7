package scaffold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/estela-dev/estela/services/internal/fault"
)

// Folder is a dataset's folder while it is made: beside its place, until it is complete.
type Folder struct {
	// Dir is where its files are now, At where they will be.
	Dir, At string
	// Endpoints are those written. Files are all files, in the order in which to read them.
	Endpoints []Endpoint
	Files     []string

	parent string
}

// Write writes the dataset's folder to a temporary one in the directory parent. The caller adds what
// else belongs to it, and then calls Keep, and Discard in any case.
func (s *Survey) Write(ctx context.Context, parent, dir string) (*Folder, error) {
	temporary, err := os.MkdirTemp(parent, ".estela-init-")
	if err != nil {
		return nil, fault.Usagef("write into %s: %w", parent, err)
	}
	f := &Folder{Dir: filepath.Join(temporary, s.Name), At: filepath.Join(dir, s.Name), parent: temporary}
	if err := f.write(ctx, s); err != nil {
		return nil, errors.Join(err, f.Discard())
	}
	return f, nil
}

func (f *Folder) write(ctx context.Context, s *Survey) error {
	if err := f.add("contract.json", s.Contract()); err != nil {
		return err
	}
	if mapping := s.Mapping(); mapping != "" {
		if err := f.add("mapping.sql", []byte(mapping)); err != nil {
			return err
		}
	}
	sample, err := s.writeSample(ctx, f.Dir)
	if err != nil {
		return err
	}
	e, err := s.readBack(ctx, f.Dir, sample)
	if err != nil {
		return err
	}
	f.Endpoints = s.endpoints(e)
	for _, one := range f.Endpoints {
		if err := f.add("endpoints/"+one.Name+".sql", []byte(one.SQL)); err != nil {
			return err
		}
	}
	f.Files = append(f.Files, sample)
	return nil
}

// Summary names what was written.
func (f *Folder) Summary() string {
	var files, endpoints []string
	for _, name := range f.Files {
		if !strings.HasPrefix(name, "endpoints/") {
			files = append(files, name)
		}
	}
	for _, e := range f.Endpoints {
		endpoints = append(endpoints, e.Name)
	}
	return strings.Join(files, ", ") + "; endpoints with tests: " + strings.Join(endpoints, ", ")
}

// add writes a file.
func (f *Folder) add(name string, text []byte) error {
	f.Files = append(f.Files, name)
	return writeFile(filepath.Join(f.Dir, filepath.FromSlash(name)), text)
}

// Free refuses a place where something is.
func Free(at string) error {
	_, err := os.Lstat(at)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for %s: %w", at, err)
	}
	return fault.Usagef("%s is there already, and nothing is overwritten: give another --name, or remove it", at)
}

// Keep moves the folder to its place, all at once.
func (f *Folder) Keep() error {
	if err := Free(f.At); err != nil {
		return err
	}
	if err := os.Chmod(f.Dir, 0o755); err != nil { //nolint:gosec // it is source code, which others may read
		return fmt.Errorf("keep folder: %w", err)
	}
	if err := os.Rename(f.Dir, f.At); err != nil {
		return fmt.Errorf("keep folder: %w", err)
	}
	return nil
}

// Discard removes what is temporary.
func (f *Folder) Discard() error { return os.RemoveAll(f.parent) }
