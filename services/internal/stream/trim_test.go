package stream_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// ids are those of the stream of shard 0, oldest first.
func ids(t *testing.T, server *redistest.Server) []event.ID {
	t.Helper()
	entries, _ := server.Do("XRANGE", stream.Key(flights(1), 0), "-", "+").([]any)
	all := make([]event.ID, 0, len(entries))
	for _, entry := range entries {
		id, err := event.ParseID(entry.([]any)[0].(string))
		must(t, err)
		all = append(all, id)
	}
	return all
}

func TestTrimStaysBehindForeignGroups(t *testing.T) {
	t.Parallel()
	key := stream.Key(flights(1), 0)
	server, client := setup(t)
	s := shard(t, client, stream.ShardConfig{})
	attach(t, s, 1, event.ID{})
	publish(t, client, 1, 100, stream.ProducerConfig{})
	all := ids(t, server)
	wantErr(t, s.Trim(t.Context(), all[99]), event.ErrCursorMoved) // nobody has read them
	want(t, "entries left", len(ids(t, server)), 100)
	drain(t, s)
	trim := func(to, left int) {
		t.Helper()
		must(t, s.Trim(t.Context(), all[to]))
		want(t, "entries left", len(ids(t, server)), left)
		state, err := s.State(t.Context())
		must(t, err)
		var gone event.ID
		if left < len(all) {
			gone = all[len(all)-left-1]
		}
		want(t, "trimmed to", state.TrimmedTo, gone)
	}
	server.Do("XGROUP", "CREATE", key, "audit", "0")
	server.Do("XGROUP", "CREATE", key, "estela:monitor", "0") // ours are estela:E.N only
	trim(99, 100)
	server.Do("XREADGROUP", "GROUP", "audit", "c", "COUNT", 60, "STREAMS", key, ">")
	server.Do("XREADGROUP", "GROUP", "estela:monitor", "c", "COUNT", 80, "NOACK", "STREAMS", key, ">")
	trim(99, 100) // all that audit has read is pending
	for i := range 30 {
		server.Do("XACK", key, "audit", all[i].String())
	}
	server.Do("XACK", key, "audit", all[35].String())
	trim(10, 89)
	trim(99, 70)
	for i := range 60 {
		server.Do("XACK", key, "audit", all[i].String())
	}
	trim(99, 40)
	server.Do("XGROUP", "DESTROY", key, "audit")
	trim(99, 20)
	server.Do("XGROUP", "DESTROY", key, "estela:monitor")
	trim(99, 0)
}

func TestWarnsOnceOfAGroupThatBlocksTrim(t *testing.T) {
	t.Parallel()
	key := stream.Key(flights(1), 0)
	server := redistest.Start(t)
	var log bytes.Buffer
	client, err := stream.Open(t.Context(), stream.Config{URL: server.URL(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	s := shard(t, client, stream.ShardConfig{WarnAfter: 50 * time.Millisecond})
	publish(t, client, 1, 100, stream.ProducerConfig{})
	server.Do("XGROUP", "CREATE", key, "audit", "0")
	last := ids(t, server)[99]
	for range 10 { // it is behind, but it moves
		server.Do("XREADGROUP", "GROUP", "audit", "c", "COUNT", 5, "NOACK", "STREAMS", key, ">")
		must(t, s.Trim(t.Context(), last))
		time.Sleep(10 * time.Millisecond)
	}
	want(t, "warning about one that moves", log.String(), "")
	for range 10 {
		must(t, s.Trim(t.Context(), last))
		time.Sleep(10 * time.Millisecond)
	}
	want(t, "warnings", strings.Count(log.String(), "level=WARN"), 1)
	want(t, "hint", strings.Contains(log.String(), "XGROUP DESTROY "+key+" audit"), true)
}

// If trimming fails half-way, trimmed_to stands and the entries do too: a gap
// can't be there without trimmed_to.
func TestTrimWritesItsBoundFirst(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	s := shard(t, client, stream.ShardConfig{})
	publish(t, client, 1, 10, stream.ProducerConfig{})
	all := ids(t, server)
	server.Do("ACL", "SETUSER", "default", "-xtrim")
	want(t, "trim fails", s.Trim(t.Context(), all[4]) != nil, true)
	state, err := s.State(t.Context())
	must(t, err)
	want(t, "trimmed to", state.TrimmedTo, all[4])
	want(t, "length", state.Length, 10)
	server.Do("ACL", "SETUSER", "default", "+xtrim")
	must(t, s.Trim(t.Context(), all[4]))
	want(t, "left", len(ids(t, server)), 5)
}

func TestTrimKeepsForAWhile(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	key := stream.Key(flights(1), 0)
	for _, age := range []time.Duration{time.Hour, 30 * time.Minute, 10 * time.Second} {
		id := event.ID{MS: uint64(time.Now().Add(-age).UnixMilli())}
		server.Do("XADD", key, id.String(), "event", "1")
	}
	all := ids(t, server)
	s := shard(t, client, stream.ShardConfig{KeepFor: 40 * time.Minute})
	must(t, s.Trim(t.Context(), all[2]))
	want(t, "kept", len(ids(t, server)), 2)
	state, err := s.State(t.Context())
	must(t, err)
	want(t, "trimmed to what went", state.TrimmedTo, all[0])
}

func TestKeepMaxLimitsKeepFor(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	key := stream.Key(flights(1), 0)
	start := uint64(time.Now().Add(-time.Hour).UnixMilli())
	for i := range uint64(64) {
		server.Do("XADD", key, event.ID{MS: start + 1000*i}.String(), "event", "1")
	}
	all := ids(t, server)
	s := shard(t, client, stream.ShardConfig{KeepFor: 2 * time.Hour, KeepMax: 20})
	lengths := []int{}
	for range 4 {
		must(t, s.Trim(t.Context(), all[59]))
		lengths = append(lengths, len(ids(t, server)))
	}
	for i, expected := range []int{34, 19, 19, 19} { // half of the 60 stored, half again; 4 are not stored
		want(t, "length", lengths[i], expected)
	}
}

// A bound that is ahead of the first entry would be the mark of a stream that was replaced, and who takes a
// shard over may look while the last owner still trims.
func TestStateWhileAnotherTrims(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		owner, next := shard(t, client, stream.ShardConfig{}), shard(t, client, stream.ShardConfig{})
		attach(t, owner, 1, event.ID{})
		publish(t, client, 1, 500, stream.ProducerConfig{})
		var all []event.ID
		for len(all) < 500 {
			entries, release, err := owner.Read(t.Context())
			must(t, err)
			for _, e := range entries {
				all = append(all, e.ID)
			}
			release()
		}
		trimmed := make(chan error, 1)
		go func() {
			for _, id := range all[:len(all)-1] {
				if err := owner.Trim(t.Context(), id); err != nil {
					trimmed <- err
					return
				}
			}
			close(trimmed)
		}()
		for {
			state, err := next.State(t.Context())
			must(t, err)
			if state.First.Compare(state.TrimmedTo) <= 0 {
				t.Fatalf("trimmed to %s, and %s is still there", state.TrimmedTo, state.First)
			}
			select {
			case err := <-trimmed:
				must(t, err)
				return
			default:
			}
		}
	})
}
