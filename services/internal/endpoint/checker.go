package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/statement"
)

// Reader is the warehouse, as far as endpoints need it.
type Reader interface {
	Describer

	// Stream runs the query and calls each once with the state of the data and the
	// rows that show it. The end of ctx interrupts the query.
	Stream(ctx context.Context, query string, args map[string]any, each func(at result.Snapshot, rows result.Rows) error) error
}

// Checker checks the statements of some datasets against the warehouse that runs them: by its
// parse, and with the views that it has. All are checked when the first is asked for, once.
type Checker struct {
	reader   Reader
	datasets []Dataset

	mu     sync.Mutex
	done   bool
	all    error // of what belongs to no endpoint
	vetted map[vettedKey]vetted
}

type vettedKey struct{ dataset, name string }

// vetted is what came of an endpoint's check.
type vetted struct {
	fault error
	// hidden are the columns that its answer leaves out, by name in lower case.
	hidden map[string]bool
}

// NewChecker asks nothing of the warehouse yet.
func NewChecker(reader Reader, datasets []Dataset) *Checker {
	return &Checker{reader: reader, datasets: datasets}
}

// Shape is what the endpoint of that dataset answers with. One whose SQL must not run is
// refused with a ParseError for each fault.
func (c *Checker) Shape(ctx context.Context, dataset string, e *Endpoint) (*Shape, error) {
	v, err := c.vet(ctx, dataset, e)
	if err != nil {
		return nil, err
	}
	return e.describe(ctx, c.reader, v.hidden)
}

func (c *Checker) vet(ctx context.Context, dataset string, e *Endpoint) (vetted, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		if err := c.vetAll(ctx); err != nil {
			return vetted{}, err
		}
		c.done = true
	}
	v := c.vetted[vettedKey{dataset, e.Name}]
	return v, errors.Join(c.all, v.fault)
}

func (c *Checker) vetAll(ctx context.Context) error {
	stored, err := c.storedViews(ctx)
	if err != nil {
		return err
	}
	v, err := newVetting(ctx, c.parse, c.datasets, stored)
	c.all, c.vetted = err, map[vettedKey]vetted{}
	for _, d := range c.datasets {
		for _, e := range d.Endpoints {
			s, err := v.endpoint(ctx, d.Name, &e)
			c.vetted[vettedKey{d.Name, e.Name}] = vetted{err, v.hidden(&e, s)}
		}
	}
	return ctx.Err()
}

// parse is the warehouse's parse of a query.
func (c *Checker) parse(ctx context.Context, query string) (string, error) {
	all, err := c.texts(ctx, statement.ParseQuery, map[string]any{"query": query})
	return strings.Join(all, ""), err
}

// storedViews are the statements of the warehouse's views, by name in lower case.
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

// texts are the values of a query's answer, row by row.
func (c *Checker) texts(ctx context.Context, query string, args map[string]any) (all []string, err error) {
	err = c.reader.Stream(ctx, query, args, func(_ result.Snapshot, rows result.Rows) error {
		all = nil
		return each(rows, func(chunk *result.Chunk) {
			for i := range chunk.Rows {
				for _, column := range chunk.Vectors {
					all = append(all, string(column.Bytes(i)))
				}
			}
		})
	})
	return all, err
}

func each(rows result.Rows, fn func(*result.Chunk)) error {
	for {
		chunk, err := rows.Next()
		if err != nil || chunk == nil {
			return err
		}
		fn(chunk)
	}
}
