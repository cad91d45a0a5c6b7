package stream_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

// Of each flush the first entry has the trace, single or packed, and the callback runs once it
// is in the stream; without a trace there is no field.
func TestProducerTraces(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		for _, perEntry := range []int{1, 5} {
			var asked, acked atomic.Int64
			cfg := stream.ProducerConfig{Batch: perEntry, FlushEvents: 100, Linger: time.Hour, Trace: func() (string, func()) {
				n := asked.Add(1)
				if n == 2 {
					return "", nil
				}
				return fmt.Sprint("trace ", n), func() { acked.Add(1) }
			}}
			for range 3 { // flushes, each by a producer's Close
				publish(t, client, 1, 20, cfg)
			}
			s := shard(t, client, stream.ShardConfig{})
			attach(t, s, int64(perEntry), event.ID{})
			var traces []string
			entries := 0
			for entries < 60/perEntry {
				got, release, err := s.Read(t.Context())
				must(t, err)
				for i, e := range got {
					if len(e.Trace) > 0 {
						traces = append(traces, fmt.Sprintf("%d %s", entries+i, e.Trace))
					}
				}
				entries += len(got)
				release()
			}
			want(t, fmt.Sprint(perEntry, " an entry"), fmt.Sprint(traces), fmt.Sprintf("[0 trace 1 %d trace 3]", 40/perEntry))
			want(t, "acknowledged", acked.Load(), 2)
			must(t, s.Trim(t.Context(), event.ID{MS: 1 << 62}))
		}
	})
}
