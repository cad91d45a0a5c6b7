package chaos_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/worker"
)

// committedCounts counts entries as they are read and as they are committed.
type committedCounts struct {
	worker.Observer
	read, committed atomic.Int64
}

func (s *committedCounts) Read(_ string, entries int) { s.read.Add(int64(entries)) }

func (s *committedCounts) Committed(_ string, b *contract.Batch, _ time.Duration) {
	s.committed.Add(int64(b.Entries))
}

// TestChaosStopCommitsWhatWasRead stops workers in the middle of their work, as a
// platform does: what was read is committed and the leases are released, so that the next
// worker resumes at once.
func TestChaosStopCommitsWhatWasRead(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged, shards: 2, lease: time.Minute})
		stop := p.publishing(p.client, 20, 5*time.Millisecond)
		for range 10 {
			seen := &committedCounts{Observer: &counts{}}
			w := p.work(func(cfg *worker.Config) { cfg.Observer, cfg.Renew = seen, 100*time.Millisecond })
			eventually(t, "something is read", func() bool { return seen.read.Load() > 0 })
			begin := time.Now()
			w.stop()
			if took := time.Since(begin); took > 8*time.Second {
				t.Errorf("stopping took %s", took)
			}
			want(t, "committed", seen.committed.Load(), seen.read.Load())
			for shard := range p.shards {
				want(t, "lease", p.redis.Do("GET", p.key(shard)+":lease"), nil)
			}
		}
		stop()
		p.drain(p.work())
		p.verify()
	})
}

// heldReply holds the first empty reply until let go.
type heldReply struct {
	worker.Source
	hold func()
}

func (s *heldReply) Read(ctx context.Context) ([]event.Entry, func(), error) {
	entries, release, err := s.Source.Read(ctx)
	if err == nil && len(entries) == 0 {
		s.hold()
	}
	return entries, release, err
}

// TestChaosDrainedIsNotEarly asks to wait while an empty reply, from before the event
// was published, is still on its way.
func TestChaosDrainedIsNotEarly(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	held, release := make(chan struct{}), make(chan struct{})
	hold := once(3, func() {
		close(held)
		<-release
	})
	w := p.work(func(cfg *worker.Config) {
		source := cfg.Source
		cfg.Source = func(c *contract.Contract, shard int) worker.Source { return &heldReply{source(c, shard), hold} }
	})
	<-held
	p.publish(10)
	done := make(chan error, 1)
	go func() { done <- w.Drained(t.Context(), p.contract) }()
	time.Sleep(100 * time.Millisecond)
	close(release)
	must(t, <-done)
	p.verify()
}
