package worker

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

// clock is the Redis server's, as of its last reply. A producer may choose the ID of an entry:
// one of the far future would move the dedupe window there, and every key out of it. So stream
// times are clamped to this clock plus [event.MaxAhead].
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

// limit is what later stream times are clamped to, in milliseconds since 1970.
func (c *clock) limit() uint64 {
	if c == nil {
		return math.MaxUint64
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == 0 {
		return math.MaxUint64
	}
	return c.now + uint64((time.Since(c.at) + event.MaxAhead).Milliseconds())
}

// countAhead counts the entries whose IDs are ahead of the server's clock, and logs the first.
func (p *pipeline) countAhead(entries []event.Entry) {
	limit := p.shard.clock.limit()
	ahead := len(entries) - upTo(entries, event.ID{MS: limit, Seq: math.MaxUint64})
	if ahead == 0 {
		return
	}
	p.shard.observe.Ahead(p.shard.contract.Name, int64(ahead))
	if p.aheadLogged {
		return
	}
	p.aheadLogged = true
	p.shard.log.Error("entry IDs are ahead of the server's clock, clamping their time in the dedupe window",
		slog.Any("id", entries[len(entries)-1].ID), slog.Duration("tolerated", event.MaxAhead),
		slog.String("hint", "look for a producer that gives IDs of its own (XADD with anything but *) or a server whose clock was wrong: "+
			"until the clock comes there, every new entry gets an ID from there on"))
}
