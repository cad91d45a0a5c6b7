package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

type backfillCmd struct {
	fileFlags
	errorFlags
}

// Run is 'estela backfill'. The rows are read and checked here and stored by the
// process that has the warehouse.
func (c *backfillCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	d, err := g.pick(c.Dataset)
	if err != nil {
		return err
	}
	ops, end, err := g.control(ctx, s)
	if err != nil {
		return err
	}
	check := newChecker(d, newProgress(s.err, "backfill "+d.Name, -1), s.err)
	if check.refused, err = c.refusals(c.info(s)); err != nil {
		return errors.Join(err, end())
	}
	if err := ops.Do(ctx, operation.CheckVersion(d.Name, d.Version), nil, new(struct{})); err != nil {
		return errors.Join(err, end())
	}
	body, in := io.Pipe()
	var reading sync.WaitGroup
	var read error
	reading.Go(func() {
		read = c.pass(ctx, s, check, in)
		_ = in.Close() // with no error: what was read is stored, and it is known how much that is
	})
	var done operation.Backfilled
	err = ops.Do(lasting(ctx, stopGrace), operation.Backfill(d.Name), body, &done)
	_ = body.Close() // ends the reading, whatever came first
	reading.Wait()
	check.progress.finish("read and checked")
	if err = errors.Join(partial(ctx, done, read, err), end(), check.refused.close(s.err)); err != nil {
		return err
	}
	say(s.out, "%d stored, %d duplicates dropped", done.Stored, done.Duplicates)
	return check.complete(&c.fileFlags, "stored")
}

// partial reports what came of a backfill of which the reading or the storing failed.
func partial(ctx context.Context, b operation.Backfilled, read, stored error) error {
	const again = "the same again stores the rest, and nothing twice"
	switch {
	case stored != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted, and how many rows are stored is not known: %s", again)
	case stored != nil || read == nil:
		return stored // reading ended for that
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; %d rows are stored and %d duplicates dropped: %s", b.Stored, b.Duplicates, again)
	case b == operation.Backfilled{}:
		return fmt.Errorf("%w; nothing was stored", read)
	}
	return fmt.Errorf("%w; %d rows are stored and %d duplicates dropped: mend that, and %s", read, b.Stored, b.Duplicates, again)
}

// pass writes the rows that are events, one a line.
func (c *backfillCmd) pass(ctx context.Context, s *streams, check *publisher, to io.Writer) error {
	out := bufio.NewWriterSize(to, 1<<20)
	err := c.each(ctx, c.input(ctx, s), check.dataset, c.rows(func(r warehouse.Document) error {
		if held, err := check.holds(r); !held || err != nil {
			return err
		}
		check.progress.add(1)
		_, err := out.Write(oneLine(r.JSON)) // what is behind it in memory is the next document
		return errors.Join(err, out.WriteByte('\n'))
	}))
	return errors.Join(err, out.Flush())
}

// oneLine is the document without line breaks, which JSON has between tokens only.
func oneLine(doc []byte) []byte {
	if !bytes.ContainsAny(doc, "\r\n") {
		return doc
	}
	return bytes.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, doc)
}
