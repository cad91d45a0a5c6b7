package api

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Endpoint is one SQL file: a GET request and the query that answers it.
type Endpoint struct {
	// Name is the last part of its path: the file's name without ".sql".
	Name string
	// File is where it was read from, for messages.
	File string
	// Summary is the first line of the header, Description the plain lines
	// after it; an empty comment line parts paragraphs.
	Summary, Description string
	Params               []Param
	// Order is how the answer is sorted and paged; empty: in one piece.
	Order []Order
	// Cache is how stale an answer may be.
	Cache time.Duration
	// Chart is how to draw the answer; nil if the header doesn't say.
	Chart *Chart
	// Reads are the other datasets that the endpoint reads; a key needs all of them.
	Reads []string
	// Limit replaces the server's limits; zero: they hold.
	Limit Limit
	// SQL is the query as it is written, without the header.
	SQL string
	// Line is the file's line on which SQL begins.
	Line int

	// orderLine and chartLine are where the header names columns, readsLine datasets.
	orderLine, chartLine, readsLine int
	// typed is SQL with every parameter cast to its type.
	typed string
}

// Order is one column of an endpoint's order.
type Order struct {
	Column string
	Desc   bool
}

// Limit bounds an endpoint's answers.
type Limit struct {
	// Rows is the highest number of rows in an answer.
	Rows int
	// Time is how long the query may take, waiting included.
	Time time.Duration
}

// Chart says how to draw an answer.
type Chart struct {
	// Kind is bar, line, area or scatter.
	Kind string
	// X and Y are columns of the answer.
	X, Y string
}

// ParseError is what is wrong with an endpoint file, and what to do.
type ParseError struct {
	File string
	// Line counts from 1; 0 is the whole file.
	Line        int
	Reason, Fix string
}

func (e *ParseError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s; %s", e.File, e.Reason, e.Fix)
	}
	return fmt.Sprintf("%s:%d: %s; %s", e.File, e.Line, e.Reason, e.Fix)
}

// maxFile is the size in bytes beyond which a file is no endpoint.
const maxFile = 1 << 20

var endpointName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// Load reads the endpoints of the dataset in dir: every .sql file in it except
// views.sql and mapping.sql, and every one in its folder endpoints. They come
// sorted by name; all errors of all files are reported at once, beside the endpoints that have
// none.
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
			errs = append(errs, &ParseError{
				b.File, 0, fmt.Sprintf("endpoint %s is in %s already", b.Name, a.File), "rename or remove one of the files",
			})
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
		return Endpoint{File: file}, &ParseError{file, 0, fmt.Sprintf("is %d bytes long", len(text)), "an endpoint has at most 1 MiB"}
	}
	return Parse(file, string(text))
}
