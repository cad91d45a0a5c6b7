package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// halfKeys is a sink that fails half-way through the keys.
type halfKeys struct {
	Sink

	position event.Position
}

var errHalf = errors.New("interrupted")

func (s *halfKeys) Position(context.Context, *contract.Contract, int) (event.Position, bool, error) {
	return s.position, true, nil
}

func (s *halfKeys) Keys(_ context.Context, _ *contract.Contract, _ int, _ uint64, each func(hash, ms, clamped uint64)) error {
	each(1, 1, 1)
	return errHalf
}

// TestCatchUpIsWholeOrNothing interrupts the reading of the keys that another
// process has added to: neither position nor keys may change, or the next commit
// would pass with keys missing.
func TestCatchUpIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	sink := &halfKeys{position: event.Position{Epoch: 1, Rev: 8}}
	c := newCommitter(sink, &contract.Contract{Dedupe: time.Hour}, event.Position{Epoch: 1, Rev: 7})
	c.keys = newKeySet(3_600_000)
	c.keys.add(2, 5)
	if err := c.catchUp(t.Context()); !errors.Is(err, errHalf) {
		t.Fatalf("got error %v", err)
	}
	if _, _, ok := c.keys.seen(2, 6); !ok || c.pos.Rev != 7 {
		t.Errorf("rev %d, key kept: %v; want 7 and true", c.pos.Rev, ok)
	}
}
