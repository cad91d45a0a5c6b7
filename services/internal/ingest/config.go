package ingest

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Publisher adds entries to streams. Its methods are safe for concurrent use.
type Publisher interface {
	// Append makes the additions and sets what was added. It returns when the server has them all;
	// after an error some may be made. The errors that say more are [event.ErrFull] and
	// [event.ErrOtherRequest].
	Append(k *contract.Contract, additions []event.Addition) error

	// Server returns what names the server until it restarts or another takes its place.
	Server(ctx context.Context) (string, error)

	// Await returns the position up to which the shard is stored, once it is the entry's or above. It
	// fails with ctx, and if the server is another than that of before the entry was added, which may be lost.
	Await(ctx context.Context, server string, k *contract.Contract, shard int, id event.ID) (event.ID, error)
}

// Observer is told what is taken and refused.
type Observer interface {
	// Posted is called after each answer to a POST to a dataset, with the slug of its problem, ""
	// without one.
	Posted(dataset string, status int, problem string)
	// Accepted is called for each request whose events were published, and of these the invalid ones, which become
	// rejects. took is the time from the request until the streams had them.
	Accepted(dataset string, events, invalid int, bytes int64, took time.Duration)
}

// Config configures a Server.
type Config struct {
	// Contracts are those of the datasets that take events.
	Contracts []*contract.Contract
	Publisher Publisher
	Observer  Observer
	Logger    *slog.Logger

	// MaxBody is the most bytes of a body as it is sent, MaxDecoded without its compression.
	//
	// Default: 16 MiB and 128 MiB.
	MaxBody, MaxDecoded int64
	// MaxEvents is the most events of a request, blank lines included.
	//
	// Default: 1,000,000.
	MaxEvents int
	// MaxLine is the most bytes of an event, at most contract.MaxEvent.
	//
	// Default: contract.MaxEvent, 1 MiB.
	MaxLine int
	// Rate is the most requests a second, Bytes the most bytes (without compression), of one client:
	// a key, or without keys an address.
	//
	// Default: no limit.
	Rate  int
	Bytes int64
	// MaxInFlight is how many requests are read, checked and published at once; one client has half of
	// it. MaxWaiting is how many more wait until their events are stored.
	//
	// Default: 256 and 10,000.
	MaxInFlight, MaxWaiting int
	// BodyTimeout is the time for a whole body, StoredTimeout how long a request waits until its
	// events are stored.
	//
	// Default: 30 s and 30 s.
	BodyTimeout, StoredTimeout time.Duration
	// SpoolBytes is the disk space in the temporary directory for the events of large requests (above a
	// megabyte); one client has half of it.
	//
	// Default: 4 GiB.
	SpoolBytes int64
}

func (cfg *Config) setDefaults() error {
	if cfg.Publisher == nil || cfg.Observer == nil || cfg.Logger == nil {
		return errors.New("make ingest server: Config.Publisher, Config.Observer and Config.Logger are required")
	}
	cfg.MaxBody = cmp.Or(cfg.MaxBody, 16<<20)
	cfg.MaxDecoded = cmp.Or(cfg.MaxDecoded, 128<<20)
	cfg.MaxEvents = cmp.Or(cfg.MaxEvents, 1_000_000)
	cfg.MaxLine = min(cmp.Or(cfg.MaxLine, contract.MaxEvent), contract.MaxEvent)
	cfg.MaxInFlight = cmp.Or(cfg.MaxInFlight, 256)
	cfg.MaxWaiting = cmp.Or(cfg.MaxWaiting, 10_000)
	cfg.BodyTimeout = cmp.Or(cfg.BodyTimeout, 30*time.Second)
	cfg.StoredTimeout = cmp.Or(cfg.StoredTimeout, 30*time.Second)
	cfg.SpoolBytes = cmp.Or(cfg.SpoolBytes, 4<<30)
	return nil
}
