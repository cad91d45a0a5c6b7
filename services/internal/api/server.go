package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/maypok86/otter/v2"
	"github.com/valyala/fasthttp"

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
	// Observe is told of each answer: the endpoint as DATASET/NAME ("index" for
	// GET /v1, "openapi" and "docs" for the documentation, "livez" for probes, "other"
	// for a path that is none), its status and its time.
	//
	// Default: nobody is told.
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
	// CacheBytes is the memory for answers that are kept.
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
	// the clients (a key, or without keys an address). One holds all but one of them at
	// most, and half of the places to wait.
	//
	// Default: 4 and 64.
	Running, Waiting int
	// Memory ends queries when the process has more than it may, and refuses new ones.
	//
	// Default: nothing does.
	Memory *memory.Watch
	// Keys are the API keys of which a request must bear one.
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
	// AccessLog says which requests are logged: "all", "errors" (status 400 and
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

// Server answers GET requests for the endpoints of its datasets.
type Server struct {
	cfg     Config
	app     *fiber.App
	catalog atomic.Pointer[catalog]
	cache   *otter.Cache[string, *entry]
	flights *flights
	hangups *hangups
	room    *space
	rates   *rates

	// life ends with Shutdown, which waits for what is done behind the requests.
	life   context.Context //nolint:containedctx // the server's, not a request's
	end    context.CancelFunc
	behind sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil before Serve
	stopped  bool
}

// New makes a server, with the values of ctx but not its end. It asks nothing of
// the warehouse yet: Check does.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Reader == nil || cfg.Logger == nil {
		return nil, errors.New("make API server: Config.Reader and Config.Logger are required")
	}
	cfg.setDefaults()
	cfg.Reader = guarded{cfg.Reader, cfg.Memory}
	s := &Server{cfg: cfg, room: newSpace(&cfg), rates: newRates(cfg.Rate)}
	s.cache = otter.Must(&otter.Options[string, *entry]{
		MaximumWeight: cfg.CacheBytes,
		Weigher:       func(key string, e *entry) uint32 { return uint32(len(key) + len(e.body) + 512) },
	})
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.flights = &flights{queue: newQueue(cfg.Running, cfg.Waiting), life: s.life, behind: &s.behind, all: map[string]*flight{}}
	s.hangups = &hangups{behind: &s.behind, all: map[*hangup]struct{}{}}
	first, err := s.newCatalog(cfg.Datasets)
	if err != nil {
		return nil, err
	}
	s.catalog.Store(first)
	s.app = fiber.New(fiber.Config{
		DisableStartupMessage: true,
		CaseSensitive:         true,
		ErrorHandler:          s.fail,
		ReadBufferSize:        16 << 10, // a cursor and long parameters
		WriteBufferSize:       16 << 10, // most answers in one write
		BodyLimit:             4 << 10,  // a GET has no body
		ReadTimeout:           readTimeout,
		IdleTimeout:           idleTimeout,
	})
	s.app.Server().Handler = s.quick(plainPath(anyMethod(s.app.Server().Handler))) //nolint:contextcheck // what is done behind a request outlives it
	s.app.Server().ContinueHandler = refuseBody
	s.app.Server().SecureErrorLogMessage = true // else its errors repeat the request, a key and all
	s.app.Use(s.observe, s.admitFraming, s.admitName, admitPath)
	if len(cfg.Origins) > 0 {
		s.app.Use(cors.New(cors.Config{
			AllowOrigins: strings.Join(cfg.Origins, ","), AllowMethods: "GET,HEAD",
			AllowHeaders:  "Authorization,If-None-Match,X-Request-ID",
			ExposeHeaders: "Data-As-Of,ETag,Link,RateLimit,RateLimit-Policy,Retry-After,X-Request-ID",
			MaxAge:        600,
		}))
	}
	s.app.Get("/livez", alive)
	s.app.Get("/v1/:dataset/:endpoint", s.endpoint)
	s.app.Get("/v1", s.document("index", func(k *catalog) []byte { return k.index }, s.admitAny))
	s.app.Get("/openapi.json", s.document("openapi", func(k *catalog) []byte { return k.openAPI }, s.admitReader))
	s.serveDocs()
	return s, nil
}

// Check asks the warehouse what each endpoint answers with, so that SQL which
// can't run is refused at the start, each error with its file and line.
func (s *Server) Check(ctx context.Context) error { return s.Load(ctx, s.cfg.Datasets) }

// Load puts the given datasets in the place of those that were served, if all of
// their endpoints can run; else nothing changes.
func (s *Server) Load(ctx context.Context, datasets []endpoint.Dataset) error {
	next, err := s.newCatalog(datasets)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range next.ordered {
		_, err := r.describe(ctx)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if next.openAPI, err = s.openAPI(next); err != nil { // again, for it knows the columns now
		return err
	}
	s.catalog.Store(next)
	return nil
}

// Serve answers the listener's connections until Shutdown, and closes it. It
// returns at once if Shutdown came first.
func (s *Server) Serve(l net.Listener) error {
	once := &listener{Listener: l, stall: stallTimeout}
	s.mu.Lock()
	s.listener = once
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		return once.Close()
	}
	if err := s.app.Listener(once); err != nil {
		return fmt.Errorf("serve API on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown stops listening and waits for the requests under way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	listener := s.listener
	s.mu.Unlock()
	defer s.behind.Wait()
	defer s.end()
	if listener == nil {
		return nil
	}
	// Fiber closes the listener only if Serve has got as far as accepting.
	if err := errors.Join(s.app.ShutdownWithContext(ctx), listener.Close()); err != nil {
		return fmt.Errorf("stop API: %w", err)
	}
	return nil
}

// labelKey is where a handler leaves the endpoint's label for observe.
const labelKey = "endpoint"

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// The headers that every answer has.
var (
	headerRequestID = []byte("X-Request-Id") // as fasthttp would write it
	headerNoSniff   = []byte(fiber.HeaderXContentTypeOptions)
	noSniff         = []byte("nosniff")
	headerPolicy    = []byte(fiber.HeaderContentSecurityPolicy)
	policy          = []byte("frame-ancestors 'none'")
)

// identify gives the request an ID: the client's, if it has a fit one.
func identify(c *fasthttp.RequestCtx) {
	h := &c.Response.Header
	id := c.Request.Header.PeekBytes(headerRequestID)
	if len(id) == 0 || !requestID.Match(id) {
		var b [16]byte
		//nolint:gosec // it tells requests apart and keeps no secret
		id = strconv.AppendUint(b[:0], rand.Uint64()|1<<63, 16)
	}
	h.SetCanonical(headerRequestID, id)
}

// protect tells browsers to take the answer for no more than it is.
func protect(c *fasthttp.RequestCtx) {
	c.Response.Header.SetCanonical(headerNoSniff, noSniff)
	c.Response.Header.SetCanonical(headerPolicy, policy)
}

// observe gives each request an ID, turns its error or panic into a problem
// document, and reports status and time.
func (s *Server) observe(c *fiber.Ctx) error {
	start := time.Now()
	identify(c.Context())
	protect(c.Context())
	err := s.next(c)
	if err != nil {
		err = s.fail(c, err)
	}
	label, ok := c.Locals(labelKey).(string)
	if !ok {
		label = "other"
	}
	status := c.Response().StatusCode()
	seconds := time.Since(start).Seconds()
	s.cfg.Observe(label, status, seconds)
	if s.cfg.AccessLog == "all" || s.cfg.AccessLog == "errors" && status >= http.StatusBadRequest {
		s.logAccess(c, label, status, seconds)
	}
	return err
}

// traceparent is the W3C header of a request that is part of a trace.
var traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)

// logAccess logs a request: neither its parameters nor its key, which may be secrets.
func (s *Server) logAccess(c *fiber.Ctx, label string, status int, seconds float64) {
	attrs := []slog.Attr{
		slog.String("request_id", c.GetRespHeader(fiber.HeaderXRequestID)), slog.String("method", c.Method()),
		slog.String("endpoint", label), slog.Int("status", status), slog.Float64("seconds", seconds),
	}
	if parts := traceparent.FindStringSubmatch(c.Get("Traceparent")); parts != nil {
		attrs = append(attrs, slog.String("trace", parts[1]))
	}
	if key := keyOf(c); key != nil {
		attrs = append(attrs, slog.String("key", key.Name))
	}
	s.cfg.Logger.LogAttrs(c.UserContext(), slog.LevelInfo, "request", attrs...)
}

// next runs the handlers; a panic becomes an error.
func (s *Server) next(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return c.Next()
}

// alive answers probes, which have no key: it tells nothing but that somebody answers.
func alive(c *fiber.Ctx) error {
	c.Locals(labelKey, "livez")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return fixed(fiber.MIMETextPlainCharsetUTF8, []byte("ok\n"))(c)
}

// document serves a part of the catalog that changes with its endpoints only: to a key,
// what it opens.
func (s *Server) document(label string, part func(*catalog) []byte, admit fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Locals(labelKey, label)
		if err := admit(c); err != nil {
			return err
		}
		seen, err := s.view(s.catalog.Load(), keyOf(c))
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderCacheControl, "no-cache")
		if s.cfg.Keys != nil {
			c.Set(fiber.HeaderCacheControl, "private, no-cache")
		}
		return kept(jsonFormat.mediaType, part(seen))(c)
	}
}
