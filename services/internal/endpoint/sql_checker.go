package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/statement"
)

// Reader reads the warehouse.
type Reader interface {
	Describer

	// Stream runs the query and calls each once with its rows and their snapshot. The end of
	// ctx interrupts the query.
	Stream(ctx context.Context, query string, args map[string]any, each func(at result.Snapshot, rows result.Rows) error) error
}

// Checker checks the datasets' statements with the parser and the views of the warehouse that runs
// them. The first call checks all of them, once.
type Checker struct {
	reader   Reader
	datasets []Dataset

	mu     sync.Mutex
	done   bool
	all    error // of views
	vetter *vetter
	vetted map[vettedKey]vetted
}

type vettedKey struct{ dataset, name string }

// vetted is the outcome of an endpoint's check.
type vetted struct {
	fault error
	// hidden are the columns to leave out of its answer, by name in lower case.
	hidden map[string]bool
	// inherited are the properties that document its columns, by name.
	inherited map[string]contract.Column
}

// NewChecker returns a Checker; it does not query the warehouse.
func NewChecker(reader Reader, datasets []Dataset) *Checker {
	return &Checker{reader: reader, datasets: datasets}
}

// Shape returns the shape of the endpoint's answer, or a *ParseError for each fault of its SQL.
func (c *Checker) Shape(ctx context.Context, dataset string, e *Endpoint) (*Shape, error) {
	v, err := c.vet(ctx, dataset, e)
	if err != nil {
		return nil, err
	}
	return e.describe(ctx, c.reader, v)
}

// AdhocShape is Shape for an endpoint without a file, which may read all datasets.
func (c *Checker) AdhocShape(ctx context.Context, e *Endpoint) (*Shape, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	v := c.vetter
	file := source{e.File, e.SQL, e.Line, 0}
	s, err := v.checkQuery(ctx, file, e.SQL, e.paramBounds())
	if err == nil {
		err = errors.Join(c.all, v.checkTables(file, s), v.checkDeterministic(file, e, s))
	}
	if err != nil {
		return nil, err
	}
	all := *e
	all.Reads = v.datasets
	return e.describe(ctx, c.reader, vetted{hidden: v.hiddenColumns(e, s), inherited: v.inherited("", &all, s)})
}

// ready checks all statements, once; then nothing of the checker changes.
func (c *Checker) ready(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return nil
	}
	err := c.vetAll(ctx)
	c.done = err == nil
	return err
}

func (c *Checker) vet(ctx context.Context, dataset string, e *Endpoint) (vetted, error) {
	if err := c.ready(ctx); err != nil {
		return vetted{}, err
	}
	v := c.vetted[vettedKey{dataset, e.Name}]
	return v, errors.Join(c.all, v.fault)
}

func (c *Checker) vetAll(ctx context.Context) error {
	stored, err := c.storedViews(ctx)
	if err != nil {
		return err
	}
	v, err := newVetter(ctx, c.parse, c.datasets, stored)
	c.all, c.vetter, c.vetted = err, v, map[vettedKey]vetted{}
	for _, d := range c.datasets {
		for _, e := range d.Endpoints {
			s, err := v.vetEndpoint(ctx, d.Name, &e)
			c.vetted[vettedKey{d.Name, e.Name}] = vetted{err, v.hiddenColumns(&e, s), v.inherited(d.Name, &e, s)}
		}
	}
	return ctx.Err()
}

// parse has the warehouse parse a query.
func (c *Checker) parse(ctx context.Context, query string) (string, error) {
	all, err := c.texts(ctx, statement.ParseQuery, map[string]any{"query": query})
	return strings.Join(all, ""), err
}

// storedViews returns the SQL of the warehouse's views, by name in lower case.
func (c *Checker) storedViews(ctx context.Context) (map[string]string, error) {
	all, err := c.texts(ctx, "SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal AND database_name = current_database()", nil)
	if err != nil {
		return nil, fmt.Errorf("list views: %w", err)
	}
	views := map[string]string{}
	for i := 0; i+1 < len(all); i += 2 {
		views[all[i]] = all[i+1]
	}
	return views, nil
}

// texts returns the text values of a query's answer, row by row.
func (c *Checker) texts(ctx context.Context, query string, args map[string]any) (all []string, err error) {
	err = c.reader.Stream(ctx, query, args, func(_ result.Snapshot, rows result.Rows) error {
		all = nil
		return eachChunk(rows, func(chunk *result.Chunk) {
			for i := range chunk.Rows {
				for _, column := range chunk.Vectors {
					all = append(all, string(column.Bytes(i)))
				}
			}
		})
	})
	return all, err
}

func eachChunk(rows result.Rows, fn func(*result.Chunk)) error {
	for {
		chunk, err := rows.Next()
		if err != nil || chunk == nil {
			return err
		}
		fn(chunk)
	}
}
