package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/operation"
)

type backfillCmd struct {
	fileFlags
	errorFlags
}

// Run is 'estela backfill'. This process reads and validates the rows; the process that has the
// warehouse open stores them.
func (c *backfillCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	d, err := g.pick(c.Dataset)
	if err != nil {
		return err
	}
	ops, end, err := g.control(ctx, s)
	if err != nil {
		return err
	}
	check := intake.NewChecker(d, intake.NewProgress(s.err, "backfill "+d.Name, -1), s.err)
	if check.Invalid, err = intake.OpenInvalidRows(c.Errors, c.info(s)); err != nil {
		return errors.Join(err, end())
	}
	if err := ops.Do(ctx, operation.CheckVersion(d.Name, d.Version), nil, new(struct{})); err != nil {
		return errors.Join(err, end())
	}
	body, in := io.Pipe()
	var reading sync.WaitGroup
	var read error
	reading.Go(func() {
		read = c.send(ctx, s, check, in)
		_ = in.Close() // with no error, so that what was read is stored and counted
	})
	var done operation.Backfilled
	err = ops.Do(intake.WithGrace(ctx, stopGrace), operation.Backfill(d.Name), body, &done)
	_ = body.Close() // ends the reading, whatever came first
	reading.Wait()
	unwritten := check.Finish("read and checked")
	if err = errors.Join(backfillError(ctx, d, done, read, err), end(), unwritten); err != nil {
		return err
	}
	say(s.out, "%d stored, %d duplicates dropped", done.Stored, done.Duplicates)
	return check.Complete(c.displayName(), "stored")
}

// backfillError returns the error of a backfill whose reading or storing failed, with what was
// stored and how to resume.
func backfillError(ctx context.Context, d *dataset.Dataset, b operation.Backfilled, read, stored error) error {
	again := "run the command again to store the rest, and nothing twice"
	if d.Dedupe == 0 {
		again = "leave those rows out of the file before you run the command again, for without a key and dedupe they would be stored twice"
	}
	switch {
	case stored != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted, and how many rows are stored is not known: %s", again)
	case stored != nil || read == nil:
		return stored // which ended the reading
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; %d rows are stored and %d duplicates dropped: %s", b.Stored, b.Duplicates, again)
	case b == operation.Backfilled{}:
		return fmt.Errorf("%w; nothing was stored", read)
	}
	return fmt.Errorf("%w; %d rows are stored and %d duplicates dropped: correct that, and %s", read, b.Stored, b.Duplicates, again)
}

// send writes the valid rows, one a line.
func (c *backfillCmd) send(ctx context.Context, s *streams, check *intake.Checker, to io.Writer) error {
	out := bufio.NewWriterSize(to, 1<<20)
	err := c.each(ctx, c.input(ctx, s), check.Dataset, c.rows(func(r importer.Document) error {
		if ok, err := check.Event(r); !ok || err != nil {
			return err
		}
		check.Progress.Add(1)
		_, err := out.Write(oneLine(r.JSON)) // what follows it in memory is the next document
		return errors.Join(err, out.WriteByte('\n'))
	}))
	return errors.Join(err, out.Flush())
}

// oneLine removes the document's line breaks: JSON has them between tokens only.
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
