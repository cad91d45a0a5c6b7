package api

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/memory"
	"github.com/estela-dev/estela/services/internal/result"
)

// Reader reads the warehouse.
type Reader interface {
	endpoint.Reader

	// Revision returns the snapshot that a Stream begun now would show.
	Revision(ctx context.Context) (result.Snapshot, error)
	// Parquet begins a Parquet file with these columns and metadata, which is written to w.
	Parquet(w io.Writer, columns []result.Field, metadata map[string]string) (result.Sink, error)
}

// Config configures a Server.
type Config struct {
	Datasets []endpoint.Dataset
	Reader   Reader
	Logger   *slog.Logger
	// Observe is called after each answer with the endpoint as DATASET/NAME ("index" for
	// GET /v1, "openapi" for the document, "page" for pages, "livez" for probes, "mcp" for POSTs
	// of agents that asked no endpoint, "other" for unknown paths), the status and the duration.
	//
	// Default: a function that does nothing.
	Observe func(endpoint string, status int, seconds float64)
	// Account is called once for each answer, also for a POST of events.
	//
	// Default: none.
	Account func(Answer)
	// QueryTimeout is how long a request may wait and its query run, unless the endpoint's
	// header sets a limit.
	//
	// Default: 10 s.
	QueryTimeout time.Duration
	// MaxRows is the highest number of rows in one answer, unless the endpoint's header sets
	// a limit.
	//
	// Default: 10,000.
	MaxRows int
	// PageRows is the number of rows in a page without ?limit=.
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
	// SpoolBytes is the space for large answers (above a megabyte) in the temporary directory,
	// from their first byte until they are read; one client has at most half of it. More are
	// refused with 503.
	//
	// Default: 4 GiB.
	SpoolBytes int64
	// SpoolReserve is how many bytes of that file system stay free, so that answers can't stop
	// ingestion; an answer that needs more is refused with 507.
	//
	// Default: a tenth of it, 1 GiB at the most.
	SpoolReserve int64
	// MinReadRate is the lowest average rate, in bytes a second, at which such an answer must
	// be read once ReadGrace is over; a slower client is disconnected.
	//
	// Default: 64 KiB and 30 s.
	MinReadRate int
	ReadGrace   time.Duration
	// MaxRunning is the number of queries that run at once, MaxWaiting how many more may wait
	// for a turn; more are refused with 503. Turns are granted round-robin among the clients
	// (a key, the subject of a token, or without keys an address). One has at most all but one of them, and half of
	// the queue.
	//
	// Default: 4 and 64.
	MaxRunning, MaxWaiting int
	// Memory cancels and refuses queries when the process is short of memory.
	//
	// Default: none.
	Memory *memory.Watch
	// Access are the API keys and tokens; a request needs one of them.
	//
	// Default: anyone may read.
	Access *access.Authenticator
	// LocalOnly rejects requests whose Host is not localhost or a loopback address, against DNS
	// rebinding: a page in a local browser could point its own name here and read the answers.
	//
	// Default: any Host.
	LocalOnly bool
	// Rate is the number of requests a second that one client may make.
	//
	// Default: no limit.
	Rate int
	// Origins are the web origins whose pages may read answers (CORS).
	//
	// Default: none.
	Origins []string
	// Ingest takes events by POST /v1/DATASET/events, from whoever has a key with the right to write
	// or, without Access, from anyone.
	//
	// Default: none; there is no POST.
	Ingest Ingest
	// Pages serves what people look at, below / and /docs.
	//
	// Default: none.
	Pages Pages
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
	cfg.MinReadRate = cmp.Or(cfg.MinReadRate, 64<<10)
	cfg.ReadGrace = cmp.Or(cfg.ReadGrace, 30*time.Second)
	cfg.MaxRunning = cmp.Or(cfg.MaxRunning, 4)
	cfg.MaxWaiting = cmp.Or(cfg.MaxWaiting, 64)
}
