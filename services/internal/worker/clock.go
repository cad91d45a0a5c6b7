package worker

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// clock is the Redis server's, as far as its last answer tells. The ID of an entry is what its
// producer says it is: one of the far future would move the dedupe window there, and every key
// out of it, so entries count as no later than this clock and [contract.MaxAhead].
type clock struct {
	mu  sync.Mutex
	now uint64 // milliseconds since 1970; 0 is unknown
	at  time.Time
}

func (c *clock) set(now uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.at = now, time.Now()
}

// limit is the latest stream time that is believed now, in milliseconds since 1970.
func (c *clock) limit() uint64 {
	if c == nil {
		return math.MaxUint64
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == 0 {
		return math.MaxUint64
	}
	return c.now + uint64((time.Since(c.at) + contract.MaxAhead).Milliseconds())
}

// countAhead counts the entries that are ahead of the server's clock, and says so the first time.
func (p *pipeline) countAhead(entries []contract.Entry) {
	limit := p.clock.limit()
	ahead := len(entries) - upTo(entries, contract.ID{MS: limit, Seq: math.MaxUint64})
	if ahead == 0 {
		return
	}
	p.observe.Ahead(p.contract.Name, int64(ahead))
	if p.toldAhead {
		return
	}
	p.toldAhead = true
	p.log.Error("entries have IDs ahead of the server's clock; the dedupe window goes by the clock",
		slog.Any("id", entries[len(entries)-1].ID), slog.Duration("tolerated", contract.MaxAhead),
		slog.String("hint", "look for a producer that gives IDs of its own (XADD with anything but *) or a server whose clock was wrong: "+
			"until the clock comes there, every new entry gets an ID from there on"))
}
