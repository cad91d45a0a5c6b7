package api

import (
	"bytes"
	"sync"
	"time"
	"unsafe"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// keyBuffers has buffers for cache keys that are only looked up.
var keyBuffers = sync.Pool{New: func() any { return new([]byte) }}

// cacheFastPath serves cached JSON, which most requests ask for, in front of the router, which is
// half of such a request's cost without the network. Everything else is left to the router: every
// refusal too, for which nothing of the request or the answer may have changed.
func (s *Server) cacheFastPath(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	if len(s.cfg.Origins) > 0 || s.cfg.AccessLog == "all" {
		return router
	}
	return func(c *fasthttp.RequestCtx) {
		if !s.serveCached(c) {
			router(c)
		}
	}
}

var (
	formatArgument = []byte("format")
	questionMark   = []byte("?")
)

// serveCached serves a fresh answer from the cache; false if the router has to handle the request.
func (s *Server) serveCached(c *fasthttp.RequestCtx) bool {
	start := c.Time()
	if !c.IsGet() || !s.hostAllowed(c.Request.Header.Host()) || framingProblem(c) != "" {
		return false
	}
	// As it was sent: paths written in another way are left to the router.
	path, query, _ := bytes.Cut(c.Request.Header.RequestURI(), questionMark)
	r := s.catalog.Load().routes[string(path)]
	if r == nil {
		return false
	}
	given, ok := readFastHeaders(&c.Request.Header)
	switch {
	case !ok, bytes.Contains(query, formatArgument):
		return false
	case len(given.accept) > 0 && string(given.accept) != "*/*" && string(given.accept) != jsonFormat.accepts[0]:
		return false
	}
	as, ok := jsonFormat.coding(given.acceptEncoding)
	if !ok {
		return false
	}
	g, err := s.identify(c, bearer, start)
	if err != nil || !g.Opens(r.label, r.reads) { // pins that the endpoint refuses have no cached answer
		return false
	}
	key := keyBuffers.Get().(*[]byte) //nolint:forcetypeassert // the pool's type
	defer keyBuffers.Put(key)
	*key = cacheKey((*key)[:0], r, g.Pins(), jsonFormat, as, query)
	e, current := s.lookupCache(r, unsafe.String(unsafe.SliceData(*key), len(*key)), start)
	if !current {
		return false
	}
	t := s.rateLimiter.take(c, g, start) // the last condition, for the router takes one too
	if !t.ok {
		return false
	}
	if e.nearExpiry(r.Cache, start) {
		s.refreshAhead(c, r, request{key: string(*key), pins: g.Pins(), format: jsonFormat, coding: as}, e)
	}
	h := &c.Response.Header
	e.head.CopyTo(h)
	setRequestID(h, given.requestID)
	h.SetCanonical(headerVary, s.vary)
	t.setHeaders(h)
	e.send(c, start, given.ifNoneMatch, nil)
	took := time.Since(start)
	s.cfg.Observe(r.label, c.Response.StatusCode(), took.Seconds())
	if s.cfg.Account != nil {
		s.cfg.Account(e.answer(g.Subject, r.label, c.Response.StatusCode(), took))
	}
	return true
}

// fastHeaders are the request's headers that the headers of its answer depend on, apart from its credential.
type fastHeaders struct{ accept, acceptEncoding, ifNoneMatch, requestID []byte }

// readFastHeaders reads them in one pass; false if one is given more than once.
func readFastHeaders(h *fasthttp.RequestHeader) (f fastHeaders, ok bool) {
	for name, value := range h.All() {
		var to *[]byte
		switch string(name) {
		case fiber.HeaderAccept:
			to = &f.accept
		case fiber.HeaderAcceptEncoding:
			to = &f.acceptEncoding
		case fiber.HeaderIfNoneMatch:
			to = &f.ifNoneMatch
		case string(headerRequestID):
			to = &f.requestID
		default:
			continue
		}
		if *to != nil {
			return f, false
		}
		if *to = value; value == nil {
			*to = []byte{} // so that a second one is seen
		}
	}
	return f, true
}
