package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

const maxBackoff = 5 * time.Second

// The reasons of a shard that does not run although nothing fails. A takeover ends with the
// reading of the keys of the dedupe window.
const (
	starting       = "starting"
	takingOver     = "taking over"
	ownedElsewhere = "owned by another worker"
)

// Config configures a worker.
type Config struct {
	// Contracts are the datasets to process.
	Contracts []*contract.Contract
	// Source opens the stream of one shard.
	Source func(c *contract.Contract, shard int) Source
	// Sink is the warehouse.
	Sink Sink
	// Live returns the number of live workers of the membership, this one included. The
	// shards are balanced among them.
	//
	// Default: 1.
	Live func(ctx context.Context) (int, error)
	// Observer receives measurements.
	//
	// Default: none.
	Observer Observer
	Logger   *slog.Logger

	// BatchRows is the number of rows from which a batch is full: it is deduped in memory while the
	// one before it is committed.
	//
	// Default: 122,880, DuckDB's row group.
	BatchRows int
	// CommitEvery is the least time between two commits of a shard, unless
	// a whole row group is full. A file needs none; MotherDuck needs seconds.
	//
	// Default: 0.
	CommitEvery time.Duration
	// Renew is how often a lease is renewed: a third of its time to live.
	//
	// Default: 5 s.
	Renew time.Duration
	// TrimEvery is how often a stream is trimmed up to its position.
	//
	// Default: 10 s.
	TrimEvery time.Duration
	// StopTimeout is how long a stopping worker may drain what is in flight.
	//
	// Default: 8 s, below Cloud Run's 10.
	StopTimeout time.Duration
	// Backoff is the wait before the first retry; it doubles up to 5 s.
	//
	// Default: 100 ms.
	Backoff time.Duration
	// AcceptLoss continues where the stream has lost events that are not stored.
	AcceptLoss bool
	// Hook is called at each step of a batch: "read", "decoded", "prepared", "committing",
	// "committed". For failure tests.
	Hook func(step string)
}

func (c *Config) withDefaults() {
	orDuration := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	orDuration(&c.Renew, 5*time.Second)
	orDuration(&c.TrimEvery, 10*time.Second)
	orDuration(&c.StopTimeout, 8*time.Second)
	orDuration(&c.Backoff, 100*time.Millisecond)
	if c.BatchRows <= 0 {
		c.BatchRows = rowGroup
	}
	if c.Live == nil {
		c.Live = func(context.Context) (int, error) { return 1, nil }
	}
	if c.Observer == nil {
		c.Observer = nopObserver{}
	}
	if c.Hook == nil {
		c.Hook = func(string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// Worker owns shards of its datasets, up to its quota, and ingests their events.
type Worker struct {
	cfg    Config
	shards []*shard
	quota  *quota
}

// New returns a worker. Run starts it.
func New(cfg Config) *Worker {
	cfg.withDefaults()
	w := &Worker{cfg: cfg, quota: &quota{limit: math.MaxInt}}
	for _, c := range cfg.Contracts {
		for n := range c.Shards {
			w.shards = append(w.shards, &shard{
				contract: c, number: n, source: cfg.Source(c, n), cfg: &w.cfg,
				log:     cfg.Logger.With(slog.String("dataset", c.Name), slog.Int("shard", n)),
				observe: cfg.Observer, hook: cfg.Hook, quota: w.quota, status: starting, failed: make(chan struct{}),
			})
		}
	}
	return w
}

// Run ingests events until ctx ends, then drains what was read, releases the leases and returns
// nil. It returns an error only when every shard has stopped for good.
func (w *Worker) Run(ctx context.Context) error {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(w.cfg.StopTimeout, cancel) })()
	failures := make([]error, len(w.shards))
	tracking, stop := context.WithCancel(ctx)
	defer stop()
	var background sync.WaitGroup
	background.Go(func() { w.trackMembership(tracking) })
	var shards sync.WaitGroup
	for i, s := range w.shards {
		shards.Go(func() { failures[i] = w.runShard(ctx, hard, s) })
	}
	shards.Wait()
	err := errors.Join(failures...)
	for _, e := range failures {
		if e == nil {
			err = nil
		}
	}
	if err == nil {
		<-ctx.Done()
	}
	stop()
	cancel()
	background.Wait()
	return err
}

// runShard owns one shard whenever it can. It returns the error that stops the shard for good,
// or nil when ctx ends.
func (w *Worker) runShard(ctx, hard context.Context, s *shard) error {
	for ctx.Err() == nil {
		owned, err := w.tryOwn(ctx, hard, s)
		if s.isFatal(err) {
			s.fail(err)
			return err
		}
		switch {
		case ctx.Err() != nil:
		case err != nil && !errors.Is(err, errNotOwner):
			s.setStatus(err.Error())
			s.backoff.next(s.log, "shard is not owned, retrying", err, 0)
		case !owned:
			s.setStatus(ownedElsewhere)
		}
		pause(ctx, w.cfg.Renew/5)
	}
	s.setStatus("stopped")
	return nil
}

func (w *Worker) tryOwn(ctx, hard context.Context, s *shard) (owned bool, err error) {
	if !w.quota.reserve() {
		return false, nil
	}
	defer w.quota.release(s)
	if owned, err = s.source.Acquire(ctx); err != nil || !owned {
		return false, err
	}
	return true, s.own(ctx, hard)
}

// trackMembership sets this worker's quota: the shards divided by the live workers, rounded up.
func (w *Worker) trackMembership(ctx context.Context) {
	var retries backoff
	for {
		if live, err := w.cfg.Live(ctx); err != nil {
			retries.next(w.cfg.Logger, "heartbeat failed, keeping the quota", err, 0)
		} else {
			retries.reset(w.cfg.Logger)
			w.quota.set((len(w.shards) + live - 1) / max(1, live))
		}
		if !pause(ctx, w.cfg.Renew/2) {
			return
		}
	}
}

// ShardStatus is the state of one shard in this process.
type ShardStatus struct {
	Dataset string
	Shard   int
	// Owned is true while this process owns the shard.
	Owned bool
	// Reason says why the shard is not running; empty when it is.
	Reason string
	// Position is the last committed, while owned.
	Position event.Position
	// Oldest is the lag: the age of the oldest event that was read or should have been, and is
	// not committed.
	Oldest time.Duration
	// KeyBytes is the memory of the dedupe window.
	KeyBytes int
}

// Failing reports whether an error keeps the shard from running: it is neither being taken over nor
// owned by another worker.
func (s ShardStatus) Failing() bool {
	return !slices.Contains([]string{"", starting, takingOver, ownedElsewhere}, s.Reason)
}

// Status returns the state of every shard.
func (w *Worker) Status() []ShardStatus {
	all := make([]ShardStatus, len(w.shards))
	for i, s := range w.shards {
		s.mu.Lock()
		c, reason := s.committer, s.status
		s.mu.Unlock()
		all[i] = ShardStatus{Dataset: s.contract.Name, Shard: s.number, Owned: c != nil, Reason: reason}
		if c != nil {
			all[i].Oldest = s.inFlight.age(time.Now())
			state := c.state.Load()
			all[i].Position, all[i].KeyBytes = state.position, state.keyBytes
		}
	}
	return all
}

// Counts are the totals of a worker for a dataset since its start.
type Counts struct{ Entries, Rows int64 }

// Counts returns how many stream entries were committed and rows stored.
func (w *Worker) Counts(c *contract.Contract) Counts {
	var sum Counts
	for _, s := range w.shards {
		if s.contract.Name == c.Name {
			sum.Entries += s.entries.Load()
			sum.Rows += s.rows.Load()
		}
	}
	return sum
}

// owner is the committer of a shard that this process owns, or nil.
func (w *Worker) owner(c *contract.Contract, number int) *committer {
	for _, s := range w.shards {
		if s.contract.Name == c.Name && s.number == number {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.committer
		}
	}
	return nil
}

// Store commits a batch that was not read from the stream (a backfill, replayed rejects)
// through the shard's commit queue. Where another process owns the shard, the position's rev
// keeps the two apart: the batch is retried when the other committed first; the other, when
// it was second, takes the shard over again and so reads the keys that were stored here.
func Store(ctx context.Context, w *Worker, sink Sink, b *contract.Batch) error {
	once := func(do func() error) error { return do() }
	for attempt := 0; ; attempt++ {
		c, err := committerOf(ctx, w, sink, b) // fenced if another process takes the shard's first position meanwhile
		if err == nil {
			b.Last = event.ID{} // commit raises it to the position
			err = c.commit(ctx, b, c.position().Last, nil, once)
		}
		if !errors.Is(err, event.ErrFenced) || attempt == 20 {
			return err
		}
		if !pause(ctx, time.Duration(attempt+1)*20*time.Millisecond) {
			return ctx.Err()
		}
		if c == nil {
			continue
		}
		if err := c.catchUp(ctx); err != nil && !errors.Is(err, event.ErrFenced) {
			return err
		}
	}
}

// committerOf is the commit queue of the batch's shard: the worker's where it owns the shard,
// else one at the committed position.
func committerOf(ctx context.Context, w *Worker, sink Sink, b *contract.Batch) (*committer, error) {
	if w != nil {
		if c := w.owner(b.Contract, b.Shard); c != nil {
			return c, nil
		}
	}
	pos, found, err := sink.Position(ctx, b.Contract, b.Shard)
	if err == nil && !found {
		pos, err = sink.TakeOver(ctx, b.Contract, b.Shard)
	}
	if err != nil {
		return nil, fmt.Errorf("look up position of shard %d: %w", b.Shard, err)
	}
	return newCommitter(sink, b.Contract, pos), nil
}

type nopObserver struct{}

func (nopObserver) Read(string, int)                                 {}
func (nopObserver) Committed(string, *contract.Batch, time.Duration) {}
func (nopObserver) Retried(string)                                   {}
func (nopObserver) Reconciled(string, int64, int64)                  {}
func (nopObserver) Loss(string, int64)                               {}
func (nopObserver) Ahead(string, int64)                              {}
