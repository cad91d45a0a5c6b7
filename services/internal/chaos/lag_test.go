package chaos_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/worker"
)

// lag is that of shard 0, as producers and operators see it.
func (p *pipeline) lag() stream.Lag {
	p.t.Helper()
	all, err := p.client.Lags(p.t.Context(), p.contract)
	must(p.t, err)
	return all[0]
}

// TestChaosNotedPosition compares the reported position with the warehouse's: never beyond it,
// while commits are held up, over restarts of the worker and of Redis, and after the stream
// was replaced; and equal to it in the end.
func TestChaosNotedPosition(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	hold := func(warehouse.Point) error {
		mu.Lock()
		defer mu.Unlock()
		return nil
	}
	p := setup(t, setting{hook: hold})
	p.source.Poison = 0 // what is sent again has a key to be known by
	// level waits until the lag is zero, and compares the reported position with the warehouse's.
	// The stream may be empty then: the first trim does not wait for TrimEvery.
	level := func() {
		t.Helper()
		eventually(t, "no lag", func() bool { b := p.lag(); return b.Reported && b.Entries == 0 && !b.Last.IsZero() })
		pos, _, err := p.store.Position(t.Context(), p.contract, 0)
		must(t, err)
		if reported := p.lag().Stored.Last; reported.Compare(pos.Last) > 0 {
			t.Fatalf("reported %s, the position is %s", reported, pos.Last)
		}
	}
	keep := func(cfg *worker.Config) { cfg.TrimEvery = time.Hour }
	w := p.work(keep)
	p.publish(500)
	level()

	mu.Lock() // nothing is stored now
	before := p.lag().Stored.Last
	p.publish(300)
	eventually(t, "seen", func() bool { return p.lag().Entries >= 300 })
	want(t, "reported while nothing is stored", p.lag().Stored.Last, before)
	mu.Unlock()
	level()

	w.stop()
	p.publish(200)
	want(t, "lag, and no owner", p.lag().Entries >= 200 && p.lag().Lease == "", true)
	w = p.work(keep)
	level()
	for _, how := range []string{"DEL", "FLUSHALL"} {
		p.replace(how, 100, 100)
		p.drain(w)
		level()
		p.verify()
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// TestChaosKeyOfAnotherType puts something that is no stream where the stream was: the worker
// logs that once, not at each attempt, and recovers when it is gone.
func TestChaosKeyOfAnotherType(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	var log lines
	w := p.work(func(cfg *worker.Config) {
		cfg.Logger, cfg.Backoff = slog.New(slog.NewTextHandler(&log, nil)), time.Millisecond
	})
	p.publish(10)
	p.drain(w)
	for _, command := range [][]any{{"SADD", p.key(0), "x"}, {"LPUSH", p.key(0), "x"}, {"SET", p.key(0), "x"}} {
		p.redis.Do("DEL", p.key(0))
		eventually(t, "a stream again", func() bool { return w.Status()[0].Reason == "" })
		said := log.count("WRONGTYPE")
		p.redis.Do("DEL", p.key(0))
		p.redis.Do(command...)
		eventually(t, "seen", func() bool { return strings.Contains(w.Status()[0].Reason, "WRONGTYPE") })
		time.Sleep(300 * time.Millisecond) // a hundred attempts, if it were not for the growing pause
		if n := log.count("WRONGTYPE") - said; n > 3 {
			t.Errorf("after %v it was said %d times", command, n)
		}
	}
	p.redis.Do("DEL", p.key(0))
	eventually(t, "recovers", func() bool { return w.Status()[0].Reason == "" })
	p.publish(10)
	p.drain(w)
	p.verify()
}
