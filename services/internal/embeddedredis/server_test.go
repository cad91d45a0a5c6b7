package embeddedredis_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

// TestFullServerRefusesUntilTrimmed compares replies above MaxMemory with what redis-server 7.0 replies.
func TestFullServerRefusesUntilTrimmed(t *testing.T) {
	t.Parallel()
	const oom = replyError("OOM command not allowed when used memory > 'maxmemory'.")
	_, addr := start(t, 100_000)
	c := dial(t, addr)
	add := []string{"XADD", "s", "*", "event", strings.Repeat("x", 10_000)}
	accepted := int64(0)
	for reply := c.do(add...); reply != oom; reply = c.do(add...) {
		if _, isID := reply.(string); !isID {
			t.Fatalf("XADD: %v", reply)
		}
		accepted++
	}
	want(t, "accepted", accepted, int64(10)) // the last may pass the limit
	want(t, "MULTI", c.do("MULTI"), "OK")
	want(t, "queued", c.do(add...), oom)
	want(t, "EXEC", c.do("EXEC"), replyError("EXECABORT Transaction discarded because of previous errors."))
	want(t, "a script", c.do("EVAL", "return redis.pcall('XADD', KEYS[1], '*', 'a', 'b')", "1", "s"), oom)
	if reply := c.do("EVAL", "#!lua flags=allow-oom\nreturn redis.call('XADD', KEYS[1], '*', 'a', 'b')", "1", "s"); reply == oom {
		t.Fatal("a script with allow-oom is refused")
	}
	want(t, "what was accepted is there", c.do("XLEN", "s"), accepted+1)

	want(t, "XTRIM", c.do("XTRIM", "s", "MAXLEN", "5"), accepted+1-5)
	want(t, "MULTI", c.do("MULTI"), "OK")
	want(t, "after a trim", c.do(add...), "QUEUED")
	other := dial(t, addr)
	for other.do(add...) != oom { // it is full again before EXEC
	}
	want(t, "EXEC", c.do("EXEC"), replyError("EXECABORT Transaction discarded because of: "+string(oom)))

	want(t, "DEL", c.do("DEL", "s"), int64(1))
	if reply := c.do(add...); reply == oom {
		t.Fatal("full although the stream was deleted")
	}
}

// TestProducerWaitsForRoom publishes many times what the server holds: the producer waits, and all arrives, once and in order.
func TestProducerWaitsForRoom(t *testing.T) {
	t.Parallel()
	const events = 5000
	_, addr := start(t, 200_000)
	client, err := stream.Open(t.Context(), stream.Config{URL: "redis://" + addr})
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	k := &contract.Contract{Name: "flights", Shards: 1}
	reader := client.Shard(k, 0, t.Name(), stream.ShardConfig{})
	t.Cleanup(func() { _ = reader.Close() })
	_, err = reader.Attach(t.Context(), 1, event.ID{})
	must(t, err)

	var waited sync.Once
	full := make(chan error, 1)
	p := client.Producer(t.Context(), k, stream.ProducerConfig{FlushBytes: 50_000, OnWait: func(w stream.Waiting) { waited.Do(func() { full <- w.Err }) }})
	closed := make(chan error, 1)
	go func() {
		for i := range events {
			if err := p.Add(t.Context(), 0, fmt.Appendf(nil, "%d %0200d", i, 0)); err != nil {
				closed <- err
				return
			}
		}
		closed <- p.Close(t.Context())
	}()
	if err := <-full; err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("waits because of %v, want OOM", err)
	}
	for read := 0; read < events; {
		entries, release, err := reader.Read(t.Context())
		must(t, err)
		for _, e := range entries {
			text, _, _ := strings.Cut(string(e.Payload), " ")
			want(t, "event", text, strconv.Itoa(read))
			read++
		}
		if len(entries) > 0 {
			must(t, reader.Trim(t.Context(), entries[len(entries)-1].ID))
		}
		release()
	}
	must(t, <-closed)
}

// TestCloseEndsEverything closes under load: connections that write, that wait for entries, and that are idle.
func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	s, addr := start(t, 1<<30)
	blocked, idle := dial(t, addr), dial(t, addr)
	want(t, "idle", idle.do("PING"), "PONG")
	want(t, "group", blocked.do("XGROUP", "CREATE", "empty", "g", "$", "MKSTREAM"), "OK")
	blocked.send([]string{"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "empty", ">"})
	client, err := stream.Open(t.Context(), stream.Config{URL: "redis://" + addr})
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	writing := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	p := client.Producer(ctx, &contract.Contract{Name: "flights", Shards: 1}, stream.ProducerConfig{OnAck: func(int) {
		select {
		case writing <- struct{}{}:
		default:
		}
	}})
	added := make(chan error, 1)
	go func() {
		for {
			if err := p.Add(ctx, 0, []byte("{}")); err != nil {
				added <- err
				return
			}
		}
	}()
	<-writing
	s.Close()
	if _, err := blocked.in.ReadByte(); err == nil {
		t.Fatal("a blocked read got a reply of a closed server")
	}
	cancel()
	<-added
	_ = p.Close(t.Context())
}

// TestSealedServerCanBeDrained: events are refused with an error that producers retry, and what is there can be read and trimmed.
func TestSealedServerCanBeDrained(t *testing.T) {
	t.Parallel()
	s, addr := start(t, 1<<30)
	c := dial(t, addr)
	want(t, "XADD", c.do("XADD", "s", "1-1", "event", "{}"), "1-1")
	s.Seal()
	if reply, _ := c.do("XADD", "s", "1-2", "event", "{}").(replyError); !strings.HasPrefix(string(reply), "BUSY ") {
		t.Fatalf("XADD: %v, want BUSY", reply)
	}
	want(t, "XRANGE", c.do("XRANGE", "s", "-", "+"), []any{[]any{"1-1", []any{"event", "{}"}}})
	want(t, "XTRIM", c.do("XTRIM", "s", "MINID", "2"), int64(1))
}

// TestBlockedReads end with an entry, the end of their time, or of their group.
func TestBlockedReads(t *testing.T) {
	t.Parallel()
	_, addr := start(t, 1<<30)
	c, reader := dial(t, addr), dial(t, addr)
	want(t, "group", c.do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"), "OK")
	entry := []any{[]any{"s", []any{[]any{"1-1", []any{"a", "b"}}}}}
	read := []string{"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"}
	reader.send(read)
	want(t, "XADD", c.do("XADD", "s", "1-1", "a", "b"), "1-1")
	want(t, "read", reader.reply(), entry)
	reader.send([]string{"XREAD", "BLOCK", "0", "STREAMS", "later", "$"})
	want(t, "another stream", c.do("XADD", "s", "1-2", "a", "b"), "1-2")
	want(t, "XADD", c.do("XADD", "later", "1-1", "a", "b"), "1-1")
	want(t, "a stream that did not exist", reader.reply(), []any{[]any{"later", entry[0].([]any)[1]}})
	want(t, "1-2", reader.do(read...), []any{[]any{"s", []any{[]any{"1-2", []any{"a", "b"}}}}})
	want(t, "time is over", reader.do("XREADGROUP", "GROUP", "g", "c", "BLOCK", "5", "STREAMS", "s", ">"), nil)
	reader.send(read)
	want(t, "destroy", c.do("XGROUP", "DESTROY", "s", "g"), int64(1))
	want(t, "group is gone", reader.reply(), replyError("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"))
	want(t, "pipeline goes on", reader.do("PING"), "PONG")
}

// TestRefuses names what the server lacks.
func TestRefuses(t *testing.T) {
	t.Parallel()
	_, addr := start(t, 1<<30)
	c := dial(t, addr)
	for _, command := range [][]string{{"BLPOP", "l", "0"}, {"SUBSCRIBE", "x"}, {"XAUTOCLAIM", "s", "g", "c", "0", "0"}, {"WATCH", "s"}, {"RENAME", "s", "t"}} {
		if reply, _ := c.do(command...).(replyError); !strings.Contains(string(reply), "install redis-server") {
			t.Errorf("%s: %v", command[0], reply)
		}
	}
	want(t, "another database", c.do("SELECT", "1"), replyError("ERR DB index is out of range"))
	if _, err := c.conn.Write([]byte("GET x\r\n")); err != nil {
		t.Fatal(err)
	}
	want(t, "an inline command", c.reply(), replyError("ERR Protocol error: an array of bulk strings is expected"))
}

// BenchmarkTrim trims a short and a long stream to nothing, the same number of entries at a time, as a worker does.
// The metric ratio is the time an entry of the long one over that of the short one, in one run: near 1, and 16 if
// it were quadratic.
func BenchmarkTrim(b *testing.B) {
	const part, short, long = 10_000, 4, 64
	_, addr := start(b, 1<<30)
	c := dial(b, addr)
	perEntry := func(parts int) float64 {
		const fill = `for i = 1, tonumber(ARGV[2]) do redis.call('XADD', KEYS[1], ARGV[1] .. '-' .. i, 'event', ARGV[3]) end return 'OK'`
		for i := range parts {
			want(b, "fill", c.do("EVAL", fill, "1", "s", strconv.Itoa(i), strconv.Itoa(part), strings.Repeat("x", 100)), "OK")
		}
		before := time.Now()
		for i := range parts {
			want(b, "trimmed", c.do("XTRIM", "s", "MINID", "=", strconv.Itoa(i+1)), int64(part))
		}
		return float64(time.Since(before).Nanoseconds()) / float64(part*parts)
	}
	var ofShort, ofLong float64
	for b.Loop() {
		ofShort += perEntry(short)
		c.do("DEL", "s")
		ofLong += perEntry(long)
		c.do("DEL", "s")
	}
	b.ReportMetric(ofLong/float64(b.N), "ns/entry")
	b.ReportMetric(ofLong/ofShort, "ratio")
	b.ReportMetric(0, "ns/op")
}
