package chaos_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

// TestChaosOneCommitQueue streams events while the same events and others are
// backfilled, through the worker's queue, from another writer with its own handle,
// and from both.
func TestChaosOneCommitQueue(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged})
		other := warehousetest.Another(t, p.store)
		w := p.work()
		const chunks, perChunk = 12, 100
		payloads := make([][][]byte, chunks)
		for i := range payloads {
			for range perChunk {
				e := p.source.Fresh()
				p.model.Row(e)
				payloads[i] = append(payloads[i], e.JSON())
			}
		}
		var g errgroup.Group
		g.Go(func() error {
			producer := p.producer(p.client, streamOf(3))
			for i, chunk := range payloads {
				if i%4 == 3 {
					continue // backfilled only
				}
				for _, payload := range chunk {
					if err := producer.Add(t.Context(), 0, payload); err != nil {
						return err
					}
				}
				if err := producer.Flush(t.Context()); err != nil {
					return err
				}
				time.Sleep(20 * time.Millisecond)
			}
			return producer.Close(t.Context())
		})
		store := func(w *worker.Worker, sink worker.Sink, from int) func() error {
			return func() error {
				for i := range payloads {
					b := p.backfill(payloads[(i+from)%chunks]...)
					if err := worker.Store(t.Context(), w, sink, b); err != nil {
						return fmt.Errorf("backfill %d: %w", i, err)
					}
				}
				return nil
			}
		}
		g.Go(store(w.Worker, p.store, 0))
		g.Go(store(nil, other, chunks/2))
		must(t, g.Wait())
		p.drain(w)
		p.verify()
		want(t, "rows counted", p.position(0).Rows, chunks*perChunk)
	})
}

// TestChaosStoreAfterAnotherProcess backfills through an idle worker whose position
// another process has moved on.
func TestChaosStoreAfterAnotherProcess(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	other := warehousetest.Another(t, p.store)
	w := p.work()
	p.publish(10)
	p.drain(w)
	mine, theirs := p.source.Fresh(), p.source.Fresh()
	p.model.Row(mine)
	p.model.Row(theirs)
	must(t, worker.Store(t.Context(), nil, other, p.backfill(theirs.JSON())))
	must(t, worker.Store(t.Context(), w.Worker, p.store, p.backfill(mine.JSON(), theirs.JSON())))
	p.send(1, theirs.JSON(), mine.JSON())
	p.publish(10)
	p.drain(w)
	p.verify()
}

// TestChaosRejectsReplayed fixes the contract and replays the rejects, from two writers
// at once and while events are ingested: each becomes one row.
func TestChaosRejectsReplayed(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged})
		w := p.work()
		p.publish(300)
		var fixable [][]byte
		for range 200 {
			e := p.source.Fresh()
			p.model.Row(e)
			payload := bytes.Replace(e.JSON(), []byte(`"text"`), []byte(`"gate":"B4","text"`), 1)
			fixable = append(fixable, payload)
		}
		p.send(10, fixable...)
		p.drain(w)
		w.stop()
		p.contract = load(t, bytes.Replace(chaos.Contract(1, "24h"), []byte(`"text": {`),
			[]byte(`"gate": {"type": "string", "description": "Where it leaves."}, "text": {`), 1))
		must(t, p.store.Register(t.Context(), p.contract, "", nil))
		w = p.work()
		stop := p.publishing(p.client, 50, 10*time.Millisecond)
		other := warehousetest.Another(t, p.store)
		var g errgroup.Group
		g.Go(func() error { return p.replayRejects(t.Context(), w.Worker, p.store) })
		g.Go(func() error { return p.replayRejects(t.Context(), nil, other) })
		must(t, g.Wait())
		stop()
		p.drain(w)
		p.verify()
		want(t, "rows with the new property", p.number("SELECT count(*) FROM chaos WHERE gate = 'B4'"), 200)
	})
}

// replayRejects tries every reject again, a few at a time.
func (p *pipeline) replayRejects(ctx context.Context, w *worker.Worker, sink *warehouse.Warehouse) error {
	rejects, err := sink.ListRejects(ctx, p.contract.Name, 10_000, nil)
	if err != nil {
		return err
	}
	d := p.contract.NewDecoder()
	for len(rejects) > 0 {
		b := p.contract.NewBatch(0, 50)
		for len(rejects) > 0 && b.Rows < 50 {
			r := rejects[0].Reject
			if rejects = rejects[1:]; d.Decode(b, r.Payload, r.ID, r.Line) {
				b.Replayed = append(b.Replayed, r)
			}
		}
		b.Rejects = nil // they stay
		if err := worker.Store(ctx, w, sink, b); err != nil {
			return err
		}
	}
	return nil
}

// TestChaosReplayLeavesTheTableTheSame reads the stream again: not a byte changes.
func TestChaosReplayLeavesTheTableTheSame(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged, shards: 2})
		w := p.work(func(cfg *worker.Config) { cfg.TrimEvery = time.Hour })
		p.publish(3000)
		p.publish(3000, streamOf(20))
		p.drain(w)
		before := p.sums()
		for range 3 {
			must(t, w.Replay(t.Context(), p.contract))
			want(t, "sums after a replay", p.sums(), before)
		}
		p.publish(100)
		must(t, w.Replay(t.Context(), p.contract))
		p.drain(w)
		p.verify()
	})
}

// sums are the counts and checksums of the tables, every column included.
func (p *pipeline) sums() (sums string) {
	p.t.Helper()
	for _, table := range []string{"chaos", "warehouse.estela.rejects"} {
		p.query("SELECT count(*)::VARCHAR || ' ' || sum(hash(t)::HUGEINT)::VARCHAR FROM "+table+" t", func(rows *sql.Rows) error {
			var sum string
			err := rows.Scan(&sum)
			sums += sum + "\n"
			return err
		})
	}
	return sums
}

// TestChaosUnknownCommitOutcome loses the answer of commits at every step: what was
// stored is not stored again, what was not is.
func TestChaosUnknownCommitOutcome(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		for _, point := range points {
			t.Run(string(point), func(t *testing.T) {
				t.Parallel()
				var commits, lost atomic.Int64
				p := setup(t, setting{staged: staged, hook: func(now warehouse.Point) error {
					if now == point && commits.Add(1)%3 != 0 {
						lost.Add(1)
						return errors.New("the answer was lost")
					}
					return nil
				}})
				w := p.work()
				for range 10 {
					p.publish(100)
					p.drain(w)
				}
				p.verify()
				rows, rejects := p.model.Size()
				pos := p.position(0)
				want(t, "counted", fmt.Sprint(pos.Rows, pos.Rejected), fmt.Sprint(rows, rejects))
				if lost.Load() < 5 {
					t.Errorf("only %d answers were lost", lost.Load())
				}
			})
		}
	})
}
