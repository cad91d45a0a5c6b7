package chaos_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/worker"
)

// interventions is how often each test of this file changes a stream.
const interventions = 12

// replaceScript puts another stream in the place of the one that is there, in one step:
// ARGV[1] deletes it, the entries of ARGV[2] get IDs long below any position, those after
// them IDs of this moment. It returns the payloads of the latter kind that were in the old one.
const replaceScript = `
local gone = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '1000000', '+')) do gone[#gone + 1] = entry[2][2] end
if ARGV[1] == 'DEL' then redis.call('DEL', KEYS[1]) else redis.call('FLUSHALL') end
local low = tonumber(ARGV[2])
for i = 3, #ARGV do
  local id = '*'
  if i - 2 <= low then id = string.format('%d-1', 1000 + i) end
  redis.call('XADD', KEYS[1], id, 'event', ARGV[i])
end
return gone`

// replace replaces the stream by one with fresh events, and sends again what was in it, as
// producers would that fear for what they have sent.
func (p *pipeline) replace(how string, low, high int) {
	p.t.Helper()
	args := []any{"EVAL", replaceScript, 1, p.key(0), how, low}
	for range low + high {
		e := p.source.Fresh()
		p.model.Row(e)
		args = append(args, e.JSON())
	}
	gone, _ := p.redis.Do(args...).([]any)
	for _, payload := range gone {
		p.redis.Do("XADD", p.key(0), "*", "event", payload)
	}
}

// TestChaosReplacedStream replaces the stream while a worker runs and while none does, by one
// whose last ID is above the position and most of whose entries are far below it, with as
// many entries or more: all of them are stored, and nothing is trimmed that was not looked at.
func TestChaosReplacedStream(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"DEL", "FLUSHALL"} {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,running=%t", how, running), func(t *testing.T) {
				t.Parallel()
				p := setup(t, setting{})
				p.source.Poison = 0 // what is sent again has a key to be known by
				random := rand.New(rand.NewPCG(11, 12))
				w := p.work(often)
				for range interventions {
					p.drain(w)
					p.publish(1 + random.IntN(300))
					if running {
						time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
					} else {
						p.drain(w)
						w.stop()
					}
					p.replace(how, random.IntN(6), 1+random.IntN(3))
					if !running {
						w = p.work(often)
					}
				}
				p.publish(100)
				p.drain(w)
				eventually(t, "all is stored", func() bool { return p.model.Missing(p.stored()) == 0 })
				must(t, p.model.Check(p.stored(), false))
			})
		}
	}
}

// TestChaosEntriesOfTheSameMillisecond deletes the stream in the millisecond of its last
// entry: what comes then has an ID below the position, and what comes later one above it.
func TestChaosEntriesOfTheSameMillisecond(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	w := p.work(often)
	for range interventions {
		p.publish(100)
		p.drain(w)
		first, second := p.source.Fresh(), p.source.Fresh()
		p.model.Row(first)
		p.model.Row(second)
		p.redis.Do("EVAL", `redis.call('DEL', KEYS[1])
			redis.call('XADD', KEYS[1], ARGV[1], 'event', ARGV[2])
			redis.call('XADD', KEYS[1], '*', 'event', ARGV[3])`,
			1, p.key(0), fmt.Sprintf("%d-0", p.position(0).Last.MS), first.JSON(), second.JSON())
	}
	p.drain(w)
	p.verify()
}

// group is the worker's cursor, "" while there is none.
func (p *pipeline) group() string {
	groups, _ := p.redis.Try("XINFO", "GROUPS", p.key(0)) // before the first entry there is no stream
	all, _ := groups.([]any)
	for _, g := range all {
		if name := fmt.Sprint(g.([]any)[1]); strings.HasPrefix(name, "estela:") {
			return name
		}
	}
	return ""
}

// TestChaosMovedCursor moves the worker's cursor forward, back and by reading with it, under
// load, with and without a dedupe window: what the server keeps is stored once, and nothing is
// counted as lost.
func TestChaosMovedCursor(t *testing.T) {
	t.Parallel()
	hands := map[string]func(p *pipeline, group string){
		"forward": func(p *pipeline, group string) { _, _ = p.redis.Try("XGROUP", "SETID", p.key(0), group, "$") },
		"back":    func(p *pipeline, group string) { _, _ = p.redis.Try("XGROUP", "SETID", p.key(0), group, "0") },
		"read by another": func(p *pipeline, group string) {
			_, _ = p.redis.Try("XREADGROUP", "GROUP", group, "another", "COUNT", "100", "NOACK", "STREAMS", p.key(0), ">")
		},
	}
	for name, hand := range hands {
		for _, dedupe := range []string{"0", "24h"} {
			t.Run(name+",dedupe="+dedupe, func(t *testing.T) {
				t.Parallel()
				p := setup(t, setting{dedupe: dedupe, maxCount: 20})
				p.source.Repeat = 0 // of two events of one key the one that is read first is stored
				w := p.work(often, func(cfg *worker.Config) {
					cfg.Hook = func(step string) {
						if step == "read" {
							time.Sleep(time.Millisecond) // so that there is something to read
						}
					}
				})
				stop := p.publishing(p.client, 300, 5*time.Millisecond)
				random := rand.New(rand.NewPCG(13, uint64(len(name))))
				for range interventions {
					time.Sleep(time.Duration(20+random.IntN(80)) * time.Millisecond)
					if group := p.group(); group != "" {
						hand(p, group)
					}
				}
				stop()
				p.drain(w)
				p.verify()
			})
		}
	}
}

// TestChaosRestoredBeneath restores an older dump of the stream under a running worker, then
// sends again what is not in it.
func TestChaosRestoredBeneath(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	p.source.Poison = 0
	w := p.work(func(cfg *worker.Config) { cfg.Renew, cfg.TrimEvery = 5*time.Millisecond, time.Hour })
	random := rand.New(rand.NewPCG(17, 18))
	for range interventions {
		p.publish(1 + random.IntN(200))
		dump := p.redis.Do("DUMP", p.key(0))
		after := make([][]byte, 1+random.IntN(200))
		for i := range after {
			e := p.source.Fresh()
			p.model.Row(e)
			after[i] = e.JSON()
		}
		p.send(1, after...)
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		p.redis.Do("RESTORE", p.key(0), "0", dump, "REPLACE")
		p.send(1, after...)
	}
	p.drain(w)
	eventually(t, "all is stored", func() bool { return p.model.Missing(p.stored()) == 0 })
	must(t, p.model.Check(p.stored(), false))
}

// TestChaosGapIsRead has entries that were skipped and others that are gone: the first are
// stored, the second counted, each exactly.
func TestChaosGapIsRead(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	var counted counts
	w := p.work(counted.observed)
	for round := range interventions {
		p.publish(100)
		p.drain(w)
		// In one step, so that the worker sees none of it in between.
		skipped, gone, seen := p.source.Fresh(), p.source.Fresh(), p.source.Fresh()
		p.model.Row(skipped)
		p.model.Row(seen)
		p.redis.Do("EVAL", `redis.call('XADD', KEYS[1], '*', 'event', ARGV[3])
			redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
			redis.call('XADD', KEYS[1], '*', 'event', ARGV[1])
			redis.call('XADD', KEYS[1], '*', 'event', ARGV[2])
			for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do redis.call('XGROUP', 'SETID', KEYS[1], g[2], '$') end
			redis.call('XADD', KEYS[1], '*', 'event', ARGV[4])`,
			1, p.key(0), skipped.JSON(), skipped.JSON(), gone.JSON(), seen.JSON())
		eventually(t, "what is gone is counted", func() bool { return counted.lost.Load() == int64(round+1) })
		p.drain(w)
		must(t, p.model.Check(p.stored(), false))
	}
}

// TestChaosHighestIDs has IDs whose halves take all 64 bits, in the order in which Redis takes
// them, as rows and as rejects, read again by a second worker.
func TestChaosHighestIDs(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	w := p.work()
	for _, id := range []event.ID{
		{MS: 5, Seq: 1<<63 - 2},
		{MS: 5, Seq: 1 << 63},
		{MS: 5, Seq: math.MaxUint64 - 1},
		{MS: 1<<63 - 1, Seq: 1},
		{MS: 1 << 63, Seq: 0},
		{MS: math.MaxUint64, Seq: math.MaxUint64 - 1},
	} {
		e := p.source.Fresh()
		p.model.Row(e)
		p.add(id, e.JSON())
		p.model.Reject([]byte("no event"))
		p.add(event.ID{MS: id.MS, Seq: id.Seq + 1}, []byte("no event"))
		p.drain(w)
	}
	p.verify()
	w.stop()
	w = p.work()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, w.Replay(ctx, p.contract))
	p.verify()
}

// TestChaosDeletedUnread deletes entries one by one before the worker gets them, the newest
// of the stream: they are counted, the worker continues, and so does the next one.
func TestChaosDeletedUnread(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	var counted counts
	w := p.work(counted.observed)
	for round := range interventions {
		p.publish(50)
		p.drain(w)
		p.redis.Do("EVAL", `redis.call('XDEL', KEYS[1], (redis.call('XADD', KEYS[1], '*', 'event', ARGV[1])))`,
			1, p.key(0), p.source.Fresh().JSON())
		eventually(t, "what is gone is counted", func() bool { return counted.lost.Load() == int64(round+1) })
		if round%3 == 2 {
			p.drain(w)
			w.stop()
			w = p.work(counted.observed)
		}
	}
	p.drain(w)
	want(t, "lost", counted.lost.Load(), interventions)
	must(t, p.model.Check(p.stored(), false))
}

// TestChaosEntryOfTheFuture has an entry three days ahead of the server's clock, after which
// the server gives all IDs out from there: the dedupe window stays where it was, also for the
// next owner.
func TestChaosEntryOfTheFuture(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{})
	p.source.Poison, p.source.Repeat = 0, 0
	w := p.work()
	var sent [][]byte
	for range 200 {
		payload, _ := p.source.Next()
		sent = append(sent, payload)
	}
	p.send(1, sent[:100]...)
	p.drain(w)
	ahead := p.source.Fresh()
	p.model.Row(ahead)
	p.add(event.ID{MS: uint64(time.Now().Add(72 * time.Hour).UnixMilli())}, ahead.JSON())
	p.drain(w)
	p.send(1, sent[:100]...)
	p.send(1, sent[100:]...)
	p.drain(w)
	p.verify()
	p.send(1, sent...)
	p.drain(w)
	p.verify()
	want(t, "entries counted as ahead of the clock", p.counts.ahead.Load(), 1+200+200)
	w.stop()
	w = p.work()
	p.send(1, sent...)
	p.drain(w)
	p.verify()
}
