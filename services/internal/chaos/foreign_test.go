package chaos_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/redistest"
)

// The forms of a stream of somebody else.
const (
	inPayload = `{"key": "orders", "field": "payload"}`
	inFields  = `{"key": "orders"}`
)

// owned is what the stream's owner sees of it: all but the groups.
func (p *pipeline) owned() string {
	var b strings.Builder
	fields, _ := p.redis.Do("XINFO", "STREAM", "orders").([]any)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] != "groups" {
			fmt.Fprintln(&b, fields[i], fields[i+1])
		}
	}
	return b.String()
}

// addFields adds an event whose properties are fields of the entry, and returns these as a reject has
// them.
func (p *pipeline) addFields(fields ...string) (payload string) {
	p.t.Helper()
	args := []any{"XADD", "orders", "*"}
	for i, f := range fields {
		args = append(args, f)
		quoted, err := json.Marshal(f)
		must(p.t, err)
		payload += []string{",", ":"}[i%2] + string(quoted)
	}
	p.redis.Do(args...)
	return "{" + payload[1:] + "}"
}

func (p *pipeline) addEvent(e chaos.Event) {
	p.t.Helper()
	p.addFields("id", e.ID, "at", time.UnixMicro(e.At).UTC().Format(time.RFC3339Nano), "n", fmt.Sprint(e.N), "text", e.Text)
	p.model.Row(e)
}

// TestChaosForeignKilledWorker kills workers that read somebody else's stream while it is written and
// read by another group: every event is stored once, and the stream is as its owner left it.
func TestChaosForeignKilledWorker(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{stream: inPayload, apart: true, lease: killLease})
	p.publish(1)
	stop := p.publishing(p.client, 40, 50*time.Millisecond)
	random := rand.New(rand.NewPCG(3, 7))
	for kill := range killsInLane / 2 {
		p.killOne(random, kill)
	}
	stop()
	p.redis.Do("XGROUP", "CREATE", "orders", "billing", "$") // it needs no entry that is there
	before := p.owned()
	p.openStore()
	w := p.work(often)
	p.drain(w)
	time.Sleep(100 * time.Millisecond) // trimming is due many times
	p.verify()
	want(t, "the stream", p.owned(), before)
	want(t, "entries kept", p.state(0).Length, p.state(0).Added)
	w.stop()
	groups, _ := p.redis.Do("XINFO", "GROUPS", "orders").([]any)
	want(t, "groups", len(groups), 2)
}

// TestChaosForeignTrimmed has the owner of the stream remove entries: those that were not stored are
// counted as lost, without a stop, and the others are of no matter.
func TestChaosForeignTrimmed(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{stream: inPayload, redis: []redistest.Option{redistest.WithAOF()}})
	removed := p.redis.Do("XADD", "orders", "*", "payload", "{}") // before anybody read it
	p.redis.Do("XDEL", "orders", removed)
	p.publish(300)
	counted := &counts{}
	w := p.work(counted.observed)
	p.drain(w)
	want(t, "stored ones are kept", p.state(0).Length, 300)
	p.redis.Do("XTRIM", "orders", "MAXLEN", 50)
	newest := p.redis.Do("XREVRANGE", "orders", "+", "-", "COUNT", 1).([]any)[0].([]any)[0]
	p.redis.Do("XDEL", "orders", newest)
	p.publish(20)
	p.drain(w)
	w.stop()
	w = p.work(counted.observed)
	p.drain(w)
	w.stop()
	want(t, "lost of what was stored", counted.lost.Load(), 0)

	// While no worker runs: a producer's MAXLEN, and a consumer that deletes what it has handled.
	add := func(payload string) { p.redis.Do("XADD", "orders", "MAXLEN", "1", "*", "payload", payload) }
	p.vanish(add, 7)
	p.publish(30)
	p.redis.Do("XTRIM", "orders", "MAXLEN", 30)
	p.vanish(func(payload string) {
		p.redis.Do("XDEL", "orders", p.redis.Do("XADD", "orders", "*", "payload", payload))
	}, 4)
	w = p.work(counted.observed)
	p.publish(30)
	p.drain(w)
	eventually(t, "what went is counted", func() bool { return counted.lost.Load() == 11 })
	p.verify()
	eventually(t, "the count is stored", func() bool { return p.position(0).Added == p.state(0).Added })
	w.stop()
	w = p.work(counted.observed)
	p.drain(w)
	want(t, "losses counted again", counted.lost.Load(), 11)
	w.stop()

	// The server restarts meanwhile.
	p.vanish(add, 5)
	p.publish(30)
	p.redis.Do("XTRIM", "orders", "MAXLEN", 30)
	p.redis.Restart()
	w = p.work(counted.observed)
	p.publish(30)
	p.drain(w)
	eventually(t, "what went before the restart is counted", func() bool { return counted.lost.Load() == 16 })
	w.stop()

	// Somebody cleans up groups.
	for _, g := range p.redis.Do("XINFO", "GROUPS", "orders").([]any) {
		p.redis.Do("XGROUP", "DESTROY", "orders", g.([]any)[1])
	}
	w = p.work(counted.observed)
	p.publish(30)
	p.drain(w)
	w.stop()
	want(t, "losses counted again", counted.lost.Load(), 16)
	p.verify()
}

// TestChaosForeignRestored goes on with an old copy of the warehouse: what its owner has kept is in the
// stream still.
func TestChaosForeignRestored(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{stream: inPayload, apart: true})
	p.session(func(w *running) {
		p.publish(100)
		p.drain(w)
	})
	copied, err := os.ReadFile(p.location)
	must(t, err)
	p.session(func(w *running) {
		p.publish(100)
		p.drain(w)
	})
	p.location = filepath.Join(t.TempDir(), "restored.duckdb")
	must(t, os.WriteFile(p.location, copied, 0o600))
	p.openStore()
	p.publish(100)
	p.drain(p.work())
	p.verify()
}

// TestChaosForeignRedisKilled has the server lose nothing, its newest entries or the whole stream.
func TestChaosForeignRedisKilled(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{stream: inPayload, redis: []redistest.Option{redistest.WithAOF()}})
	p.publish(500)
	w := p.work()
	p.drain(w)
	p.redis.Restart()
	p.publish(100)
	p.drain(w)
	p.verify()

	// Its newest entries are gone, and the IDs that come next are below the position.
	position := p.position(0).Last
	p.redis.Do("DEL", "orders")
	for i := range 20 {
		e := p.source.Fresh()
		p.redis.Do("XADD", "orders", fmt.Sprintf("%d-%d", position.MS-1000, i+1), "payload", e.JSON())
		p.model.Row(e)
		if i%5 == 0 {
			p.drain(w)
			w.stop()
			w = p.work()
		}
	}
	eventually(t, "all is stored", func() bool { return p.model.Missing(p.stored()) == 0 })
	p.drain(w)
	want(t, "the stream is not raised", p.state(0).Last.MS, position.MS-1000)
	lags, err := p.client.Lags(t.Context(), p.contract)
	must(t, err)
	eventually(t, "the lag is reported", func() bool {
		lags, err = p.client.Lags(t.Context(), p.contract)
		return err == nil && lags[0].Entries == 0
	})
	p.publish(100)
	p.drain(w)
	p.verify()
}

// TestChaosForeignFields stores events whose properties are the entries' fields; what is wrong becomes a
// reject of the fields, once, whoever is killed.
func TestChaosForeignFields(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{stream: inFields, apart: true, lease: killLease})
	for round := range 8 {
		for range 50 {
			p.addEvent(p.source.Fresh())
		}
		id := fmt.Sprint("wrong-", round)
		for _, fields := range [][]string{
			{"id", id, "at", "yesterday", "n", "1", "text", ""},
			{"id", id, "at", "2026-01-01T00:00:00Z", "n", "1.5", "text", ""},
			{"id", id, "at", "2026-01-01T00:00:00Z", "n", "1", "n", "2", "text", ""},
			{"id", id, "at", "2026-01-01T00:00:00Z", "n", "", "text", "n is absent"},
			{"id", id, "at", "2026-01-01T00:00:00Z", "n", "1", "text", "", "more", "than there may be"},
		} {
			p.model.Reject([]byte(p.addFields(fields...)))
		}
		p.order(orders{
			URL: p.redis.URL(), Location: p.location, Shards: 1, Stream: p.stream,
			Kill: steps[round%len(steps)], Nth: 1, Owner: fmt.Sprintf("killed-%d", round),
		}, 0)
	}
	before := p.owned()
	p.openStore()
	p.drain(p.work(often))
	p.verify()
	want(t, "the stream", p.owned(), before)
}

// TestChaosForeignStreamComesLater starts a worker before the stream is there.
func TestChaosForeignStreamComesLater(t *testing.T) {
	t.Parallel()
	p := setup(t, setting{stream: inPayload})
	w := p.work()
	p.drain(w) // nothing is there to be awaited
	eventually(t, "the reason is named", func() bool { return strings.Contains(w.Status()[0].Reason, "there is no such stream") })
	want(t, "keys of that name", p.redis.Do("EXISTS", "orders"), any(int64(0)))
	p.publish(100)
	eventually(t, "all is stored", func() bool { return p.model.Missing(p.stored()) == 0 })
	p.redis.Do("DEL", "orders")
	eventually(t, "the reason is named", func() bool { return strings.Contains(w.Status()[0].Reason, "there is no such stream") })
	p.publish(100)
	eventually(t, "all is stored", func() bool { return p.model.Missing(p.stored()) == 0 })
	p.verify()
}
