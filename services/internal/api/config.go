package api

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/memory"
	"github.com/estela-dev/estela/services/internal/result"
)

// Reader is the warehouse, as far as the API needs it.
type Reader interface {
	endpoint.Reader

	// Revision is the state that a Stream begun now would show.
	Revision(ctx context.Context) (result.Snapshot, error)
}

// Config is what a Server needs.
type Config struct {
	Datasets []endpoint.Dataset
	Reader   Reader
	Logger   *slog.Logger
	// Observe is called with each answer: the endpoint as DATASET/NAME ("index" for
	// GET /v1, "openapi" and "docs" for the documentation, "livez" for probes, "other"
	// for a path that is none), its status and its time.
	//
	// Default: a function that does nothing.
	Observe func(endpoint string, status int, seconds float64)
	// QueryTimeout is how long a request may take in the warehouse, waiting
	// included, where the endpoint's header doesn't say.
	//
	// Default: 10 s.
	QueryTimeout time.Duration
	// MaxRows is the highest number of rows in one answer, where the endpoint's
	// header doesn't say.
	//
	// Default: 10,000.
	MaxRows int
	// PageRows is the number of rows in a page when the client doesn't say.
	//
	// Default: 100.
	PageRows int
	// MaxBytes is the size of the largest answer, before compression.
	//
	// Default: 4 GiB.
	MaxBytes int64
	// CacheBytes is the memory for cached answers.
	//
	// Default: 64 MiB.
	CacheBytes uint64
	// SpoolBytes bounds what the large answers (above a megabyte) that are made or read
	// take in the temporary directory; one client's take at most half of it. What comes
	// on top is refused with 503.
	//
	// Default: 4 GiB.
	SpoolBytes int64
	// SpoolReserve is how many bytes of that file system answers leave free, so that a
	// full one stops no ingestion; else they are refused with 507.
	//
	// Default: a tenth of it, 1 GiB at the most.
	SpoolReserve int64
	// ReadPace is the least number of bytes a second at which such an answer must be
	// read, on average from its beginning, once ReadGrace is over; a slower reader is
	// cut off.
	//
	// Default: 64 KiB and 30 s.
	ReadPace  int
	ReadGrace time.Duration
	// Running is the number of queries that run at once, Waiting how many more may
	// wait for their turn; what comes on top is refused with 503. Turns go round among
	// the clients (a key, or without keys an address). One has all but one of them at
	// most, and half of the queue.
	//
	// Default: 4 and 64.
	Running, Waiting int
	// Memory ends queries when the process has more than it may, and refuses new ones.
	//
	// Default: nothing does.
	Memory *memory.Watch
	// Keys are the API keys of which a request needs one.
	//
	// Default: anyone may read.
	Keys *Keys
	// LocalOnly answers requests for this machine's own names only (localhost, a
	// loopback address): a page in a browser on it can make another name lead here,
	// and would read what the browser may.
	//
	// Default: any name will do.
	LocalOnly bool
	// Rate is the number of requests a second that one client (a key, or without
	// keys an address) may make.
	//
	// Default: any number.
	Rate int
	// Origins are the web origins whose pages may read answers (CORS).
	//
	// Default: none.
	Origins []string
	// AccessLog is which requests are logged: "all", "errors" (status 400 and
	// above) or "none".
	//
	// Default: none.
	AccessLog string
}

func (cfg *Config) setDefaults() {
	if cfg.Observe == nil {
		cfg.Observe = func(string, int, float64) {}
	}
	cfg.QueryTimeout = cmp.Or(cfg.QueryTimeout, 10*time.Second)
	cfg.MaxRows = cmp.Or(cfg.MaxRows, 10_000)
	cfg.PageRows = cmp.Or(cfg.PageRows, 100)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 4<<30)
	cfg.CacheBytes = cmp.Or(cfg.CacheBytes, 64<<20)
	cfg.SpoolBytes = cmp.Or(cfg.SpoolBytes, 4<<30)
	cfg.ReadPace = cmp.Or(cfg.ReadPace, 64<<10)
	cfg.ReadGrace = cmp.Or(cfg.ReadGrace, 30*time.Second)
	cfg.Running = cmp.Or(cfg.Running, 4)
	cfg.Waiting = cmp.Or(cfg.Waiting, 64)
}
