package worker

import (
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// TestRereadLeavesOutWhatHasExpired: a foreign stream may keep entries whose rows were deleted by their
// retention, and they are not stored again.
func TestRereadLeavesOutWhatHasExpired(t *testing.T) {
	t.Parallel()
	const now, hour = 1_800_000_000_000, 3_600_000
	at := func(ms uint64) event.ID { return event.ID{MS: ms} }
	foreign := &contract.Stream{Key: "orders"}
	for _, c := range []struct {
		name      string
		stream    *contract.Stream
		retention time.Duration
		last      event.ID
		want      event.ID
	}{
		{"own stream", nil, time.Hour, at(now), event.ID{}},
		{"no retention", foreign, 0, at(now), event.ID{}},
		{"retention", foreign, time.Hour, at(now), at(now - hour)},
		{"a backlog, stored up to long ago", foreign, time.Hour, at(now - 5*hour), at(now - 5*hour)},
		{"IDs that are no times", foreign, time.Hour, at(5), event.ID{}},
		{"longer than there are clocks", foreign, 1 << 62, at(now), event.ID{}},
	} {
		s := &shard{contract: &contract.Contract{Stream: c.stream, Retention: c.retention}}
		if got := s.beforeOldest(event.Position{Last: c.last}, event.StreamState{Now: now}); got != c.want {
			t.Errorf("%s: rereads after %s, want %s", c.name, got, c.want)
		}
	}
}
