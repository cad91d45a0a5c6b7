package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

const (
	// rowGroup is DuckDB's row-group size: a commit of that many rows goes to
	// the table without passing through the write-ahead log.
	rowGroup = 122_880
	// batchBytes bounds the payload bytes decoded into one batch.
	batchBytes = 64 << 20
	// backlogRead is the number of events from which on a read is taken for a backlog.
	backlogRead = 1000
	// backlogWait bounds how long a backlog may fill a row group, backlogGap how long it may pause.
	backlogWait, backlogGap = 500 * time.Millisecond, 100 * time.Millisecond
	// pruneEvery is how often rows past their retention are deleted.
	pruneEvery = time.Hour
	// batchesInUse is two: one is decoded while the other is committed.
	batchesInUse = 2
)

// segment is what one read returned.
type segment struct {
	entries []event.Entry
	release func()
	// added is the server's count at the last of these entries, of which new were not read before:
	// see reconciler.
	added int64
	new   int
}

// addedAt is the server's count after n of the entries.
func (s segment) addedAt(n int) int64 {
	switch left := len(s.entries) - n; {
	case s.added == uncounted || s.added == 0:
		return s.added
	case left >= s.new:
		return 0 // none of them is new
	default:
		return s.added - int64(left)
	}
}

// pipeline is one attachment to the stream: reader, decoder and committer, connected by channels. It
// ends by draining: the reader stops, then what is in flight is decoded and committed.
type pipeline struct {
	shard    *shard
	from     origin
	segments chan segment
	full     chan flushed
	empty    chan *contract.Batch
	// recovered counts reread entries that turned out to be new, up to the ID from which on
	// the gap is.
	recovered atomic.Int64
	// aheadLogged: entries ahead of the clock are logged once.
	aheadLogged bool
	// draining is the number of requests that await the stream to be drained up to drainTo.
	draining          int
	drainTo           event.ID
	positionPublisher positionPublisher
}

func newPipeline(s *shard, from origin) *pipeline {
	p := &pipeline{
		shard: s, from: from,
		segments:          make(chan segment, 1),
		full:              make(chan flushed),
		empty:             make(chan *contract.Batch, batchesInUse),
		positionPublisher: newPositionPublisher(),
	}
	for range batchesInUse {
		p.empty <- s.contract.NewBatch(s.number, backlogRead)
	}
	return p
}

// run returns when the pipeline is drained: readErr is why reading ended, err what kept the
// entries in flight from being committed. The end of soft ends the reading; the end of hard
// aborts.
func (p *pipeline) run(soft, hard context.Context) (readErr, err error) {
	g, hard := errgroup.WithContext(hard)
	reading, stop := context.WithCancel(soft)
	defer stop()
	p.shard.inFlight.begin(p.from.after)
	p.positionPublisher.trigger()
	defer context.AfterFunc(hard, stop)()
	g.Go(func() error {
		defer close(p.segments)
		readErr = p.read(reading, hard)
		return nil // the other stages drain
	})
	g.Go(func() error {
		defer close(p.full)
		return p.decode(hard)
	})
	g.Go(func() error {
		defer close(p.positionPublisher.done)
		return p.commit(hard)
	})
	g.Go(func() error {
		p.publishPosition(hard)
		return nil
	})
	err = g.Wait()
	p.shard.inFlight.clear()
	return readErr, err
}

// read emits what it reads from the stream until that fails or ctx ends.
func (p *pipeline) read(ctx, hard context.Context) error {
	raiseTo := p.from.reread
	for ctx.Err() == nil {
		if err := p.shard.renewIfDue(ctx); err != nil {
			return err
		}
		if err := p.shard.trim(ctx); err != nil {
			return err
		}
		if p.shard.drains.replayRequested() {
			return errReplay
		}
		if len(p.shard.gaps) > 0 && p.gapsReread() {
			p.closeGaps()
		}
		if err := p.advanceDrain(ctx); err != nil {
			return err
		}
		entries, release, err := p.shard.source.Read(ctx)
		if err != nil {
			return err
		}
		p.shard.inFlight.received(len(entries))
		p.shard.hook("read")
		if len(entries) > 0 {
			if err := p.received(ctx, hard, entries, release); err != nil {
				return err
			}
			continue
		}
		release()
		if err := p.shard.handleReconciliation(p.shard.reconciler.endOfStream()); err != nil {
			return err
		}
		if err := p.caughtUp(ctx, &raiseTo); err != nil {
			return err
		}
	}
	return nil
}

// received emits entries, then reports what the reconciliation of them found.
func (p *pipeline) received(ctx, hard context.Context, entries []event.Entry, release func()) error {
	p.shard.observe.Read(p.shard.contract.Name, len(entries))
	for i := range p.shard.gaps {
		p.shard.gaps[i].match(entries)
	}
	p.countAhead(entries)
	known := upTo(entries, p.shard.reconciler.last)
	added, found, compared := p.shard.reconciler.receive(entries)
	err := p.emit(ctx, hard, segment{entries, release, added, len(entries) - known})
	if gap := p.shard.handleReconciliation(found, compared); err == nil {
		err = gap
	}
	return err
}

// caughtUp runs at the end of the stream. The last ID of a stream that was reread is lifted, so
// that the server generates none up to the position twice. Once all is committed, drain
// requests complete and the warehouse may run its maintenance.
func (p *pipeline) caughtUp(ctx context.Context, raiseTo *event.ID) error {
	if !raiseTo.IsZero() {
		if err := p.shard.source.RaiseLastID(ctx, *raiseTo); err != nil {
			return err
		}
		*raiseTo = event.ID{}
		p.shard.reconciler.uncommittedLoss = true // the count has restarted
		if _, err := p.shard.reconcile(ctx); err != nil {
			return err
		}
	}
	if !p.shard.inFlight.isEmpty() {
		return nil
	}
	if len(p.shard.gaps) > 0 {
		if _, err := p.shard.reconcile(ctx); err != nil || !p.rereadComplete() {
			return err
		}
	}
	p.closeGaps()
	if err := p.commitLoss(ctx); err != nil {
		return err
	}
	// A foreign stream is not raised to the position: until it has passed that, what is read counts.
	p.positionPublisher.caughtUp.Store(p.shard.contract.Stream == nil)
	p.positionPublisher.trigger()
	p.completeDrain()
	if err := p.shard.trimAtEnd(ctx); err != nil {
		return err
	}
	p.shard.cfg.Sink.Idle(ctx)
	if p.shard.contract.Retention == 0 || time.Since(p.shard.pruned) < pruneEvery {
		return nil
	}
	p.shard.pruned = time.Now()
	rows, err := p.shard.cfg.Sink.Prune(ctx, p.shard.contract)
	if err != nil {
		p.shard.log.Warn("delete of rows past their retention failed", slog.Any("error", err))
	} else if rows > 0 {
		p.shard.log.Info("deleted rows past their retention", slog.Int64("rows", rows))
	}
	return nil
}

// advanceDrain looks up, when requests are pending, the last ID up to which the stream must be
// read and reconciled, and completes them once all up to it is committed. So does the end of
// the stream.
func (p *pipeline) advanceDrain(ctx context.Context) error {
	start := p.draining == 0
	if start {
		p.draining = p.shard.drains.pending()
	}
	switch {
	case p.draining == 0:
		return nil
	case start:
	case p.shard.reconciler.pending != nil || p.shard.inFlight.committedTo().Compare(p.drainTo) < 0:
		return nil
	case p.shard.reconciler.verified.Compare(p.drainTo) >= 0:
		p.completeDrain()
		return nil
	}
	state, err := p.shard.reconcile(ctx)
	if start {
		p.drainTo = state.Last
	}
	return err
}

func (p *pipeline) completeDrain() {
	p.shard.drains.complete(p.draining)
	p.draining = 0
}

// emit sends a segment to the decoder and renews the lease while it waits. An error of that is
// returned once the segment is sent.
func (p *pipeline) emit(ctx, hard context.Context, c segment) (err error) {
	tick := time.NewTicker(p.shard.cfg.Renew)
	defer tick.Stop()
	for {
		select {
		case p.segments <- c:
			return err
		case <-hard.Done():
			return hard.Err()
		case <-tick.C:
			if err == nil {
				err = p.shard.renewIfDue(context.WithoutCancel(ctx))
			}
		}
	}
}

// decode fills batches and flushes each to the committer when it is due.
func (p *pipeline) decode(ctx context.Context) error {
	b := &batcher{
		prepare: func(b *contract.Batch) *prepared { return p.shard.committer.prepare(b, p.from.reread) },
		decoder: p.shard.contract.NewDecoder(), in: p.segments, full: p.full, empty: p.empty, batch: <-p.empty,
		rows: p.shard.cfg.BatchRows, every: p.shard.cfg.CommitEvery, inFlight: &p.shard.inFlight, hook: p.shard.hook,
	}
	for b.in != nil || b.batch.Entries > 0 {
		if err := b.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// commit stores batches in order.
func (p *pipeline) commit(ctx context.Context) error {
	for f := range p.full {
		b := f.batch
		p.shard.inFlight.committing()
		last := b.Last // the commit may raise it
		b.RunID = p.from.runID
		if last.Compare(p.from.reread) <= 0 {
			b.RunID = p.from.rereadRunID
		}
		p.shard.hook("committing")
		start := time.Now()
		if err := p.shard.committer.commit(ctx, b, p.from.reread, f.prepared, p.shard.retryCommit(ctx)); err != nil {
			return err
		}
		p.shard.hook("committed")
		if !p.from.gapFrom.IsZero() {
			p.recovered.Add(countRecovered(b, p.from.gapFrom))
		}
		p.shard.entries.Add(int64(b.Entries))
		p.shard.rows.Add(int64(b.Rows))
		p.shard.observe.Committed(p.shard.contract.Name, b, time.Since(start))
		for _, traced := range b.Traces {
			p.shard.log.Debug("traced event committed", slog.String("trace", traced.Trace()), slog.Any("id", traced.ID))
		}
		p.shard.inFlight.committed(b.Entries, last)
		p.positionPublisher.trigger()
		b.Reset()
		p.empty <- b
	}
	return nil
}
