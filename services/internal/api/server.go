package api

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Reader is the warehouse, as far as the API needs it.
type Reader interface {
	// Read runs a query with named parameters ($name) and calls each once with
	// its rows and the time of the last commit that they show, zero if there was
	// none. The end of ctx interrupts the query.
	Read(ctx context.Context, query string, args map[string]any, each func(asOf time.Time, rows *sql.Rows) error) error
}

// Dataset is a dataset with its endpoints.
type Dataset struct {
	Name        string
	Description string
	Endpoints   []Endpoint
}

// Config is what a Server needs.
type Config struct {
	Datasets []Dataset
	Reader   Reader
	Logger   *slog.Logger
	// Observe is told of each answer: the endpoint as DATASET/NAME ("index" for
	// GET /v1, "openapi" for its twin, "other" for a path that is none), its status and its time.
	//
	// Default: nobody is told.
	Observe func(endpoint string, status int, seconds float64)
	// QueryTimeout is how long a request may take in the warehouse, waiting
	// included.
	//
	// Default: 10 s.
	QueryTimeout time.Duration
	// MaxRows is the highest number of rows in one answer.
	//
	// Default: 10,000.
	MaxRows int
	// PageRows is the number of rows in a page when the client doesn't say.
	//
	// Default: 100.
	PageRows int
}

func (cfg *Config) setDefaults() {
	if cfg.Observe == nil {
		cfg.Observe = func(string, int, float64) {}
	}
	if cfg.QueryTimeout == 0 {
		cfg.QueryTimeout = 10 * time.Second
	}
	if cfg.MaxRows == 0 {
		cfg.MaxRows = 10_000
	}
	if cfg.PageRows == 0 {
		cfg.PageRows = 100
	}
}

// Server answers GET requests for the endpoints of its datasets.
type Server struct {
	cfg    Config
	app    *fiber.App
	routes []*route

	mu       sync.Mutex
	listener net.Listener // nil before Serve
	stopped  bool
}

// route is an endpoint at its path.
type route struct {
	Endpoint
	label, path string
	shape       atomic.Pointer[shape]
}

// New makes a server. It asks nothing of the warehouse yet: Check does.
func New(cfg Config) (*Server, error) {
	if cfg.Reader == nil || cfg.Logger == nil {
		return nil, errors.New("make API server: Config.Reader and Config.Logger are required")
	}
	cfg.setDefaults()
	s := &Server{cfg: cfg}
	s.app = fiber.New(fiber.Config{
		DisableStartupMessage: true,
		CaseSensitive:         true,
		ErrorHandler:          s.fail,
		ReadBufferSize:        16 << 10, // a cursor and long parameters
		BodyLimit:             4 << 10,  // a GET has no body
		ReadTimeout:           10 * time.Second,
		IdleTimeout:           time.Minute,
	})
	s.app.Use(s.observe)
	return s, s.routeAll()
}

// routeAll gives every endpoint its path.
func (s *Server) routeAll() error {
	taken := map[string]string{}
	for _, d := range s.cfg.Datasets {
		for _, e := range d.Endpoints {
			r := &route{Endpoint: e, label: d.Name + "/" + e.Name, path: pathOf(d, e)}
			if other, ok := taken[r.path]; ok {
				return &ParseError{e.File, 0, r.path + " is the path of " + other + " already", "rename one of them"}
			}
			taken[r.path] = e.File
			s.routes = append(s.routes, r)
			s.app.Get(r.path, s.handle(r))
		}
	}
	body, err := index(s.cfg.Datasets)
	if err != nil {
		return err
	}
	s.app.Get("/v1", func(c *fiber.Ctx) error {
		c.Locals(labelKey, "index")
		return send(c, body)
	})
	document, err := s.openAPI()
	if err != nil {
		return err
	}
	s.app.Get("/openapi.json", func(c *fiber.Ctx) error {
		c.Locals(labelKey, "openapi")
		return send(c, document)
	})
	return nil
}

func pathOf(d Dataset, e Endpoint) string { return "/v1/" + d.Name + "/" + e.Name }

// Check asks the warehouse what each endpoint answers with, so that SQL which
// can't run is refused at the start, each error with its file and line.
func (s *Server) Check(ctx context.Context) error {
	var errs []error
	for _, r := range s.routes {
		_, err := s.shape(ctx, r)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Serve answers the listener's connections until Shutdown, and closes it. It
// returns at once if Shutdown came first.
func (s *Server) Serve(listener net.Listener) error {
	once := &closeOnce{Listener: listener}
	s.mu.Lock()
	s.listener = once
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		return once.Close()
	}
	if err := s.app.Listener(once); err != nil {
		return fmt.Errorf("serve API on %s: %w", listener.Addr(), err)
	}
	return nil
}

// Shutdown stops listening and waits for the requests under way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	listener := s.listener
	s.mu.Unlock()
	if listener == nil {
		return nil
	}
	// Fiber closes the listener only if Serve has got as far as accepting.
	if err := errors.Join(s.app.ShutdownWithContext(ctx), listener.Close()); err != nil {
		return fmt.Errorf("stop API: %w", err)
	}
	return nil
}

// closeOnce is a listener that may be closed again.
type closeOnce struct {
	net.Listener

	once sync.Once
	err  error
}

func (l *closeOnce) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}

// labelKey is where a handler leaves the endpoint's label for observe.
const labelKey = "endpoint"

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// observe gives each request an ID, turns its error or panic into a problem
// document, and reports status and time.
func (s *Server) observe(c *fiber.Ctx) error {
	start := time.Now()
	id := c.Get(fiber.HeaderXRequestID)
	if !requestID.MatchString(id) {
		id = rand.Text()
	}
	c.Set(fiber.HeaderXRequestID, id)
	err := s.next(c)
	if err != nil {
		err = s.fail(c, err)
	}
	label, ok := c.Locals(labelKey).(string)
	if !ok {
		label = "other"
	}
	s.cfg.Observe(label, c.Response().StatusCode(), time.Since(start).Seconds())
	return err
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

// handle answers one endpoint.
func (s *Server) handle(r *route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Locals(labelKey, r.label)
		q, err := s.request(c, r)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.UserContext(), s.cfg.QueryTimeout)
		defer cancel()
		a, err := s.answer(ctx, r, q)
		if err != nil {
			return failed(ctx, err)
		}
		if !a.asOf.IsZero() {
			c.Set("Data-As-Of", a.asOf.UTC().Format(instant))
		}
		return send(c, a.body)
	}
}

func send(c *fiber.Ctx, body []byte) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	c.Status(http.StatusOK).Response().SetBodyRaw(body)
	return nil
}
