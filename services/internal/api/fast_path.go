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
// half of such a request's cost without the network. Everything else is left to the router.
func (s *Server) cacheFastPath(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	if s.cfg.Keys != nil || s.cfg.Rate > 0 || len(s.cfg.Origins) > 0 || s.cfg.AccessLog == "all" {
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
	start := time.Now()
	if !c.IsGet() || !s.hostAllowed(c.Request.Header.Host()) || framingProblem(c) != "" {
		return false
	}
	// As it was sent: paths written in another way are left to the router.
	path, query, _ := bytes.Cut(c.Request.Header.RequestURI(), questionMark)
	r := s.catalog.Load().routes[string(path)]
	if r == nil {
		return false
	}
	switch accept := joinedHeader(c, fiber.HeaderAccept); {
	case bytes.Contains(query, formatArgument):
		return false
	case len(accept) > 0 && string(accept) != "*/*" && string(accept) != jsonFormat.accepts[0]:
		return false
	}
	as, ok := jsonFormat.coding(joinedHeader(c, fiber.HeaderAcceptEncoding))
	if !ok {
		return false
	}
	key := keyBuffers.Get().(*[]byte) //nolint:forcetypeassert // the pool's type
	*key = cacheKey((*key)[:0], r, jsonFormat, as, query)
	e, current := s.lookupCache(r, unsafe.String(unsafe.SliceData(*key), len(*key)), start)
	if current && e.nearExpiry(r.Cache, start) {
		s.refreshAhead(c, r, request{key: string(*key), format: jsonFormat, coding: as}, e)
	}
	keyBuffers.Put(key)
	if !current {
		return false
	}
	setRequestID(c)
	c.Response.Header.SetCanonical(headerVary, varyValue)
	e.send(c, r, start, joinedHeader(c, fiber.HeaderIfNoneMatch))
	s.cfg.Observe(r.label, c.Response.StatusCode(), time.Since(start).Seconds())
	return true
}
