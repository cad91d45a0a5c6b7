package event_test

import (
	"fmt"
	"testing"

	"github.com/estela-dev/estela/services/internal/event"
)

// TestShard pins the protocol: CRC-32 of "123456789" is 0xcbf43926, the check
// value of every catalogue.
func TestShard(t *testing.T) {
	t.Parallel()
	if got := event.Shard("123456789", 1000); got != 0xcbf43926%1000 {
		t.Errorf("shard is %d", got)
	}
	if event.Shard("x", 1) != 0 || event.Shard("x", 0) != 0 {
		t.Error("one shard is not shard 0")
	}
	var counts [16]int
	for i := range 16_000 {
		counts[event.Shard(fmt.Sprintf("20010101T0655-LAX-BNA-%d", i), 16)]++
	}
	for shard, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("shard %d has %d of 16,000 partitions", shard, n)
		}
	}
}
