package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	_, client := setup(t)
	s := shard(t, client, stream.ShardConfig{Block: time.Hour})
	attach(t, s, 1, event.ID{})
	began := time.Now()
	entries, release, err := s.Read(t.Context())
	must(t, err)
	release()
	want(t, "entries", len(entries), 0)
	if took := time.Since(began); took < 1900*time.Millisecond || took > 3*time.Second {
		t.Fatalf("an empty read took %s, want 2 s", took)
	}
}

func TestCancelEndsABlockedReadAtOnce(t *testing.T) {
	t.Parallel()
	_, client := setup(t)
	s := shard(t, client, stream.ShardConfig{Block: 2 * time.Second})
	attach(t, s, 1, event.ID{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, err := s.Read(ctx)
	wantErr(t, err, context.DeadlineExceeded)
	if took := time.Since(began); took > time.Second {
		t.Fatalf("the read went on for %s", took)
	}
	publish(t, client, 1, 5, stream.ProducerConfig{})
	attach(t, s, 1, event.ID{})
	got, _ := drain(t, s)
	wantRange(t, got, 1, 5)
}

func TestSilentServerEndsInTime(t *testing.T) {
	t.Parallel()
	server, direct := setup(t)
	proxy := redistest.NewProxy(t, server.Addr())
	s := shard(t, open(t, proxy.URL()), stream.ShardConfig{Timeout: 200 * time.Millisecond})
	attach(t, s, 1, event.ID{})
	proxy.Pause()
	publish(t, direct, 1, 5, stream.ProducerConfig{})
	began := time.Now()
	_, _, err := s.Read(t.Context())
	var timeout interface{ Timeout() bool }
	want(t, "a time-out", errors.As(err, &timeout) && timeout.Timeout(), true)
	want(t, "in time", time.Since(began) < 2*time.Second, true)
	proxy.Resume()
	attach(t, s, 1, event.ID{})
	got, _ := drain(t, s)
	wantRange(t, got, 1, 5)
}

// Connections are cut in the middle of replies, whose entries the server counts
// as delivered.
func TestReplyLostOnTheWay(t *testing.T) {
	t.Parallel()
	const events, cuts = 20_000, 12
	server, direct := setup(t)
	publish(t, direct, 1, events, stream.ProducerConfig{})
	proxy := redistest.NewProxy(t, server.Addr())
	s := shard(t, open(t, proxy.URL()), stream.ShardConfig{MaxCount: 1000})
	var (
		got    []string
		last   event.ID
		failed int
	)
	reattach := func() {
		for attachError(t, s, 1, last) != nil { // its connection may be cut as well
			continue
		}
	}
	reattach()
	for len(got) < events {
		if failed < cuts {
			proxy.CutAfter(int64(1000 + 3301*failed))
		}
		entries, release, err := s.Read(t.Context())
		if err != nil {
			failed++
			reattach()
			continue
		}
		for _, e := range entries {
			got, last = append(got, string(e.Payload)), e.ID
		}
		release()
	}
	wantRange(t, got, 1, events)
	want(t, "cuts", failed, cuts)
}

// A read that still blocks on the server for a dead connection wakes up when its
// group goes, and takes nothing.
func TestZombieReadTakesNothing(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	s := shard(t, client, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	type answer struct {
		reply any
		err   error
	}
	zombie := make(chan answer, 1)
	go func(group string) {
		reply, err := server.Try("XREADGROUP", "GROUP", group, "dead", "BLOCK", 2500,
			"NOACK", "STREAMS", stream.Key(flights(1), 0), ">")
		zombie <- answer{reply, err}
	}(s.Group())
	eventually(t, "the zombie blocks", func() bool {
		info, _ := server.Try("INFO", "clients")
		return strings.Contains(fmt.Sprint(info), "blocked_clients:1")
	})
	attach(t, s, 1, event.ID{})
	publish(t, client, 1, 100, stream.ProducerConfig{})
	got, _ := drain(t, s)
	wantRange(t, got, 1, 100)
	a := <-zombie
	want(t, "the zombie's reply", a.reply, nil)
	want(t, "the zombie's error", a.err != nil && strings.HasPrefix(a.err.Error(), "NOGROUP"), true)
}

func TestEmptiedServerIsNoGroup(t *testing.T) {
	t.Parallel()
	for _, command := range [][]any{
		{"FLUSHALL"},
		{"DEL", stream.Key(flights(1), 0)},
		{"XGROUP", "DESTROY", stream.Key(flights(1), 0), "estela:1.1"},
	} {
		t.Run(fmt.Sprint(command[0]), func(t *testing.T) {
			t.Parallel()
			server, client := setup(t)
			s := shard(t, client, stream.ShardConfig{Block: 2 * time.Second})
			attach(t, s, 1, event.ID{})
			failed := make(chan error, 1)
			go func() {
				_, _, err := s.Read(t.Context())
				failed <- err
			}()
			eventually(t, "the read blocks", func() bool {
				return strings.Contains(fmt.Sprint(server.Do("INFO", "clients")), "blocked_clients:1")
			})
			server.Do(command...)
			wantErr(t, <-failed, stream.ErrNoGroup)
			_, _, err := s.Read(t.Context())
			want(t, "a read without Attach fails", err != nil, true)
		})
	}
}

// Small entries make the reader ask for many; the large ones behind them must
// not fill its memory.
func TestLargeRepliesComeInParts(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	publish(t, client, 1, 5000, stream.ProducerConfig{})
	const large, size = 12, 3 << 20
	payload := strings.Repeat("x", size)
	for range large {
		server.Do("XADD", stream.Key(flights(1), 0), "*", "event", payload)
	}
	server.Do("XADD", stream.Key(flights(1), 0), "*", "event", strings.Repeat("y", 3*size))
	s := shard(t, client, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	seen := 0
	for seen < 5000+large+1 {
		entries, release, err := s.Read(t.Context())
		must(t, err)
		bytes := 0
		for _, e := range entries {
			bytes += len(e.Payload)
		}
		if bytes > 2*stream.SegmentSize && len(entries) > 1 {
			t.Fatalf("a part of %d entries has %d bytes", len(entries), bytes)
		}
		seen += len(entries)
		release()
	}
	want(t, "entries", seen, 5000+large+1)
	if s.Count() > 16 {
		t.Fatalf("after entries of 3 MiB it asks for %d at once", s.Count())
	}
}

func TestForeignEntriesLoseNothing(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	key := stream.Key(flights(1), 0)
	for _, test := range []struct {
		fields   []any
		kind     event.Kind
		expected string
	}{
		{[]any{"event", "{}", "traceparent", "00-ab"}, event.Single, "{}"},
		{[]any{"a", "1", "events", "1\n2"}, event.Lines, "1\n2"},
		{[]any{"Event", "{}"}, event.UnknownEntry, `{"Event":"{}"}`},
		{[]any{"b", "2", "a", "é\n\"<"}, event.UnknownEntry, `{"b":"2","a":"é\n\"\u003c"}`},
		{[]any{"a", "1", "a", "2"}, event.UnknownEntry, `{"a":"1","a":"2"}`},
		{[]any{"event", "1", "events", "2"}, event.UnknownEntry, `{"event":"1","events":"2"}`},
		{[]any{"event", "1", "event", "2"}, event.UnknownEntry, `{"event":"1","event":"2"}`},
		{[]any{"raw", "\xff\x00"}, event.UnknownEntry, `{"raw":"base64:/wA="}`},
		{[]any{"\xff", "base64:x"}, event.UnknownEntry, `{"base64:/w==":"base64:YmFzZTY0Ong="}`},
		{[]any{"", ""}, event.UnknownEntry, `{"":""}`},
	} {
		server.Do(append([]any{"XADD", key, "*"}, test.fields...)...)
		s := shard(t, client, stream.ShardConfig{})
		attach(t, s, time.Now().UnixNano(), event.ID{})
		entries, release, err := s.Read(t.Context())
		must(t, err)
		want(t, "entries", len(entries), 1)
		want(t, "kind", entries[0].Kind, test.kind)
		want(t, "payload", string(entries[0].Payload), test.expected)
		looked, there, err := client.Entry(t.Context(), flights(1), 0, entries[0].ID)
		must(t, err)
		want(t, "looked up", fmt.Sprint(there, looked), fmt.Sprint(true, entries[0]))
		release()
		server.Do("DEL", key)
	}
}

func TestParseReplies(t *testing.T) {
	t.Parallel()
	const start = "*1\r\n*2\r\n$1\r\nk\r\n"
	for name, test := range map[string]struct {
		reply string
		n     int
		fails string
	}{
		"nothing":           {"*-1\r\n", 0, ""},
		"no entries":        {start + "*0\r\n", 0, ""},
		"one":               {start + "*1\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$5\r\nevent\r\n$2\r\n{}\r\n", 1, ""},
		"highest ID":        {start + "*1\r\n*2\r\n$41\r\n18446744073709551615-18446744073709551615\r\n*0\r\n", 1, ""},
		"ID too high":       {start + "*1\r\n*2\r\n$22\r\n18446744073709551616-0\r\n*0\r\n", 0, "not understood"},
		"ID without a dash": {start + "*1\r\n*2\r\n$1\r\n1\r\n*0\r\n", 0, "not understood"},
		"refusal":           {"-WRONGTYPE no stream\r\n", 0, "redis: WRONGTYPE no stream"},
		"cut":               {start + "*2\r\n*2\r\n$3\r\n1-2", 0, "unexpected EOF"},
		"odd fields":        {start + "*1\r\n*2\r\n$3\r\n1-2\r\n*1\r\n$1\r\na\r\n", 0, "not understood"},
		"giant string":      {start + "*1\r\n*2\r\n$999999999\r\n", 0, "not understood"},
		"giant array":       {start + "*99999999999999999999\r\n", 0, "not understood"},
		"nil entry":         {start + "*1\r\n*-1\r\n", 0, "not understood"},
		"HTTP":              {"HTTP/1.1 400 Bad Request\r\n", 0, "not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries, err := stream.ParseReply([]byte(test.reply), 1<<20)
			want(t, "entries", len(entries), test.n)
			want(t, "fails", err != nil, test.fails != "")
			if err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Fatalf("got error %q, want one with %q", err, test.fails)
			}
		})
	}
}

// FuzzReply feeds any bytes: no panic, and the same outcome however they are cut.
func FuzzReply(f *testing.F) {
	f.Add([]byte("*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$5\r\nevent\r\n$2\r\n{}\r\n"), 3)
	f.Add([]byte("*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-2\r\n*2\r\n$1\r\na\r\n$2\r\n\xff\xfe\r\n"), 1)
	f.Add([]byte("*-1\r\n"), 2)
	f.Add([]byte("-NOGROUP none\r\n"), 1)
	f.Fuzz(func(t *testing.T, reply []byte, step int) {
		whole, err1 := stream.ParseReply(reply, len(reply)+1)
		parts, err2 := stream.ParseReply(reply, 1+int(uint(step)%64))
		if fmt.Sprint(err1) != fmt.Sprint(err2) || len(whole) != len(parts) {
			t.Fatalf("whole: %d entries, %v; in parts: %d entries, %v", len(whole), err1, len(parts), err2)
		}
		for i := range whole {
			if whole[i].ID != parts[i].ID || !bytes.Equal(whole[i].Payload, parts[i].Payload) {
				t.Fatalf("entry %d differs: %v, %v", i, whole[i], parts[i])
			}
		}
	})
}

// FuzzEntry writes an entry as Redis would and reads it back.
func FuzzEntry(f *testing.F) {
	f.Add(uint64(1), uint64(2), "event", []byte("{}"), 5)
	f.Add(uint64(1<<63), uint64(0), "x", []byte("\r\n$3\r\n"), 1)
	f.Fuzz(func(t *testing.T, ms, seq uint64, name string, value []byte, step int) {
		id := event.ID{MS: ms, Seq: seq}
		reply := fmt.Appendf(nil, "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$%d\r\n%s\r\n*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n",
			len(id.String()), id, len(name), name, len(value), value)
		entries, err := stream.ParseReply(reply, 1+int(uint(step)%64))
		if err != nil || len(entries) != 1 || entries[0].ID != id {
			t.Fatalf("got %v, %v", entries, err)
		}
		known := map[string]event.Kind{"event": event.Single, "events": event.Lines}
		kind, isKnown := known[name]
		if isKnown && (entries[0].Kind != kind || !bytes.Equal(entries[0].Payload, value)) {
			t.Fatalf("got %v, want %q", entries[0], value)
		}
		if !isKnown && entries[0].Kind != event.UnknownEntry {
			t.Fatalf("got kind %d of field %q", entries[0].Kind, name)
		}
	})
}
