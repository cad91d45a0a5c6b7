package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// orders is the dataset of a foreign stream; the field is that of x-estela.stream.
func orders(name, field string) *contract.Contract {
	return &contract.Contract{Name: name, Shards: 1, Stream: &contract.Stream{Key: "orders", Field: field}}
}

func foreignShard(t *testing.T, client *stream.Client, k *contract.Contract) *stream.Shard {
	t.Helper()
	s := client.Shard(k, 0, t.Name(), stream.ShardConfig{Block: 50 * time.Millisecond})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// info is what a server says of the stream that its owner may rely on: all but the groups.
func info(server *redistest.Server) string {
	var b strings.Builder
	fields, _ := server.Do("XINFO", "STREAM", "orders").([]any)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] != "groups" {
			fmt.Fprintln(&b, fields[i], fields[i+1])
		}
	}
	return b.String()
}

func TestForeignForms(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	add := func(fields ...any) { server.Do(append([]any{"XADD", "orders", "*"}, fields...)...) }
	add("payload", `{"id":1}`, "traceparent", "00-x", "source", "web")
	add("event", `{"id":2}`)
	add("id", "3", "name", "<é>\"\n", "raw", "\xff", "id", "4", "mark", "base64:")
	add("payload", "1", "payload", "2")
	for _, c := range []struct {
		field string
		want  []string
	}{
		{"payload", []string{
			`0 {"id":1}`, `2 {"event":"{\"id\":2}"}`, `2 {"id":"3","name":"\u003cé\u003e\"\n","raw":"base64:/w==","id":"4","mark":"base64:YmFzZTY0Og=="}`,
			`2 {"payload":"1","payload":"2"}`,
		}},
		{"event", []string{
			`2 {"payload":"{\"id\":1}","traceparent":"00-x","source":"web"}`, `0 {"id":2}`,
			`2 {"id":"3","name":"\u003cé\u003e\"\n","raw":"base64:/w==","id":"4","mark":"base64:YmFzZTY0Og=="}`, `2 {"payload":"1","payload":"2"}`,
		}},
		{"", []string{
			`3 {"payload":"{\"id\":1}","traceparent":"00-x","source":"web"}`, `3 {"event":"{\"id\":2}"}`,
			`3 {"id":"3","name":"<é>\"\n","raw":"base64:/w==","id":"4","mark":"base64:YmFzZTY0Og=="}`, `3 {"payload":"1","payload":"2"}`,
		}},
	} {
		k := orders("shop_"+c.field, c.field)
		s := foreignShard(t, client, k)
		attach(t, s, 1, event.ID{})
		entries, release, err := s.Read(t.Context())
		must(t, err)
		var newest []string
		must(t, client.Newest(t.Context(), k, 0, 10, func(e event.Entry) { newest = append(newest, fmt.Sprint(e.Kind, " ", string(e.Payload))) }))
		for i, e := range entries {
			want(t, "entry", fmt.Sprint(e.Kind, " ", string(e.Payload)), c.want[i])
			want(t, "looked up", newest[len(entries)-1-i], c.want[i])
		}
		want(t, "trace", string(entries[0].Trace), "00-x")
		release()
	}
}

// TestForeignStaysAsItIs does to a foreign stream all that a reader does to its own.
func TestForeignStaysAsItIs(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	for i := range 100 {
		server.Do("XADD", "orders", "*", "payload", i)
	}
	server.Do("XGROUP", "CREATE", "orders", "billing", "$")
	before, groups := info(server), fmt.Sprint(server.Do("XINFO", "GROUPS", "orders").([]any)[0])
	k := orders("shop", "payload")
	must(t, client.ClaimShards(t.Context(), []*contract.Contract{k}, house("a")))
	s := foreignShard(t, client, k)
	acquired, err := s.Acquire(t.Context())
	must(t, err)
	want(t, "acquired", acquired, true)
	attach(t, s, 1, event.ID{})
	payloads, last := drain(t, s)
	wantRange(t, payloads, 0, 99)
	must(t, s.Trim(t.Context(), last))
	must(t, s.RaiseLastID(t.Context(), event.ID{MS: last.MS + 1e9}))
	state, err := s.State(t.Context())
	must(t, err)
	want(t, "length", state.Length, 100)
	want(t, "trimmed to", state.TrimmedTo, event.ID{})
	must(t, s.PublishPosition(t.Context(), event.Position{Last: last, Added: 100, Rows: 100}))
	all, err := client.Lags(t.Context(), k)
	must(t, err)
	want(t, "lag", all[0].Entries, 0)
	must(t, s.Release(t.Context()))
	want(t, "the stream", info(server), before)
	want(t, "their group", fmt.Sprint(server.Do("XINFO", "GROUPS", "orders").([]any)[0]), groups)
	for _, key := range server.Do("KEYS", "*").([]any) {
		if key != "orders" && !strings.HasPrefix(key.(string), "estela:{orders}:shop:") {
			t.Errorf("there is a key %s", key)
		}
	}
}

// Two datasets read one stream, and each has a cursor of its own.
func TestForeignGroupsOfTwoDatasets(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	server.Do("XADD", "orders", "*", "payload", 1)
	a, b := foreignShard(t, client, orders("a", "payload")), foreignShard(t, client, orders("b", "payload"))
	for epoch := range int64(3) { // each takes itself over, not the other
		attach(t, a, epoch+1, event.ID{})
		attach(t, b, epoch+1, event.ID{})
	}
	for _, s := range []*stream.Shard{a, b} {
		payloads, _ := drain(t, s)
		wantRange(t, payloads, 1, 1)
	}
	want(t, "groups", len(server.Do("XINFO", "GROUPS", "orders").([]any)), 2)
	want(t, "group", a.Group(), "estela:a:3.3")

	// Nor does the owner of Estela's own streams take such a group for one of its own.
	k := &contract.Contract{Name: "copy", Shards: 1, Stream: &contract.Stream{Key: stream.Key(flights(1), 0)}}
	publish(t, client, 1, 10, stream.ProducerConfig{})
	attach(t, foreignShard(t, client, k), 1, event.ID{})
	own := shard(t, client, stream.ShardConfig{})
	attach(t, own, 1, event.ID{})
	_, last := drain(t, own)
	must(t, own.Trim(t.Context(), last))
	want(t, "entries that the copy needs", len(ids(t, server)), 10)
}

func TestForeignStreamIsNotCreated(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		k := orders("shop", "event")
		s := foreignShard(t, client, k)
		first := attachError(t, s, 1, event.ID{})
		wantErr(t, first, event.ErrNoStream)
		want(t, "said again", attachError(t, s, 1, event.ID{}).Error(), first.Error())
		lengths, err := client.Lengths(t.Context(), k)
		must(t, err)
		want(t, "length", lengths[0], 0)
		p := client.Producer(t.Context(), k, stream.ProducerConfig{Batch: 2})
		must(t, p.Add(t.Context(), 0, []byte("1")))
		must(t, p.Close(t.Context()))
		attach(t, s, 1, event.ID{})
		payloads, _ := drain(t, s)
		wantRange(t, payloads, 1, 1)
	})
}

// The server's newest entries are gone: the stream isn't raised, and each Attach rereads it.
func TestForeignStreamThatStepsBack(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	server.Do("XADD", "orders", "90-0", "payload", 90)
	s := foreignShard(t, client, orders("shop", "payload"))
	for range 3 {
		_, err := s.Attach(t.Context(), 1, event.ID{})
		must(t, err)
		payloads, _ := drain(t, s)
		wantRange(t, payloads, 90, 90)
		must(t, s.RaiseLastID(t.Context(), event.ID{MS: 100}))
		from, err := s.Attach(t.Context(), 1, event.ID{MS: 100})
		must(t, err)
		want(t, "reads after", from, event.ID{})
	}
	server.Do("XADD", "orders", "95-0", "payload", 91)
	payloads, _ := drain(t, s)
	wantRange(t, payloads, 90, 91)
}

func TestPublishIntoForeignStream(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	send := func(k *contract.Contract, n int, cfg stream.ProducerConfig) error {
		p := client.Producer(t.Context(), k, cfg)
		for i := range n {
			if err := p.Add(t.Context(), 0, fmt.Appendf(nil, "%d", i)); err != nil {
				_ = p.Close(t.Context())
				return err
			}
		}
		return p.Close(t.Context())
	}
	cfg := stream.ProducerConfig{Batch: 10, Trace: func() (string, func()) { return "00-trace", func() {} }}
	must(t, send(orders("shop", "payload"), 3, cfg))
	entries := server.Do("XRANGE", "orders", "-", "+").([]any)
	want(t, "entries", len(entries), 3)
	want(t, "entry", fmt.Sprint(entries[2].([]any)[1]), "[payload 2]")
	must(t, send(orders("shop", "events"), 3, cfg))
	want(t, "a pack", length(server), 4)
	want(t, "can publish", stream.CanPublish(orders("shop", "")), false)
	err := send(orders("shop", ""), 1, cfg)
	want(t, "refused", err != nil && strings.Contains(err.Error(), "a field for each property"), true)
	want(t, "entries", length(server), 4)
}

// What counts for a producer is what isn't stored, not what the stream's owner keeps.
func TestBackpressureOfForeignStream(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	for i := range 100 {
		server.Do("XADD", "orders", "*", "payload", i)
	}
	k := orders("shop", "payload")
	s := foreignShard(t, client, k)
	_, err := s.Acquire(t.Context())
	must(t, err)
	attach(t, s, 1, event.ID{})
	_, last := drain(t, s)
	waits := make(chan stream.Waiting, 1)
	cfg := stream.ProducerConfig{HighWater: 10, FlushEvents: 5, OnWait: func(w stream.Waiting) {
		select {
		case waits <- w:
		default:
		}
	}}
	p := client.Producer(t.Context(), k, cfg)
	must(t, p.Add(t.Context(), 0, []byte("1")))
	w := <-waits // no worker has reported: all of it may be unstored
	want(t, "lag", w.Lag.Entries, 100)
	must(t, s.PublishPosition(t.Context(), event.Position{Last: last, Added: 100}))
	must(t, p.Close(t.Context()))
	p = client.Producer(t.Context(), k, cfg)
	for range 5 {
		must(t, p.Add(t.Context(), 0, []byte("1")))
	}
	must(t, p.Close(t.Context()))
	want(t, "acknowledged", p.Acked(), 5)
	server.Do("XTRIM", "orders", "MAXLEN", 8) // of these 6 are not stored
	all, err := client.Lags(t.Context(), k)
	must(t, err)
	want(t, "lag", all[0].Entries, 6)
}

func length(server *redistest.Server) int64 {
	n, _ := server.Do("XLEN", "orders").(int64)
	return n
}

// A foreign stream is read, whatever it is called, and has to be a stream.
func TestForeignStreamIsNotUnread(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	server.Do("XADD", "orders", "*", "id", 1)
	server.Do("XADD", "estela:{orders:0}", "*", "event", "{}")
	unread := func(k *contract.Contract) (keys []string) {
		found, whole, err := client.UnreadStreams(t.Context(), []*contract.Contract{k})
		must(t, err)
		want(t, "all were scanned", whole, true)
		for _, u := range found {
			keys = append(keys, u.Key+" "+u.Type+" "+u.Want)
		}
		return keys
	}
	want(t, "beside the foreign one", fmt.Sprint(unread(orders("orders", ""))), "[estela:{orders:0} stream stream]")
	want(t, "beside the own one", fmt.Sprint(unread(&contract.Contract{Name: "orders", Shards: 1})), "[orders stream stream]")
	server.Do("DEL", "orders")
	server.Do("LPUSH", "orders", 1)
	want(t, "that is none", fmt.Sprint(unread(orders("orders", ""))), "[orders list stream estela:{orders:0} stream stream]")
}
