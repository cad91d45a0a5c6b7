package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/tabular"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

type backfillCmd struct {
	fileFlags
	errorFlags
}

// backfilled is what came of a backfill.
type backfilled struct {
	Stored     int `json:"stored"`
	Duplicates int `json:"duplicates"`
}

// Run is 'estela backfill'. The rows are read and checked here and stored by the
// process that has the warehouse.
func (c *backfillCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	d, err := g.pick(c.Dataset)
	if err != nil {
		return err
	}
	to, err := g.control(ctx, s)
	if err != nil {
		return err
	}
	check := newChecker(d, newProgress(s.err, "backfill "+d.Name, -1), s.err)
	if check.refused, err = c.refusals(c.info(s)); err != nil {
		return errors.Join(err, to.end())
	}
	if err := to.call(ctx, http.MethodGet, "/ops/backfill/"+d.Name, url.Values{"version": {d.Version}}, nil, new(struct{})); err != nil {
		return errors.Join(err, to.end())
	}
	body, in := io.Pipe()
	var reading sync.WaitGroup
	var read error
	reading.Go(func() {
		read = c.pass(ctx, s, check, in)
		_ = in.Close() // with no error: what was read is stored, and it is known how much that is
	})
	var done backfilled
	err = to.call(lasting(ctx, stopGrace), http.MethodPost, "/ops/backfill/"+d.Name, nil, body, &done)
	_ = body.Close() // ends the reading, whatever came first
	reading.Wait()
	check.progress.finish("read and checked")
	if err = errors.Join(done.partial(ctx, read, err), to.end(), check.refused.close(s.err)); err != nil {
		return err
	}
	say(s.out, "%d stored, %d duplicates dropped", done.Stored, done.Duplicates)
	return check.complete(&c.fileFlags, "stored")
}

// partial says what came of a backfill of which the reading or the storing failed.
func (b *backfilled) partial(ctx context.Context, read, stored error) error {
	const again = "the same again stores the rest, and nothing twice"
	switch {
	case stored != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted, and how many rows are stored is not known: %s", again)
	case stored != nil || read == nil:
		return stored // reading ended for that
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; %d rows are stored and %d duplicates dropped: %s", b.Stored, b.Duplicates, again)
	case *b == backfilled{}:
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

// backfillRows is how many rows one commit of a backfill has: a row group.
const backfillRows = 122_880

// mayBackfill refuses rows that were checked by another contract than they would be stored by.
func (n *node) mayBackfill(w http.ResponseWriter, r *http.Request) {
	d, ok := n.dataset(w, r)
	if !ok {
		return
	}
	if by := r.URL.Query().Get("version"); by != d.Version {
		refuse(w, refusedError{fmt.Errorf("the process that has the warehouse runs with another version of the contract of %s (%s, not %s): start it again first. Nothing was stored", d.Name, d.Version, by)})
		return
	}
	answer(w, struct{}{})
}

// backfill stores the documents of the request's NDJSON body.
func (n *node) backfill(w http.ResponseWriter, r *http.Request) {
	d, ok := n.dataset(w, r)
	if !ok {
		return
	}
	f := &filling{node: n, dataset: d, decoder: d.NewDecoder(), batches: make([]*contract.Batch, d.Shards)}
	body, err := warehouse.OpenFile(r.Context(), warehouse.FileConfig{Reader: r.Body, Format: tabular.NDJSON})
	if err == nil {
		//nolint:contextcheck // it is the request's
		err = body.Each(r.Context(), func(one warehouse.Document) error { return f.add(r.Context(), one) })
		if errors.Is(err, warehouse.ErrNoRows) { // whoever sends them says why
			err = nil
		}
		err = errors.Join(err, body.Close())
	}
	if err == nil {
		err = f.storeAll(r.Context())
	}
	if err != nil {
		refuse(w, fmt.Errorf("backfill %s after %d rows stored: %w", d.Name, f.done.Stored, err))
		return
	}
	answer(w, f.done)
}

// filling collects a backfill's rows by shard.
type filling struct {
	*node
	dataset *dataset
	decoder *contract.Decoder
	one     *contract.Batch
	batches []*contract.Batch
	done    backfilled
}

func (f *filling) add(ctx context.Context, r warehouse.Document) error {
	if f.one == nil {
		f.one = f.dataset.NewBatch(0, 1)
	}
	f.one.Reset()
	if r.Problem != nil || !f.decoder.Decode(f.one, r.JSON, event.ID{MS: uint64(time.Now().UnixMilli())}, uint32(r.Line)) {
		return usageError{fmt.Errorf("line %d is no event of %s", r.Line, f.dataset.Name)}
	}
	shard := event.Shard(f.one.PartitionString(0), f.dataset.Shards)
	if f.batches[shard] == nil {
		f.batches[shard] = f.dataset.NewBatch(shard, backfillRows)
	}
	b := f.batches[shard]
	b.Append(f.one, 0)
	if b.Rows >= backfillRows {
		return f.store(ctx, b)
	}
	return nil
}

func (f *filling) storeAll(ctx context.Context) error {
	for _, b := range f.batches {
		if b == nil || b.Rows == 0 {
			continue
		}
		if err := f.store(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (f *filling) store(ctx context.Context, b *contract.Batch) error {
	b.Unstreamed = true
	start := time.Now()
	if err := worker.Store(ctx, f.worker, f.node.store, b); err != nil {
		return err
	}
	f.done.Stored += b.Rows
	f.done.Duplicates += b.Duplicates
	f.metrics.Stored(f.dataset.Name, b, time.Since(start))
	b.Reset()
	return nil
}
