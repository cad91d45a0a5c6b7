package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/contract"
)

const (
	// rowGroup is DuckDB's row-group size: a commit of that many rows goes to
	// the table without passing through the write-ahead log.
	rowGroup = 122_880
	// batchBytes bounds the payload bytes decoded into one batch.
	batchBytes = 64 << 20
	// backlogRead is the number of entries from which on a read shows a backlog.
	backlogRead = 1000
	// backlogWait bounds how long a backlog may fill a row group.
	backlogWait = 500 * time.Millisecond
	// pruneEvery is how often rows past their retention are deleted.
	pruneEvery = time.Hour
	// batchesInUse circulate: one is decoded while the other is committed.
	batchesInUse = 2
)

// chunk is what one read gave.
type chunk struct {
	entries []contract.Entry
	release func()
	// added is the server's count at the last of these entries: see reconciler.
	added int64
}

// pipeline is one attachment: reader, decoder and committer, joined by
// channels. It ends by draining: the reader stops, what it received is decoded
// and committed.
type pipeline struct {
	*shard
	origin
	chunks chan chunk
	full   chan *contract.Batch
	empty  chan *contract.Batch
	// recovered counts entries that were read again and found not to be stored, up to
	// the position at which the gap was noticed.
	recovered atomic.Int64
	// aheadLogged: the log has it that entries are ahead of the clock.
	aheadLogged bool
	// draining is how many wait for the stream to be drained up to until.
	draining int
	until    contract.ID
	notes    notes
}

func newPipeline(s *shard, from origin) *pipeline {
	p := &pipeline{
		shard: s, origin: from,
		chunks: make(chan chunk, 1),
		full:   make(chan *contract.Batch),
		empty:  make(chan *contract.Batch, batchesInUse),
		notes:  newNotes(),
	}
	for range batchesInUse {
		p.empty <- s.contract.NewBatch(s.number, backlogRead)
	}
	return p
}

// run returns when reading has ended and all that was received is settled: why
// reading ended, and what kept the rest from being settled. The end of soft ends
// the reading; the end of hard ends everything.
func (p *pipeline) run(soft, hard context.Context) (readErr, err error) {
	g, hard := errgroup.WithContext(hard)
	reading, stop := context.WithCancel(soft)
	defer stop()
	p.inFlight.begin(p.after)
	p.notes.changed()
	defer context.AfterFunc(hard, stop)()
	g.Go(func() error {
		defer close(p.chunks)
		readErr = p.read(reading, hard)
		return nil // reading may end and the rest go on
	})
	g.Go(func() error {
		defer close(p.full)
		return p.decode(hard)
	})
	g.Go(func() error {
		defer close(p.notes.done)
		return p.commit(hard)
	})
	g.Go(func() error {
		p.note(hard)
		return nil
	})
	err = g.Wait()
	p.inFlight.clear()
	return readErr, err
}

// read passes on what the stream gives until it fails or reading is to end.
func (p *pipeline) read(ctx, hard context.Context) error {
	lift := p.reread
	for ctx.Err() == nil {
		if err := p.renewIfDue(ctx); err != nil {
			return err
		}
		if err := p.trim(ctx); err != nil {
			return err
		}
		if p.waiters.wantAgain() {
			return errAgain
		}
		if len(p.gaps) > 0 && p.gapsReread() {
			p.closeGaps()
		}
		if err := p.drain(ctx); err != nil {
			return err
		}
		entries, release, err := p.source.Read(ctx)
		if err != nil {
			return err
		}
		p.inFlight.received(len(entries))
		p.hook("read")
		if len(entries) > 0 {
			if err := p.received(ctx, hard, entries, release); err != nil {
				return err
			}
			continue
		}
		release()
		if err := p.handleReconciliation(p.reconciler.endOfStream()); err != nil {
			return err
		}
		if err := p.caughtUp(ctx, &lift); err != nil {
			return err
		}
	}
	return nil
}

// received hands entries on; whatever they show to be wrong comes after that.
func (p *pipeline) received(ctx, hard context.Context, entries []contract.Entry, release func()) error {
	p.observe.Read(p.contract.Name, len(entries))
	for i := range p.gaps {
		p.gaps[i].match(entries)
	}
	p.countAhead(entries)
	added, found, compared := p.reconciler.receive(entries)
	err := p.pass(ctx, hard, chunk{entries, release, added})
	if gap := p.handleReconciliation(found, compared); err == nil {
		err = gap
	}
	return err
}

// caughtUp does what waits for the end of the stream: the last ID of one that
// was read again is lifted, so that none up to the position is handed out twice;
// and once all is committed, those who wait for it are told and the warehouse may
// tidy up.
func (p *pipeline) caughtUp(ctx context.Context, lift *contract.ID) error {
	if !lift.IsZero() {
		if err := p.source.Lift(ctx, *lift); err != nil {
			return err
		}
		*lift = contract.ID{}
		p.reconciler.uncommittedLoss = true // the count began anew
		if _, err := p.reconcile(ctx); err != nil {
			return err
		}
	}
	if !p.inFlight.none() {
		return nil
	}
	if len(p.gaps) > 0 {
		if _, err := p.reconcile(ctx); err != nil || !p.rereadComplete() {
			return err
		}
	}
	p.closeGaps()
	if err := p.commitLoss(ctx); err != nil {
		return err
	}
	p.notes.level.Store(true)
	p.notes.changed()
	p.drained()
	p.cfg.Sink.Idle(ctx)
	if p.contract.Retention == 0 || time.Since(p.pruned) < pruneEvery {
		return nil
	}
	p.pruned = time.Now()
	rows, err := p.cfg.Sink.Prune(ctx, p.contract)
	if err != nil {
		p.log.Warn("rows past their retention not deleted", slog.Any("error", err))
	} else if rows > 0 {
		p.log.Info("deleted rows past their retention", slog.Int64("rows", rows))
	}
	return nil
}

// drain asks, for those who wait, up to where the stream must be read and its count agree, and
// tells them once all up to there is committed. Nothing more to read says so too.
func (p *pipeline) drain(ctx context.Context) error {
	begins := p.draining == 0
	if begins {
		p.draining = p.waiters.waiting()
	}
	switch {
	case p.draining == 0:
		return nil
	case begins:
	case p.reconciler.pending != nil || p.inFlight.settledTo().Compare(p.until) < 0:
		return nil
	case p.reconciler.verified.Compare(p.until) >= 0:
		p.drained()
		return nil
	}
	state, err := p.reconcile(ctx)
	if begins {
		p.until = state.Last
	}
	return err
}

func (p *pipeline) drained() {
	p.waiters.drained(p.draining)
	p.draining = 0
}

// pass hands a chunk to the decoder; while it waits, the lease is kept. What goes wrong with
// that ends the reading once the chunk is handed over.
func (p *pipeline) pass(ctx, hard context.Context, c chunk) (err error) {
	tick := time.NewTicker(p.cfg.Renew)
	defer tick.Stop()
	for {
		select {
		case p.chunks <- c:
			return err
		case <-hard.Done():
			return hard.Err()
		case <-tick.C:
			if err == nil {
				err = p.renewIfDue(context.WithoutCancel(ctx))
			}
		}
	}
}

// decode fills batches and offers each to the committer when it is ready.
func (p *pipeline) decode(ctx context.Context) error {
	d := &decoding{pipeline: p, decoder: p.contract.NewDecoder(), in: p.chunks}
	d.batch = <-p.empty
	for d.in != nil || d.batch.Entries > 0 {
		if err := d.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// decoding is the state of the decoding stage.
type decoding struct {
	*pipeline
	decoder *contract.Decoder
	in      chan chunk // nil once reading has ended
	batch   *contract.Batch
	bytes   int
	backlog bool
	since   time.Time // the batch's first entry
	handed  time.Time // the last batch was handed over
}

func (d *decoding) step(ctx context.Context) error {
	in, out := d.in, d.full
	var wake <-chan time.Time
	if d.isFull() {
		in = nil
	}
	if wait := d.wait(); d.batch.Entries == 0 {
		out = nil
	} else if wait > 0 {
		out, wake = nil, time.After(wait)
	}
	select {
	case c, ok := <-in:
		if !ok {
			d.in = nil
			return nil
		}
		d.take(c)
		return nil
	case out <- d.batch:
		return d.swap(ctx)
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *decoding) isFull() bool {
	return d.batch.Rows+len(d.batch.Rejects) >= rowGroup || d.bytes >= batchBytes
}

// wait is how long the batch should still grow before it is committed.
func (d *decoding) wait() time.Duration {
	if d.in == nil || d.isFull() {
		return 0
	}
	wait := d.cfg.CommitEvery - time.Since(d.handed)
	if d.backlog {
		wait = max(wait, backlogWait-time.Since(d.since))
	}
	return wait
}

func (d *decoding) take(c chunk) {
	if d.batch.Entries == 0 {
		d.since = time.Now()
		d.inFlight.decoding(c.entries[0].ID)
	}
	for _, e := range c.entries {
		d.decoder.DecodeEntry(d.batch, e)
		d.bytes += len(e.Payload)
	}
	d.batch.Last, d.batch.Added = c.entries[len(c.entries)-1].ID, c.added
	d.backlog = len(c.entries) >= backlogRead
	c.release()
	d.hook("decoded")
}

// swap goes on with an empty batch after the full one was handed over.
func (d *decoding) swap(ctx context.Context) error {
	d.bytes, d.handed = 0, time.Now()
	select {
	case d.batch = <-d.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit stores batches in order.
func (p *pipeline) commit(ctx context.Context) error {
	for b := range p.full {
		p.inFlight.committing()
		last := b.Last // the commit may lift it
		b.RunID = p.runID
		if last.Compare(p.reread) <= 0 {
			b.RunID = p.early
		}
		p.hook("committing")
		start := time.Now()
		if err := p.committer.commit(ctx, b, p.reread, p.retryCommit(ctx)); err != nil {
			return err
		}
		p.hook("committed")
		if !p.gapFrom.IsZero() {
			p.recovered.Add(countRecovered(b, p.gapFrom))
		}
		p.entries.Add(int64(b.Entries))
		p.rows.Add(int64(b.Rows))
		p.observe.Committed(p.contract.Name, b, time.Since(start))
		for _, traced := range b.Traces {
			p.log.Debug("traced event settled", slog.String("trace", traced.Trace()), slog.Any("id", traced.ID))
		}
		p.inFlight.committed(b.Entries, last)
		p.notes.changed()
		b.Reset()
		p.empty <- b
	}
	return nil
}
