package stream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

func TestLeaseHasOneHolder(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		cfg := stream.ShardConfig{Lease: 300 * time.Millisecond}
		a, b := shard(t, client, cfg), shard(t, client, cfg) // of one owner's name, yet two
		lease := func(what string, do func() (bool, error), expected bool) {
			t.Helper()
			ok, err := do()
			must(t, err)
			want(t, what, ok, expected)
		}
		acquire := func(s *stream.Shard) func() (bool, error) {
			return func() (bool, error) { return s.Acquire(t.Context()) }
		}
		renew := func(s *stream.Shard) func() (bool, error) {
			return func() (bool, error) { return s.Renew(t.Context()) }
		}
		lease("a takes it", acquire(a), true)
		lease("a takes it again: its first answer may be lost", acquire(a), true)
		lease("b while a has it", acquire(b), false)
		lease("b can't renew a's", renew(b), false)
		must(t, b.Release(t.Context()))
		lease("b's release did not end a's", acquire(b), false)
		lease("a renews", renew(a), true)
		time.Sleep(400 * time.Millisecond)
		lease("b after it has expired", acquire(b), true)
		lease("a, paused past its lease", renew(a), false)
		must(t, a.Release(t.Context()))
		lease("a's release did not end b's", renew(b), true)
		must(t, b.Release(t.Context()))
		lease("a after b gave it back", acquire(a), true)
	})
}

func TestReadsEveryEntryOnceInOrder(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		s := shard(t, client, stream.ShardConfig{})
		attach(t, s, 1, event.ID{})
		publish(t, client, 1, 5000, stream.ProducerConfig{})
		got, last := drain(t, s)
		wantRange(t, got, 1, 5000)

		publish(t, client, 5001, 5010, stream.ProducerConfig{})
		attach(t, s, 1, last)
		got, _ = drain(t, s)
		wantRange(t, got, 5001, 5010)
	})
}

func TestStateOfAStream(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		s := shard(t, client, stream.ShardConfig{})
		state, err := s.State(t.Context())
		must(t, err)
		runID := state.RunID
		want(t, "has a run id", runID != "", true)
		want(t, "absent stream", state, event.StreamState{RunID: runID, Now: state.Now})

		publish(t, client, 1, 10, stream.ProducerConfig{})
		attach(t, s, 1, event.ID{})
		entries, release, err := s.Read(t.Context())
		must(t, err)
		defer release()
		state, err = s.State(t.Context())
		must(t, err)
		want(t, "state", state, event.StreamState{
			RunID: runID, Now: state.Now, Known: true, First: entries[0].ID, Newest: entries[9].ID, Last: entries[9].ID, Length: 10, Added: 10,
		})
	})
}

func TestAttachDestroysOlderGroups(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		old, young := shard(t, client, stream.ShardConfig{}), shard(t, client, stream.ShardConfig{})
		attach(t, old, 9, event.ID{})
		attach(t, old, 9, event.ID{})
		want(t, "counter", old.Group(), "estela:9.2")
		attach(t, young, 10, event.ID{})
		_, _, err := old.Read(t.Context())
		wantErr(t, err, stream.ErrNoGroup)
		wantErr(t, err, event.ErrFenced)
		wantErr(t, attachError(t, old, 9, event.ID{}), event.ErrFenced)
		_, _, err = old.Read(t.Context())
		want(t, "read without a cursor fails", err != nil, true)
		publish(t, client, 1, 3, stream.ProducerConfig{})
		got, _ := drain(t, young)
		wantRange(t, got, 1, 3)
	})
}

// A new or restored warehouse begins with a low epoch, and Redis remembers more.
func TestAttachWithLeaseReplacesLeftovers(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		before, restored := shard(t, client, stream.ShardConfig{}), shard(t, client, stream.ShardConfig{})
		attach(t, before, 7, event.ID{})
		wantErr(t, attachError(t, restored, 1, event.ID{}), event.ErrFenced)
		ok, err := restored.Acquire(t.Context())
		must(t, err)
		want(t, "lease", ok, true)
		attach(t, restored, 1, event.ID{})
		_, _, err = before.Read(t.Context())
		wantErr(t, err, stream.ErrNoGroup)
		publish(t, client, 1, 3, stream.ProducerConfig{})
		got, _ := drain(t, restored)
		wantRange(t, got, 1, 3)
	})
}

func TestRaiseLastIDKeepsIDsAbove(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		s := shard(t, client, stream.ShardConfig{})
		must(t, s.RaiseLastID(t.Context(), event.ID{}))
		to := event.ID{MS: uint64(time.Now().Add(time.Hour).UnixMilli()), Seq: 7}
		must(t, s.RaiseLastID(t.Context(), to)) // there is no stream yet
		last := func() event.ID {
			state, err := s.State(t.Context())
			must(t, err)
			return state.Last
		}
		want(t, "last ID", last(), to)
		attach(t, s, 1, event.ID{})
		publish(t, client, 1, 2, stream.ProducerConfig{})
		got, read := drain(t, s)
		wantRange(t, got, 1, 2)
		want(t, "new IDs are above", read, event.ID{MS: to.MS, Seq: 9})
		must(t, s.RaiseLastID(t.Context(), to)) // the stream is beyond it: nothing to do
		want(t, "last ID after a late RaiseLastID", last(), read)
	})
}

// A stream whose entries are all gone would accept a lower last ID.
func TestRaiseLastIDNeverLowers(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		s := shard(t, client, stream.ShardConfig{})
		publish(t, client, 1, 2, stream.ProducerConfig{})
		before, err := s.State(t.Context())
		must(t, err)
		must(t, s.Trim(t.Context(), before.Last))
		must(t, s.RaiseLastID(t.Context(), event.ID{MS: 5}))
		after, err := s.State(t.Context())
		must(t, err)
		want(t, "last ID", after.Last, before.Last)
	})
}

func TestTrim(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		s := shard(t, client, stream.ShardConfig{})
		must(t, s.Trim(t.Context(), event.ID{MS: 1})) // there is no stream
		publish(t, client, 1, 250, stream.ProducerConfig{})
		attach(t, s, 1, event.ID{})
		entries, release, err := s.Read(t.Context())
		must(t, err)
		defer release()
		want(t, "read", len(entries), 250)
		must(t, s.Trim(t.Context(), entries[149].ID))
		state, err := s.State(t.Context())
		must(t, err)
		want(t, "length", state.Length, 100)
		want(t, "first", state.First, entries[150].ID)
		want(t, "trimmed to", state.TrimmedTo, entries[149].ID)
		want(t, "nothing was deleted one by one", state.MaxDeleted, event.ID{})

		attach(t, s, 1, entries[249].ID)
		must(t, s.Trim(t.Context(), entries[9].ID)) // a late one
		state, err = s.State(t.Context())
		must(t, err)
		want(t, "trimmed to never goes back", state.TrimmedTo, entries[149].ID)
	})
}

func TestWorkersShare(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		alive := func(owner string, ttl time.Duration) int {
			t.Helper()
			n, err := client.Heartbeat(t.Context(), "one", owner, ttl)
			must(t, err)
			return n
		}
		want(t, "one", alive("a", time.Minute), 1)
		want(t, "two", alive("b", 50*time.Millisecond), 2)
		want(t, "the same two", alive("a", time.Minute), 2)
		time.Sleep(60 * time.Millisecond) // this list goes by TIME
		want(t, "b has expired", alive("a", time.Minute), 1)
		want(t, "c", alive("c", time.Minute), 2)
		must(t, client.Leave(t.Context(), "one", "c"))
		want(t, "c has left", alive("a", time.Minute), 1)
	})
}

func TestKindsOfEntries(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		s := shard(t, client, stream.ShardConfig{})
		attach(t, s, 1, event.ID{})
		p := client.Producer(t.Context(), flights(1), stream.ProducerConfig{Batch: 3})
		for _, event := range []string{"1", "2", "3", "4", "{\n}", "5", "", "6\r", "7"} {
			must(t, p.Add(t.Context(), 0, []byte(event)))
		}
		must(t, p.Close(t.Context()))
		want(t, "acknowledged", p.Acked(), 9)
		type entry struct {
			kind    event.Kind
			payload string
		}
		expected := []entry{
			{event.Lines, "1\n2\n3\n"},
			{event.Lines, "4\n"},
			{event.Single, "{\n}"}, // would be two lines
			{event.Lines, "5\n"},
			{event.Single, ""},
			{event.Single, "6\r"},
			{event.Lines, "7\n"},
		}
		entries, release, err := s.Read(t.Context())
		must(t, err)
		defer release()
		want(t, "entries", len(entries), len(expected))
		for i, e := range entries {
			want(t, "entry", entry{e.Kind, string(e.Payload)}, expected[i])
		}
	})
}

func TestCheckAcceptsServer(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		must(t, client.Check(t.Context()))
		info, err := client.Info(t.Context())
		must(t, err)
		want(t, "embedded", info.Embedded, strings.Contains(t.Name(), "/embedded"))
		want(t, "has a run id", info.RunID != "", true)
		want(t, "the clock is ours", info.ClockSkew.Abs() < time.Second, true)
	})
}
