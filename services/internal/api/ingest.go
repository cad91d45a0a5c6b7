package api

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/endpoint"
	rfc9457 "github.com/estela-dev/estela/services/internal/problem"
)

// Ingest takes events by POST /v1/DATASET/events.
type Ingest interface {
	// Takes reports whether the dataset takes events.
	Takes(dataset string) bool
	// Post reads the request's body and answers it. The client has the right to write to the
	// dataset; rate is its own number of requests a second, 0 for the server's. watch calls left when
	// the client has closed the connection, or its half of it, until stop is called. It returns how many
	// events were published, and the bytes that were received, without their compression.
	Post(c *fiber.Ctx, dataset, client string, rate int, watch func(left func()) (stop func())) (events int, bytes int64, err error)
	// Observe is called after each answer to a POST to a dataset, with the slug of its problem, ""
	// without one.
	Observe(dataset string, status int, problem string)
	// Operation is the OpenAPI operation of the POST to the dataset, without responses that every
	// operation has.
	Operation(dataset string) map[string]any
	// Kinds are the kinds of its problems.
	Kinds() []rfc9457.Kind
}

// The keys of c.Locals for what is observed of a POST: the dataset, and the slug of its problem.
const (
	ingestKey  = "ingest"
	problemKey = "problem"
)

var (
	postPrefix = []byte("/v1/")
	postSuffix = []byte("/events")
)

// takesBody reports whether a request with this header may have a body.
func (s *Server) takesBody(h *fasthttp.RequestHeader) bool {
	path, _, _ := bytes.Cut(h.RequestURI(), questionMark)
	return h.IsPost() && (s.cfg.Ingest != nil && bytes.HasPrefix(path, postPrefix) && bytes.HasSuffix(path, postSuffix) ||
		s.reads && string(path) == mcpPath)
}

// servePost hands the events of a POST to Config.Ingest, if the client may write to the dataset.
func (s *Server) servePost(c *fiber.Ctx) error {
	dataset := strings.Clone(c.Params("dataset"))
	if !s.takesBody(&c.Request().Header) { // a path that is written in another way
		c.Context().SetConnectionClose()
		return badRequest.new("", "Write the path of a POST without percent-encoding: /v1/DATASET/events.")
	}
	takes := s.cfg.Ingest.Takes(dataset)
	if takes {
		c.Locals(ingestKey, dataset)
		c.Locals(labelKey, dataset+"/events")
	}
	if s.cfg.Access != nil {
		c.Vary(fiber.HeaderAuthorization)
	}
	g, err := s.identify(c.Context(), bearer, time.Now())
	if err != nil {
		return err
	}
	c.Locals(grantLocals, g)
	if !g.Writes(dataset) {
		return forbidden.new("", g.String()+" may not write to this. Ask the team whose data this is.")
	}
	if !takes {
		return notFound.new("", "No dataset takes events here: it is unknown, or another application's stream that only its own producers write to. GET /openapi.json lists those that do.")
	}
	watch := func(left func()) (stop func()) { return s.disconnects.watch(c.Context().Conn(), left) }
	d := deliveryOf(c)
	d.Rows, d.Bytes, err = s.cfg.Ingest.Post(c, dataset, clientOf(c.Context(), g), g.Rate, watch)
	return err
}

// observePost observes a POST to a dataset, which is no request of a reader; false for any other request.
func (s *Server) observePost(c *fiber.Ctx) bool {
	dataset, ok := c.Locals(ingestKey).(string)
	if !ok {
		return false
	}
	slug, _ := c.Locals(problemKey).(string)
	s.cfg.Ingest.Observe(dataset, c.Response().StatusCode(), slug)
	return true
}

// postable are the names of the datasets that take events from this credential.
func (cfg *Config) postable(datasets []endpoint.Dataset, g *access.Grant) (names []string) {
	for _, d := range datasets {
		if cfg.Ingest != nil && cfg.Ingest.Takes(d.Name) && g.Writes(d.Name) {
			names = append(names, d.Name)
		}
	}
	return names
}

// postOperations adds the operations of Config.Ingest to the paths of an OpenAPI document.
func (cfg *Config) postOperations(datasets []string, paths object) {
	for _, name := range datasets {
		op := cfg.Ingest.Operation(name)
		if cfg.Access != nil { // tokens don't write
			op["security"] = []object{{"key": []string{}}}
		}
		op["tags"], op["operationId"] = []string{name}, name+"_post_events"
		if responses, ok := op["responses"].(object); ok {
			responses["4XX"], responses["5XX"] = ref("responses/Problem"), ref("responses/Problem")
		}
		path, _ := paths["/v1/"+name+"/events"].(object)
		if path == nil {
			path = object{}
			paths["/v1/"+name+"/events"] = path
		}
		path["post"] = op
	}
}

// problemKinds are the kinds of problems that this server answers with.
func (s *Server) problemKinds() []rfc9457.Kind {
	all := slices.Clone(kinds)
	if s.cfg.Ingest != nil {
		all = append(all, s.cfg.Ingest.Kinds()...)
	}
	slices.SortStableFunc(all, func(a, b rfc9457.Kind) int { return a.Status - b.Status })
	return all
}
