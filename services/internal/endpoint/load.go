package endpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxFile is the largest size of an endpoint file, in bytes.
const maxFile = 1 << 20

// Load reads the endpoints of the dataset in dir: every .sql file in it except
// views.sql and mapping.sql, and every one in its folder endpoints, sorted by name.
// It returns the errors of all files together, with the endpoints that have none.
func Load(fsys fs.FS, dir string) ([]Endpoint, error) {
	files, err := endpointFiles(fsys, dir)
	if err != nil {
		return nil, err
	}
	var endpoints []Endpoint
	var errs []error
	for _, file := range files {
		e, err := loadFile(fsys, file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		endpoints = append(endpoints, e)
	}
	slices.SortFunc(endpoints, func(a, b Endpoint) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(endpoints); i++ {
		if a, b := endpoints[i-1], endpoints[i]; a.Name == b.Name {
			errs = append(errs, b.parseError(0, fmt.Sprintf("endpoint %s is in %s already", b.Name, a.File), "rename or remove one of the files"))
		}
	}
	return endpoints, errors.Join(errs...)
}

func endpointFiles(fsys fs.FS, dir string) ([]string, error) {
	if _, err := fs.ReadDir(fsys, dir); err != nil {
		return nil, fmt.Errorf("read dataset folder: %w", err)
	}
	var files []string
	for _, pattern := range []string{path.Join(dir, "*.sql"), path.Join(dir, "endpoints", "*.sql")} {
		found, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, fmt.Errorf("list endpoints of %s: %w", dir, err)
		}
		files = append(files, found...)
	}
	return slices.DeleteFunc(files, func(file string) bool {
		return file == path.Join(dir, "views.sql") || file == path.Join(dir, "mapping.sql")
	}), nil
}

func loadFile(fsys fs.FS, file string) (Endpoint, error) {
	text, err := fs.ReadFile(fsys, file)
	if err != nil {
		return Endpoint{File: file}, fmt.Errorf("read endpoint: %w", err)
	}
	if len(text) > maxFile {
		return Endpoint{File: file}, &ParseError{File: file, Reason: fmt.Sprintf("is %d bytes long", len(text)), Fix: "an endpoint has at most 1 MiB"}
	}
	return Parse(file, string(text))
}
