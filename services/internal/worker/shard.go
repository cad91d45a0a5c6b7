package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// dueEntries is how many entries make a trim due early: producers wait only for entries that
// are not stored, so it is the worker that keeps stored ones from filling the server. About three times
// as many are on a server at full speed, for what is trimmed was reconciled and committed before.
const dueEntries = 50_000

// dueAtEnd is how many entries make a trim due once the stream was read to its end.
const dueAtEnd = 1000

// errNotOwner ends an ownership: the lease was lost, or the shard is above the quota.
var errNotOwner = errors.New("lost shard ownership")

// LossError stops a shard whose stream no longer holds entries that were never committed.
type LossError struct {
	Dataset        string
	Shard          int
	Position, Gone event.ID
	Reason         string
}

func (e *LossError) Error() string {
	return fmt.Sprintf(
		"dataset %s, shard %d: the warehouse is at %s but the stream was %s up to %s: the entries between are lost. "+
			"Restore a newer copy of the warehouse, or continue without them with --accept-loss",
		e.Dataset, e.Shard, e.Position, e.Reason, e.Gone)
}

// shard is the state of one shard of one dataset in this process.
type shard struct {
	contract   *contract.Contract
	number     int
	source     Source
	cfg        *Config
	log        *slog.Logger
	observe    Observer
	hook       func(step string)
	quota      *quota
	inFlight   inFlight
	reconciler reconciler // of the pipeline; used by its reader
	gaps       []gap      // found by earlier pipelines, closed by this one
	rereads    int        // for gaps, in a row
	clock      clock      // the server's
	drains     drainRequests

	mu        sync.Mutex
	committer *committer // nil while this process doesn't own the shard
	status    string     // why it is not running; empty when it is

	renewed, trimmed time.Time
	pruned           time.Time
	entries, rows    atomic.Int64 // committed, stored
	// renewedAt and trimmedAt are the value of entries then.
	renewedAt, trimmedAt int64

	failed         chan struct{} // closed when the shard has stopped for good
	failure        error         // why, set before that
	otherWarehouse int           // attempts in a row that found it claimed by another warehouse

	backoff backoff // of its owner
}

// own takes the shard over and ingests its events until the lease is lost, the shard is fenced,
// or soft ends (nil).
func (s *shard) own(soft, hard context.Context) error {
	defer s.release(hard)
	s.setStatus(takingOver)
	c := newCommitter(s.cfg.Sink, s.contract, event.Position{})
	c.clock = &s.clock
	s.gaps, s.reconciler = nil, reconciler{added: uncounted} // those of an earlier ownership are stale
	err := s.renewWhile(soft, func() error {
		retry := s.retry(soft, "takeover failed, retrying")
		return retry(func() error { return c.takeOver(soft, s.number) })
	})
	if err != nil {
		return ignoreEnd(soft, err)
	}
	s.mu.Lock()
	s.committer = c
	s.mu.Unlock()
	for soft.Err() == nil {
		readErr, err := s.runPipeline(soft, hard, c)
		if err != nil {
			return err
		}
		if errors.Is(readErr, errNotOwner) || isOtherWarehouse(readErr) {
			return readErr
		}
		if errors.Is(readErr, event.ErrNoStream) {
			s.drains.complete(s.drains.pending()) // nothing is there to be stored
		}
		if readErr != nil && !errors.Is(readErr, errReplay) && soft.Err() == nil {
			s.setStatus("reading: " + readErr.Error())
			pause(soft, s.backoff.next(s.log, "read failed, reconnecting", readErr, s.cfg.Backoff))
		}
	}
	return nil
}

// renewWhile renews the lease while do runs: rebuilding the keys of a large window takes longer
// than a lease lasts, and two workers would take the shard over from each other for ever.
// runPipeline checks whether the lease was lost meanwhile.
func (s *shard) renewWhile(ctx context.Context, do func() error) error {
	ctx, done := context.WithCancel(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() {
		for pause(ctx, s.cfg.Renew) {
			if _, err := s.source.Renew(ctx); err != nil {
				s.log.Warn("renew lease failed", slog.Any("error", err))
			}
		}
	})
	defer renewal.Wait()
	defer done()
	return do()
}

// runPipeline attaches to the stream and runs a pipeline until all that it has read is committed.
func (s *shard) runPipeline(soft, hard context.Context, c *committer) (readErr, err error) {
	from, err := s.attach(soft, c)
	switch _, lost := errors.AsType[*LossError](err); {
	case lost, errors.Is(err, event.ErrFenced):
		return nil, err
	case err != nil:
		return err, nil
	}
	s.setStatus("")
	s.backoff.reset(s.log)
	return newPipeline(s, from).run(soft, hard)
}

// attach attaches to the stream, after checks of the lease and the stream's state.
func (s *shard) attach(ctx context.Context, c *committer) (from origin, err error) {
	if err := s.ensureLease(ctx, c); err != nil {
		return from, err
	}
	state, err := s.source.State(ctx)
	if err != nil {
		return from, err
	}
	s.clock.set(state.Now)
	pos := c.position()
	lost, err := s.checkLoss(ctx, c, state)
	if err != nil {
		return from, err
	}
	from = s.resume(pos, state)
	begun, err := s.source.Attach(ctx, pos.Epoch, from.after)
	if err != nil {
		return from, err
	}
	if begun != from.after {
		s.streamReplaced(pos, state)
		if oldest := s.beforeOldest(pos, state); !oldest.IsZero() { // now that the group is there, it can begin later
			if begun, err = s.source.Attach(ctx, pos.Epoch, oldest); err != nil {
				return from, err
			}
		}
		from = from.fromOldest(pos, begun)
	}
	if from.rereadRunID != "" { // the count restarts at the oldest entry: a former owner trimmed until its group was gone
		if state, err = s.source.State(ctx); err != nil {
			return from, err
		}
	}
	from.noCount = s.rereads >= maxRereads || !from.counted && from.rereadRunID != "" && !from.after.IsZero()
	s.reconciler = newReconciler(pos, state, from, lost)
	return from, nil
}

// streamReplaced logs that the stream was replaced, or got other entries at or below the
// position, and counts those that were removed before they were read.
func (s *shard) streamReplaced(pos event.Position, state event.StreamState) {
	s.log.Warn("stream was replaced or its cursor moved back, rereading it",
		slog.Any("position", pos.Last), slog.Any("stream_first", state.First), slog.Any("stream_last", state.Last))
	if a, found := s.reconciler.outstanding(); found && a.missing > 0 {
		s.gaps = append(s.gaps, gap{reconciliation: a})
	}
	if state.Added == uncounted || state.Known {
		return // what was removed may have been read before
	}
	gone := state.Added - state.Length
	if s.contract.Stream != nil && state.Added >= pos.Added { // or only the group is gone, and others remove what is stored
		gone -= max(pos.Added, 0)
	}
	if gone > 0 {
		s.reportLost(reconciliation{upTo: state.Last}, gone)
	}
}

// rereading is committed as the run id while a stream is reread, and is no server's: an owner
// that takes over before the end of that starts to reread again.
const rereading = "rereading"

// origin is where a pipeline starts to read.
type origin struct {
	after  event.ID
	reread event.ID // entries up to here may be stored already
	// runID is committed with the position, once the reading is past reread; until then
	// rereadRunID is.
	runID, rereadRunID string
	// noCount: too many rereads have found a gap, or the reread leaves out entries past their
	// retention, so this one starts without a count.
	noCount bool
	// counted: the server's count goes on from the position, though the stream is reread.
	counted bool
	// gapFrom is the ID up to which it is unknown which entries were received.
	gapFrom event.ID
}

// fromOldest is the origin of a reread, for the stream may have been replaced. It begins after the
// given ID.
func (o origin) fromOldest(pos event.Position, after event.ID) origin {
	o.after, o.reread, o.rereadRunID, o.counted = after, pos.Last, rereading, false
	return o
}

// firstTime is below any ID that is a time of a stream's server: 2001.
const firstTime = 1_000_000_000_000

// beforeOldest is the ID after which a reread begins: zero, all that the stream keeps. A foreign stream
// may keep entries for longer than the table keeps rows, and those that were deleted would be taken for
// new ones.
func (s *shard) beforeOldest(pos event.Position, state event.StreamState) event.ID {
	retention := uint64(s.contract.Retention.Milliseconds())
	if s.contract.Stream == nil || retention == 0 || state.Now < retention || pos.Last.MS < firstTime {
		return event.ID{}
	}
	return event.Earlier(pos.Last, event.ID{MS: state.Now - retention})
}

// resume decides where to read from: the position or, if the server may have lost entries, the
// stream was replaced, entries are missing or a replay was requested, the oldest entry. That the
// stream was replaced shows in its count of added entries and in an entry that was trimmed;
// Attach detects the other cases.
func (s *shard) resume(pos event.Position, state event.StreamState) origin {
	from := origin{after: pos.Last, runID: state.RunID}
	oldest := s.beforeOldest(pos, state)
	if s.drains.begin() {
		from.after, from.reread = oldest, pos.Last
	}
	switch {
	case pos.Last.IsZero():
	case len(s.gaps) > 0:
		from = from.fromOldest(pos, oldest)
		from.gapFrom = s.gaps[0].after
		for i := range s.gaps {
			s.gaps[i].found = 0
		}
	case state.RunID != pos.RunID || state.Last.Compare(pos.Last) < 0:
		s.log.Info("server restarted or lost entries, rereading the stream",
			slog.Any("position", pos.Last), slog.Any("stream_last", state.Last))
		from = from.fromOldest(pos, oldest)
		from.counted = s.goesOn(pos, state)
	case state.Added != uncounted && state.Added < pos.Added,
		state.Length > 0 && state.First.Compare(state.TrimmedTo) <= 0:
		s.streamReplaced(pos, state)
		from = from.fromOldest(pos, oldest)
	}
	return from
}

// goesOn reports whether a foreign stream is the one that was read up to the position, with all that was
// read: so what its owner has removed since is found by its count, also after a restart of the server.
func (s *shard) goesOn(pos event.Position, state event.StreamState) bool {
	return s.contract.Stream != nil && state.Known && state.Last.Compare(pos.Last) >= 0 &&
		pos.Added != uncounted && state.Added >= pos.Added
}

// ensureLease renews the lease or, where it has expired, acquires it. errNotOwner: another worker has it;
// event.ErrFenced: another worker had it meanwhile.
func (s *shard) ensureLease(ctx context.Context, c *committer) error {
	s.renewed = time.Now()
	renewed, err := s.source.Renew(ctx)
	if renewed || err != nil {
		return err
	}
	acquired, err := s.source.Acquire(ctx)
	if err == nil && !acquired {
		err = errNotOwner
	}
	if err != nil {
		return err
	}
	return c.catchUp(ctx)
}

// renewIfDue renews the lease and reconciles, when that is due. errNotOwner: the lease was lost,
// or the shard is to be released to another worker.
func (s *shard) renewIfDue(ctx context.Context) error {
	if time.Since(s.renewed) < s.cfg.Renew && s.entries.Load()-s.renewedAt < dueEntries {
		return nil
	}
	s.renewed, s.renewedAt = time.Now(), s.entries.Load()
	renewed, err := s.source.Renew(ctx)
	if err != nil {
		return fmt.Errorf("renew lease: %w", err)
	}
	if !renewed || s.quota.surplus(s) {
		return errNotOwner
	}
	_, err = s.reconcile(ctx)
	return err
}

// reconcile asks the server for its count and compares it with what was received.
func (s *shard) reconcile(ctx context.Context) (event.StreamState, error) {
	state, err := s.source.State(ctx)
	if err != nil {
		return state, err
	}
	s.clock.set(state.Now)
	return state, s.handleReconciliation(s.reconciler.expect(state))
}

// trim removes committed entries, when that is due: none beyond what was reconciled, for the rest
// may not be read yet.
func (s *shard) trim(ctx context.Context) error {
	if time.Since(s.trimmed) < s.cfg.TrimEvery && s.entries.Load()-s.trimmedAt < dueEntries {
		return nil
	}
	to := s.inFlight.committedTo()
	if s.reconciler.verified.Compare(to) < 0 {
		to = s.reconciler.verified
	}
	if to.IsZero() {
		return nil
	}
	s.trimmed, s.trimmedAt = time.Now(), s.entries.Load()
	if err := s.source.Trim(ctx, to); err != nil {
		return fmt.Errorf("trim stream: %w", err)
	}
	return nil
}

// trimAtEnd removes what is stored once the stream was read to its end and nothing is in flight: on a full
// server, which may be one of fewer than dueEntries, producers wait for it.
func (s *shard) trimAtEnd(ctx context.Context) error {
	if s.entries.Load()-s.trimmedAt < dueAtEnd {
		return nil
	}
	if _, err := s.reconcile(ctx); err != nil {
		return err
	}
	s.trimmed = time.Time{}
	return s.trim(ctx)
}

// checkLoss reports a loss that was found and accepted. What the owner of a foreign stream has removed is
// no reason to stop: it is not Estela's to restore, and reconciliation counts it. event.ErrFenced: another
// worker has taken the shard over, and may have stored what it trimmed.
func (s *shard) checkLoss(ctx context.Context, c *committer, state event.StreamState) (lost bool, err error) {
	if s.contract.Stream != nil {
		return false, nil
	}
	pos := c.position()
	loss := &LossError{Dataset: s.contract.Name, Shard: s.number, Position: pos.Last}
	switch {
	case state.TrimmedTo.Compare(pos.Last) > 0:
		loss.Gone, loss.Reason = state.TrimmedTo, "trimmed"
	case state.MaxDeleted.Compare(pos.Last) > 0 && !s.inGap(state.MaxDeleted):
		loss.Gone, loss.Reason = state.MaxDeleted, "deleted from"
	default:
		return false, nil
	}
	if err := c.catchUp(ctx); err != nil {
		return false, err
	}
	entries := int64(1) // at least
	if pos.Added > 0 && state.Added != uncounted && (state.Length == 0 || state.First.Compare(pos.Last) > 0) {
		entries = max(entries, state.Added-pos.Added-state.Length)
	}
	s.observe.Loss(s.contract.Name, entries)
	if !s.cfg.AcceptLoss {
		return true, loss
	}
	s.log.Error("continuing despite lost entries (--accept-loss)", slog.Any("error", loss), slog.Int64("entries", entries))
	return true, nil
}

// release ends the ownership and releases the lease.
func (s *shard) release(hard context.Context) {
	s.mu.Lock()
	s.committer = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(hard, time.Second)
	defer cancel()
	if err := s.source.Release(ctx); err != nil {
		s.log.Warn("release lease failed, it will expire", slog.Any("error", err))
	}
	if err := s.source.Close(); err != nil {
		s.log.Warn("close connection failed", slog.Any("error", err))
	}
}

// retry retries what fails in the warehouse, with backoff, until it succeeds, the shard is fenced
// or ctx ends. Each failure is logged with the message.
func (s *shard) retry(ctx context.Context, message string) retryFunc {
	return func(do func() error) error {
		wait := s.cfg.Backoff
		was, retrying := "", false
		for {
			err := do()
			if retrying && err == nil {
				s.setStatus(was)
			}
			if err == nil || errors.Is(err, event.ErrFenced) {
				return err
			}
			s.observe.Retried(s.contract.Name)
			s.log.Warn(message, slog.Any("error", err), slog.Duration("wait", wait)) //nolint:sloglint // a constant at each caller
			if before := s.setStatus("warehouse: " + err.Error()); !retrying {
				was, retrying = before, true
			}
			if !pause(ctx, wait) {
				return err
			}
			wait = min(2*wait, maxBackoff)
		}
	}
}

func (s *shard) retryCommit(ctx context.Context) retryFunc {
	return s.retry(ctx, "commit failed, retrying")
}

// reason is why the shard is not running; empty when it is.
func (s *shard) reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *shard) setStatus(status string) (was string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, s.status = s.status, status
	return was
}

// pause waits, unless ctx ends: then it reports false.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ignoreEnd drops an error that was caused by the end of ctx.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, event.ErrFenced) {
		return nil
	}
	return err
}
