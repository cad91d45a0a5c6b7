package scaffold

import (
	"bytes"
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/importer"
)

// row is a row of a file: its document and the members of it, or why it can't be read.
type row struct {
	file    int
	line    int64
	doc     []byte
	members []contract.Member
	problem error
}

// batch is rows on their way from the goroutine that reads files to the one that looks at them.
type batch struct {
	rows    []row
	members []contract.Member
	heap    []byte
}

const (
	// batchRows and batchBytes are about how many rows and bytes a batch has.
	batchRows, batchBytes = 1024, 256 << 10
	// batches is how many there are.
	batches = 4
)

// each calls fn with every row of every file, read as cfg says, until it fails. The row is valid during
// the call; it is taken apart unless cfg has a contract's shape.
func (s *Survey) each(ctx context.Context, cfg importer.Config, fn func(*row) error) error {
	parts, ctx := errgroup.WithContext(ctx)
	full, free := make(chan *batch, batches), make(chan *batch, batches)
	for range batches {
		free <- &batch{}
	}
	parts.Go(func() error {
		defer close(full)
		return (&reader{survey: s, cfg: cfg, full: full, free: free}).read(ctx)
	})
	parts.Go(func() error {
		for b := range full {
			for i := range b.rows {
				if err := fn(&b.rows[i]); err != nil {
					return err
				}
			}
			if s.Rows == 0 { // in the first pass
				s.Read(len(b.rows))
			}
			b.rows, b.members, b.heap = b.rows[:0], b.members[:0], b.heap[:0]
			free <- b
		}
		return nil
	})
	return parts.Wait()
}

// reader fills batches with the rows of files.
type reader struct {
	survey     *Survey
	cfg        importer.Config
	full, free chan *batch
	batch      *batch
	split      contract.Splitter
	names      [][]byte // of the members of the row before, which are mostly those of the next
}

func (r *reader) read(ctx context.Context) error {
	r.batch = <-r.free
	for i, file := range r.survey.Files {
		f, err := r.survey.open(ctx, r.cfg, file)
		if err != nil {
			return err
		}
		err = f.Each(ctx, func(d importer.Document) error { return r.add(ctx, i, d) })
		if err = errors.Join(err, f.Close()); err != nil {
			return renamed(err, file)
		}
	}
	return r.flush(ctx)
}

// add copies a row to the batch.
func (r *reader) add(ctx context.Context, file int, d importer.Document) error {
	b := r.batch
	from := len(b.heap)
	b.heap = append(b.heap, d.JSON...)
	one := row{file: file, line: d.Line, doc: b.heap[from:len(b.heap):len(b.heap)], problem: d.Problem}
	if one.problem == nil && !r.cfg.Shape.Known() {
		members, violations := r.split.Split(one.doc)
		if len(violations) > 0 {
			one.problem = errors.New(violations[0].String())
		}
		first := len(b.members)
		for i, m := range members {
			b.members = append(b.members, contract.Member{Name: r.name(i, m.Name), Value: m.Value})
		}
		one.members = b.members[first:len(b.members):len(b.members)]
	}
	if b.rows = append(b.rows, one); len(b.rows) < batchRows && len(b.heap) < batchBytes {
		return nil
	}
	return r.flush(ctx)
}

// name is a copy of a member's name, for the splitter may use its memory again.
func (r *reader) name(i int, name []byte) []byte {
	if i == len(r.names) {
		r.names = append(r.names, bytes.Clone(name))
	}
	if !bytes.Equal(r.names[i], name) {
		r.names[i] = bytes.Clone(name)
	}
	return r.names[i]
}

// flush passes the batch on.
func (r *reader) flush(ctx context.Context) error {
	select {
	case r.full <- r.batch:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case r.batch = <-r.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
