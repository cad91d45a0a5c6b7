package chaos_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

// TestChaosRedisKilled kills a server that logs every write before it answers, and
// restarts it, while events are published and ingested.
func TestChaosRedisKilled(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged, shards: 2, redis: []redistest.Option{redistest.WithAOF()}})
		w := p.work()
		stop := p.publishing(p.client, 300, 20*time.Millisecond)
		random := rand.New(rand.NewPCG(1, 2))
		for range 12 {
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
			p.redis.Kill()
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
			p.redis.Restart()
		}
		stop()
		p.drain(w)
		p.verifyResent()
		rows, rejects := p.model.Size()
		t.Logf("%d rows, %d rejects", rows, rejects)
	})
}

// TestChaosFlushedStream empties the server under a worker that has stored everything.
func TestChaosFlushedStream(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged})
		w := p.work()
		for range 5 {
			p.publish(500)
			p.drain(w)
			p.redis.Do("FLUSHALL")
		}
		p.publish(500)
		p.drain(w)
		p.verify()
	})
}

// TestChaosFlushedStreamStaysAbovePosition has the server's clock behind the position:
// the event that comes before the worker can lift the stream's last ID gets a lower
// ID than the position, those after it a higher one. All are stored.
func TestChaosFlushedStreamStaysAbovePosition(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	w := p.work()
	ahead := event.ID{MS: uint64(time.Now().Add(time.Hour).UnixMilli()), Seq: 3}
	first := p.source.Fresh()
	p.model.Row(first)
	p.add(ahead, first.JSON())
	p.drain(w)
	want(t, "position", p.position(0).Last, ahead)

	second := p.source.Fresh()
	p.model.Row(second)
	p.redis.Do("EVAL", `redis.call('FLUSHALL')
		return redis.call('XADD', KEYS[1], '*', 'event', ARGV[1])`, 1, p.key(0), second.JSON())
	eventually(t, "the last ID is above the position", func() bool { return p.state(0).Last.Compare(ahead) >= 0 })
	p.publish(100)
	p.drain(w)
	p.verify()
	if last := p.position(0).Last; last.Compare(ahead) <= 0 {
		t.Errorf("position %s: not above %s", last, ahead)
	}
}

// TestChaosShorterStream restores the server from an older copy. What it has forgotten
// is published again, and before the worker comes back an ID is handed out a
// second time, to another event: both are stored.
func TestChaosShorterStream(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged})
		keep := func(cfg *worker.Config) { cfg.TrimEvery = time.Hour }
		w := p.work(keep)
		p.publish(300)
		p.drain(w)
		p.redis.Do("SAVE")
		forgotten := make([][]byte, 300)
		for i := range forgotten {
			e := p.source.Fresh()
			p.model.Row(e)
			forgotten[i] = e.JSON()
		}
		p.send(1, forgotten...)
		p.drain(w)
		w.stop()
		again := p.position(0).Last

		p.redis.Kill()
		p.redis.Restart()
		if last := p.state(0).Last; last.Compare(again) >= 0 {
			t.Fatalf("the stream did not come back shorter: %s, position %s", last, again)
		}
		other := p.source.Fresh()
		p.model.Row(other)
		p.add(again, other.JSON())
		w = p.work(keep)
		p.drain(w)
		p.verify()
		want(t, "rows at one place", p.number(fmt.Sprintf(
			"SELECT count(*) FROM chaos WHERE _stream_ms = %d AND _stream_seq = %d", again.MS, again.Seq)), 2)
		p.send(1, forgotten...) // as producers would that got no answer
		p.publish(300)
		p.drain(w)
		p.verify()
	})
}

// TestChaosStepBackIsReadToTheEnd fences the worker again and again while it reads a
// stream that came back with other events at or below the position. Each successor
// must begin anew: that some of them are stored does not say that all are. And
// nothing may be trimmed up to a position below which unread events lie.
func TestChaosStepBackIsReadToTheEnd(t *testing.T) {
	t.Parallel()
	var faults warehousetest.Faults
	p := setup(t, setting{hook: faults.Hook, maxCount: 10})
	ahead := event.ID{MS: uint64(time.Now().Add(time.Hour).UnixMilli())}
	first := p.source.Fresh()
	p.model.Row(first)
	p.add(ahead, first.JSON())
	w := p.work()
	p.drain(w)
	w.stop()

	p.redis.Restart() // it keeps nothing
	for i := range uint64(2000) {
		e := p.source.Fresh()
		p.model.Row(e)
		p.add(event.ID{MS: ahead.MS - 3000 + 2*i, Seq: 1}, e.JSON()) // up to above the position
	}
	other := warehousetest.Another(t, p.store)
	var successors atomic.Int64
	for fence := range int64(5) {
		faults.At(warehouse.PointCommitted, func() error {
			_, err := other.TakeOver(t.Context(), p.contract, 0)
			successors.Add(1)
			return err
		})
		w = p.work(func(cfg *worker.Config) {
			cfg.TrimEvery, cfg.Renew = time.Millisecond, time.Millisecond
			cfg.Hook = func(step string) {
				switch {
				case step != "decoded":
				case successors.Load() > fence: // it takes the shard over again, and must not get to the end
					time.Sleep(20 * time.Millisecond)
				default:
					time.Sleep(time.Millisecond)
				}
			}
		})
		eventually(t, "fenced", func() bool { return successors.Load() > fence })
		w.stop()
	}
	w = p.work()
	p.drain(w)
	p.verify()
	want(t, "times that the worker was replaced", successors.Load(), 5)
}

// TestChaosConnectionsCutMidReply cuts the connections of producer and worker at any
// byte of a reply, again and again.
func TestChaosConnectionsCutMidReply(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged, shards: 2})
		toWorker, toProducer := redistest.NewProxy(t, p.redis.Addr()), redistest.NewProxy(t, p.redis.Addr())
		worked, produced := p.connect(toWorker.URL()), p.connect(toProducer.URL())
		w := p.work(func(cfg *worker.Config) { cfg.Source = p.sourceOf(worked, "cut") })
		stop := p.publishing(produced, 200, 10*time.Millisecond)
		random := rand.New(rand.NewPCG(3, 4))
		for range 40 {
			cut(t, toWorker, random.Int64N(20_000))
			cut(t, toProducer, random.Int64N(3000))
		}
		stop()
		p.drain(w)
		p.verifyResent()
		rows, rejects := p.model.Size()
		t.Logf("%d rows, %d rejects", rows, rejects)
	})
}

// TestChaosCutReaderLosesNothing cuts only the worker: the producer never repeats, so
// that every reject must be there exactly once as well.
func TestChaosCutReaderLosesNothing(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{maxCount: 10}) // most replies are shorter than what passes between two cuts: the rest of them is read
	proxy := redistest.NewProxy(t, p.redis.Addr())
	client := p.connect(proxy.URL())
	w := p.work(func(cfg *worker.Config) { cfg.Source = p.sourceOf(client, "cut") })
	stop := p.publishing(p.client, 50, 50*time.Millisecond)
	random := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		cut(t, proxy, random.Int64N(100_000))
	}
	stop()
	p.drain(w)
	p.verify()
}

// cut cuts the proxy's connections after so many bytes of replies.
func cut(t *testing.T, proxy *redistest.Proxy, after int64) {
	t.Helper()
	before := proxy.Passed()
	proxy.CutAfter(after)
	eventually(t, "the connections are cut", func() bool { return proxy.Passed()-before >= after })
}

// TestChaosPoisonByteForByte sends what can't be an event, as entries of their own, as
// lines of a batch and as entries of no known kind.
func TestChaosPoisonByteForByte(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		p := setup(t, setting{staged: staged})
		w := p.work()
		for round, payload := range poisons() {
			p.model.Reject(payload)
			if len(payload) > 1<<20 {
				p.redis.Do("XADD", p.key(0), "*", "event", payload) // a producer does not take it
				continue
			}
			good := p.source.Fresh()
			p.model.Row(good)
			p.send(1+round%2*9, payload, good.JSON())
		}
		p.redis.Do("XADD", p.key(0), "*", "unknown", "1", "event ", "2")
		p.model.Reject([]byte(`{"unknown":"1","event ":"2"}`))
		p.drain(w)
		p.verify()
		p.publish(3000, streamOf(50)) // one in ten
		p.drain(w)
		p.verify()
		w.stop()
		rejects, err := p.store.ListRejects(t.Context(), "chaos", 1000, nil)
		must(t, err)
		for _, r := range rejects {
			if len(r.Violations) == 0 || r.SchemaVersion != p.contract.Version || r.ID.IsZero() {
				t.Fatalf("reject %s says nothing: %+v", r.Key(), r.Violations)
			}
		}
	})
}

func poisons() [][]byte {
	const rest = `,"at":"2026-01-01T00:00:00Z","n":1,"text":""}`
	all := [][]byte{
		{},
		[]byte(" "),
		[]byte("\x00"),
		[]byte("\xff\xfe\xfd"),
		[]byte("{\"id\":\"\xc3\x28\"" + rest),
		[]byte("{\"id\":\"a\x00b\"" + rest),
		[]byte(`{"id":"dup","id":"dup"` + rest),
		[]byte(`{"id":"\ud800"` + rest),
		[]byte(`{"id":"big","at":"2026-01-01T00:00:00Z","n":123456789012345678901234567890,"text":""}`),
		[]byte(`{"id":"big","at":"2026-01-01T00:00:00Z","n":1e999999999,"text":""}`),
		[]byte(`{"id":"half","at":"2026-01-01T00:00:00Z","n":0.5,"text":""}`),
		[]byte(`{"id":"local","at":"2026-01-01T00:00:00","n":1,"text":""}`),
		[]byte("{\n\"id\": \"lines\",\n\"n\": null\r\n}\r"),
		[]byte(`null`), []byte(`[]`), []byte(`"text"`), []byte(`{}{}`),
		bytes.Repeat([]byte("["), 100_000),
		bytes.Repeat([]byte{0xAA}, 1<<20),
		append(append([]byte(`{"id":"long`), bytes.Repeat([]byte("x"), 3<<20)...), []byte(`"`+rest)...),
	}
	return append(all, all[4], all[4]) // the same bytes again are rejects of their own
}
