package contract_test

import (
	"fmt"
	"testing"

	"github.com/estela-dev/estela/services/internal/event"
)

// Only what is sampled is followed, a few entries of a batch at most, and nothing of what a
// producer may send instead.
func TestTracesOfABatch(t *testing.T) {
	t.Parallel()
	c := parse(t, movementSchema)
	d, b := c.NewDecoder(), c.NewBatch(0, 1)
	for i, test := range []struct {
		parent string
		kept   int
	}{
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 1},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", 1},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", 0},
		{"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 0},
		{"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", 0},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", 0},
		{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n", 0},
		{"\xff\x00", 0},
		{"", 0},
	} {
		b.Reset()
		id := event.ID{MS: uint64(i + 1)}
		d.DecodeEntry(b, event.Entry{ID: id, Payload: movement(i), Trace: []byte(test.parent)})
		if len(b.Traces) != test.kept || b.Rows != 1 || test.kept == 1 && b.Traces[0] != (event.Traced{ID: id, Parent: test.parent}) {
			t.Errorf("%q: kept %+v, %d rows", test.parent, b.Traces, b.Rows)
		}
	}
	for i := range 100 {
		d.DecodeEntry(b, event.Entry{ID: event.ID{MS: uint64(i)}, Payload: movement(i), Trace: fmt.Appendf(nil, "00-%032x-b7ad6b7169203331-01", i+1)})
	}
	if len(b.Traces) != 16 || b.Traces[1].Trace() != fmt.Sprintf("%032x", 2) {
		t.Errorf("%d kept of 100: %+v", len(b.Traces), b.Traces)
	}
}
