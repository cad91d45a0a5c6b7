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

// New makes a server, with the values of ctx but not its end. It asks nothing of
// the warehouse yet: Check does.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Reader == nil || cfg.Logger == nil {
		return nil, errors.New("make API server: Config.Reader and Config.Logger are required")
	}
	cfg.setDefaults()
	cfg.Reader = guarded{cfg.Reader, cfg.Memory}
	s := &Server{
		cfg: cfg, queue: queue.New(cfg.Running, cfg.Waiting), rates: newRates(cfg.Rate),
		space: spool.NewSpace(spool.Limits{Bytes: cfg.SpoolBytes, Reserve: cfg.SpoolReserve, Pace: cfg.ReadPace, Grace: cfg.ReadGrace}),
	}
	s.cache = otter.Must(&otter.Options[string, *entry]{
		MaximumWeight: cfg.CacheBytes,
		Weigher:       func(key string, e *entry) uint32 { return uint32(len(key) + len(e.Bytes()) + 512) },
	})
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s.life, s.end = life, end
	s.flights = queue.NewFlights[*entry](life, s.queue, &s.background)
	s.hangups = &hangups{background: &s.background, all: map[*hangup]struct{}{}}
	first, err := newCatalog(&s.cfg, cfg.Datasets)
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
	s.app.Server().Handler = s.quick(plainPath(anyMethod(s.app.Server().Handler))) //nolint:contextcheck // what runs in the background outlives a request
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
