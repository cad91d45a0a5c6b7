// Package diagnosis checks a pipeline's Redis, streams and warehouse identity, and returns findings with
// their fixes.
package diagnosis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/inventory"
	"github.com/estela-dev/estela/services/internal/stream"
)

// Finding is the result of one check.
type Finding struct {
	Name, Found string
	// Fix says what to do, empty if the check passed.
	Fix string
	// Warning: the pipeline works nevertheless.
	Warning bool
}

// maxSkew is the difference between Redis' clock and this machine's above which freshness is not
// reliable.
const maxSkew = 2 * time.Second

// Server checks the server's configuration and clock.
func Server(ctx context.Context, client *stream.Client, info stream.ServerInfo) []Finding {
	found := []Finding{{Name: "redis", Found: client.String() + ", version " + info.Version}}
	if info.MaxMemory > 0 {
		found = append(found, memory(info))
	}
	if info.Embedded {
		return append(found, Finding{
			Name: "redis persistence", Found: "embedded, in memory", Warning: true,
			Fix: "install redis-server (Debian: apt-get install redis-server)",
		})
	}
	var refused *stream.RefusedError
	if err := client.Check(ctx); errors.As(err, &refused) {
		found = append(found, Finding{Name: "redis set-up", Found: refused.Reason, Fix: refused.Hint})
	} else {
		found = append(found, Finding{Name: "redis set-up", Found: "nothing is evicted"})
	}
	persistence := Finding{Name: "redis persistence", Found: "append-only file"}
	if !info.AOF {
		persistence = Finding{
			Name: "redis persistence", Found: "no append-only file", Warning: true,
			Fix: "redis-cli CONFIG SET appendonly yes, or what was acknowledged is lost when the server restarts",
		}
	}
	clock := Finding{Name: "clock", Found: fmt.Sprintf("Redis' is %s from this machine's", info.ClockSkew.Round(time.Millisecond))}
	if info.ClockSkew.Abs() > maxSkew {
		clock.Warning, clock.Fix = true, "run NTP on both machines: freshness is measured from Redis' clock"
	}
	return append(found, persistence, clock)
}

// memory says how much of the server's memory is used, of which a full one makes producers wait.
func memory(info stream.ServerInfo) Finding {
	const nearlyFull = 90 // percent: a worker trims above half
	percent := info.UsedMemory * 100 / info.MaxMemory
	f := Finding{Name: "redis memory", Found: fmt.Sprintf("%d MiB of %d MiB (maxmemory)", info.UsedMemory>>20, info.MaxMemory>>20)}
	if percent >= nearlyFull {
		f.Warning = true
		f.Fix = "see that a worker runs and keeps up, and that another application's consumer group isn't far behind; or raise it: redis-cli CONFIG SET maxmemory"
		if info.Embedded {
			f.Fix = "wait until the worker has caught up: producers wait too; redis-server takes more than the embedded one"
		}
	}
	return f
}

// Identity checks that the streams are claimed by this warehouse.
func Identity(ctx context.Context, all []*dataset.Dataset, known *inventory.Inventory, client *stream.Client) Finding {
	f := Finding{Name: "warehouse identity", Found: "the streams are not claimed by a warehouse yet"}
	for _, d := range all {
		streams, err := client.Summaries(ctx, d.Contract)
		if err != nil {
			return Finding{Name: f.Name, Found: err.Error(), Fix: "see the server's log"}
		}
		for _, s := range streams {
			if s.Owner.Identity == "" {
				continue
			}
			if s.Owner.Identity != known.Warehouse.Identity {
				other := event.OtherWarehouseError{Dataset: d.Name, Owner: s.Owner, This: known.Warehouse, Redis: client.String()}
				return Finding{Name: f.Name, Found: other.Reason(), Fix: other.Hint()}
			}
			f.Found = known.Warehouse.Identity + ", to which the streams belong"
		}
	}
	return f
}
