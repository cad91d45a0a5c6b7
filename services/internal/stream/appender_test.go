package stream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

func appender(t *testing.T, client *stream.Client) *stream.Appender {
	t.Helper()
	a := client.Appender()
	t.Cleanup(a.Close)
	return a
}

func one(text string) event.Payload {
	return event.Payload{Kind: event.Single, Events: 1, Data: []byte(text)}
}

func several(events int, text string) event.Payload {
	return event.Payload{Kind: event.Lines, Events: events, Data: []byte(text)}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		a, k := appender(t, client), flights(2)
		all := []event.Addition{
			{Shard: 1, Entries: []event.Payload{one("1")}},
			{Shard: 0, Entries: []event.Payload{several(2, "2\n3\n"), one("4"), one("5")}},
		}
		must(t, a.Append(k, all))
		want(t, "events of the first", all[0].Added.Events, 1)
		want(t, "events of the second", all[1].Added.Events, 4)
		want(t, "its only entry", all[0].Added.First, all[0].Added.Last)
		s := client.Shard(k, 0, "t", stream.ShardConfig{Block: 50 * time.Millisecond})
		defer s.Close()
		attach(t, s, 1, event.ID{})
		payloads, last := drain(t, s)
		want(t, "entries", fmt.Sprint(payloads), fmt.Sprint([]string{"2\n3\n", "4", "5"}))
		want(t, "the last ID", all[1].Added.Last, last)
		want(t, "the first is before it", all[1].Added.First.Compare(last), -1)
	})
}

func TestAppendOnce(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		a, k := appender(t, client), flights(1)
		add := func(key, body string, before int, entries ...event.Payload) (event.Range, error) {
			all := []event.Addition{{Entries: entries, Once: &event.Request{Key: key, Body: body, Before: before}}}
			err := a.Append(k, all)
			return all[0].Added, err
		}
		claimed, err := add("k", "b", 0)
		must(t, err)
		want(t, "claimed", claimed, event.Range{})
		first, err := add("k", "b", 0, several(2, "1\n2\n"), one("3"))
		must(t, err)
		want(t, "added", first.Events, 3)
		again, err := add("k", "b", 0, several(2, "1\n2\n"), one("3"))
		must(t, err)
		want(t, "a repetition", again, first)
		next, err := add("k", "b", 3, one("4"))
		must(t, err)
		want(t, "the rest", next.Events, 4)
		want(t, "still begins at", next.First, first.First)
		want(t, "goes further", next.Last.Compare(first.Last), 1)
		again, err = add("k", "b", 0)
		must(t, err)
		want(t, "a look", again, next)
		_, err = add("k", "other", 0, one("5"))
		wantErr(t, err, event.ErrOtherRequest)
		_, err = add("k2", "other", 0, one("5"))
		must(t, err)
		lengths, err := client.Lengths(t.Context(), k)
		must(t, err)
		want(t, "entries", lengths[0], 4)
	})
}

// A full server refuses additions as a whole, and a wrong key fails its own alone.
func TestAppendRefused(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	a, k := appender(t, client), flights(2)
	server.Do("SET", "estela:{flights:1}", "no stream")
	all := []event.Addition{{Shard: 0, Entries: []event.Payload{one("1"), one("2")}}, {Shard: 1, Entries: []event.Payload{one("3"), one("4")}}}
	err := a.Append(k, all)
	if err == nil || errors.Is(err, event.ErrFull) {
		t.Errorf("a wrong key: %v", err)
	}
	want(t, "the other shard", all[0].Added.Events, 2)
	server.Do("DEL", "estela:{flights:0}", "estela:{flights:1}")
	server.Do("CONFIG", "SET", "maxmemory", "1")
	for _, addition := range []event.Addition{
		{Entries: []event.Payload{one("1")}},
		{Entries: []event.Payload{one("1"), one("2")}},
		{Entries: []event.Payload{one("1")}, Once: &event.Request{Key: "k", Body: "b"}},
	} {
		wantErr(t, a.Append(k, []event.Addition{addition}), event.ErrFull)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	want(t, "keys", server.Do("DBSIZE"), any(int64(0)))
	must(t, a.Append(k, []event.Addition{{Entries: []event.Payload{one("1")}}}))
}

// Additions of many callers share round trips; each gets its own IDs.
func TestAppendAtOnce(t *testing.T) {
	t.Parallel()
	_, client := setup(t)
	a, k := appender(t, client), flights(1)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[event.ID]bool{}
	for i := range 64 {
		wg.Go(func() {
			for range 20 {
				all := []event.Addition{{Entries: []event.Payload{one(fmt.Sprint(i))}}}
				if err := a.Append(k, all); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				ids[all[0].Added.First] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	want(t, "IDs", len(ids), 64*20)
	lengths, err := client.Lengths(t.Context(), k)
	must(t, err)
	want(t, "entries", lengths[0], 64*20)
}

// A server that doesn't answer, or an appender that is closed, lets nobody wait.
func TestAppendEnds(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	client := open(t, proxy.URL())
	a := client.Appender()
	k := flights(1)
	must(t, a.Append(k, []event.Addition{{Entries: []event.Payload{one("1")}}}))
	proxy.Pause()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := a.Append(k, []event.Addition{{Entries: []event.Payload{one("2")}}}); err == nil {
				t.Error("added without an answer")
			}
		})
	}
	wg.Wait()
	proxy.Resume()
	a.Close()
	if err := a.Append(k, []event.Addition{{Entries: []event.Payload{one("3")}}}); err == nil {
		t.Error("added after the end")
	}
}

func TestStoredWatcher(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	k := flights(2)
	w := client.StoredWatcher()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	defer running.Wait()
	defer cancel()
	report := func(shard int, at string) { server.Do("HSET", stream.Key(k, shard)+":stored", "last", at) }
	life, err := w.Server(ctx)
	must(t, err)
	report(0, "5-0")
	at, err := w.Await(ctx, life, k, 0, event.ID{MS: 5})
	must(t, err)
	want(t, "stored already", at, event.ID{MS: 5})
	results := make(chan event.ID, 3)
	for _, ms := range []uint64{6, 7, 9} {
		running.Go(func() {
			if at, err := w.Await(ctx, life, k, 0, event.ID{MS: ms}); err == nil {
				results <- at
			}
		})
	}
	report(1, "9-0")
	report(0, "7-3")
	for range 2 {
		want(t, "stored", <-results, event.ID{MS: 7, Seq: 3})
	}
	select {
	case at := <-results:
		t.Errorf("9-0 is said to be stored at %s", at)
	case <-time.After(50 * time.Millisecond):
	}
	// One that gives up; one to whom Redis says nothing for a while.
	bounded, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	_, err = w.Await(bounded, life, k, 1, event.ID{MS: 10})
	wantErr(t, err, context.DeadlineExceeded)
	server.Do("DEL", stream.Key(k, 0)+":stored")
	report(0, "10-0")
	want(t, "stored at last", <-results, event.ID{MS: 10})
	// A server that has restarted, of whose later entries the position may be.
	lost := make(chan error, 1)
	running.Go(func() { _, err := w.Await(ctx, life, k, 0, event.ID{MS: 11}); lost <- err })
	server.Restart()
	report(0, "12-0")
	wantErr(t, <-lost, stream.ErrOtherServer)
	_, err = w.Await(ctx, life, k, 0, event.ID{MS: 11})
	wantErr(t, err, stream.ErrOtherServer)
}
