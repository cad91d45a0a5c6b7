package api

import (
	"context"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/maypok86/otter/v2"

	"github.com/estela-dev/estela/services/internal/queue"
	"github.com/estela-dev/estela/services/internal/spool"
)

// New returns a server. It keeps the values of ctx, not its cancellation. It does not query the
// warehouse: Check does.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Reader == nil && cfg.Ingest == nil || cfg.Logger == nil {
		return nil, errors.New("make API server: Config.Logger, and Config.Reader or Config.Ingest, are required")
	}
	cfg.setDefaults()
	reads := cfg.Reader != nil
	cfg.Reader = memoryLimitedReader{cfg.Reader, cfg.Memory}
	s := &Server{
		cfg: cfg, reads: reads, queue: queue.New(cfg.MaxRunning, cfg.MaxWaiting), rateLimiter: newRateLimiter(cfg.Rate),
		space: spool.NewSpace(spool.Limits{Bytes: cfg.SpoolBytes, Reserve: cfg.SpoolReserve, MinRate: cfg.MinReadRate, Grace: cfg.ReadGrace}),
	}
	s.vary = varyValue
	if cfg.Access != nil {
		s.vary = varyWithKeys
	}
	s.cache = otter.Must(&otter.Options[string, *entry]{
		MaximumWeight: cfg.CacheBytes,
		Weigher:       func(key string, e *entry) uint32 { return uint32(len(key) + len(e.Bytes()) + entrySize) },
	})
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s.background, s.cancelBackground = life, end
	s.flights = queue.NewFlights[*entry](life, s.queue, &s.tasks)
	s.disconnects = &disconnects{background: &s.tasks, watched: map[*watchedConn]struct{}{}}
	first, err := newCatalog(&s.cfg, cfg.Datasets)
	if err != nil {
		return nil, err
	}
	s.catalog.Store(first)
	app := fiber.Config{
		DisableStartupMessage: true,
		CaseSensitive:         true,
		ErrorHandler:          s.writeProblem,
		ReadBufferSize:        16 << 10, // a cursor and long parameters
		WriteBufferSize:       16 << 10, // most answers in one write
		ReadTimeout:           readTimeout,
		IdleTimeout:           idleTimeout,
		// Bodies are read by their handlers, not before, so that their limits and time-outs count.
		StreamRequestBody: true, DisablePreParseMultipartForm: true,
		BodyLimit: 1, // what is read before
	}
	s.app = fiber.New(app)
	s.app.Server().Handler = s.cacheFastPath(normalizePath(mapUnknownMethod(s.app.Server().Handler))) //nolint:contextcheck // background tasks outlive a request
	s.app.Server().ContinueHandler = s.takesBody
	s.app.Server().SecureErrorLogMessage = true // else its errors quote the request, with the key
	s.app.Use(s.observe, s.checkFraming, s.checkHost, checkPath)
	if len(cfg.Origins) > 0 {
		if reads {
			s.allowOrigins(mcpPath, "POST", "Authorization,Content-Type,Mcp-Method,Mcp-Name,Mcp-Protocol-Version,X-Request-ID")
		}
		s.allowOrigins("/", "GET,HEAD", "Authorization,If-None-Match,X-Request-ID")
	}
	s.app.Get("/livez", serveLiveness)
	s.app.Get("/v1/:dataset/:endpoint", s.serveEndpoint)
	if cfg.Ingest != nil {
		s.app.Post("/v1/:dataset/events", s.servePost)
	}
	if reads {
		s.app.All(mcpPath, s.serveMCP)
	}
	s.app.Get("/v1", s.serveDocument("index", func(k *catalog) []byte { return k.index }, s.authorizeAny))
	s.app.Get("/openapi.json", s.serveDocument("openapi", func(k *catalog) []byte { return k.openAPI }, s.authorizeDocs))
	s.app.Get(adhocPath, s.serveAdhoc)
	s.servePages()
	return s, nil
}

// allowOrigins lets pages of Config.Origins send requests with these methods and headers, and read
// the answers (CORS). The first prefix of a path counts.
func (s *Server) allowOrigins(prefix, methods, headers string) {
	s.app.Use(prefix, cors.New(cors.Config{
		AllowOrigins: strings.Join(s.cfg.Origins, ","), AllowMethods: methods, AllowHeaders: headers,
		ExposeHeaders: "Data-As-Of,ETag,Link,RateLimit,RateLimit-Policy,Retry-After,X-Request-ID",
		MaxAge:        600,
	}))
}
