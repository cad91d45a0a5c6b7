package stream_test

import (
	"testing"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/stream"
)

// The newest entries come newest first, over several pages, and no cursor moves.
func TestNewest(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		var got []string
		look := func(limit int) {
			t.Helper()
			got = nil
			must(t, client.Newest(t.Context(), flights(1), 0, limit, func(e event.Entry) { got = append(got, string(e.Payload)) }))
		}
		look(10)
		want(t, "of no stream", len(got), 0)
		_, there, err := client.Entry(t.Context(), flights(1), 0, event.ID{MS: 1})
		must(t, err)
		want(t, "an entry of no stream", there, false)
		publish(t, client, 1, 2500, stream.ProducerConfig{})
		for _, limit := range []int{1, 999, 1000, 1001, 2500, 9999} {
			look(limit)
			want(t, "entries", len(got), min(limit, 2500))
			want(t, "newest", got[0], "2500")
			if limit >= 2500 {
				want(t, "oldest", got[2499], "1")
			}
		}
	})
}
