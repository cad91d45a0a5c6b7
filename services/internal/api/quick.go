package api

import (
	"bytes"
	"sync"
	"time"
	"unsafe"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// keyBuffers are for keys that are looked up only.
var keyBuffers = sync.Pool{New: func() any { return new([]byte) }}

// quick answers what most requests ask for, JSON that the cache has, in front of
// the router: half of what such a request costs beside the network is the way
// through it. Whatever needs more than that is left to the router.
func (s *Server) quick(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	if s.cfg.Keys != nil || s.cfg.Rate > 0 || len(s.cfg.Origins) > 0 || s.cfg.AccessLog == "all" {
		return router
	}
	return func(c *fasthttp.RequestCtx) {
		if !s.hit(c) {
			router(c)
		}
	}
}

var (
	formatArgument = []byte("format")
	questionMark   = []byte("?")
)

// hit answers from the cache, if it has a fresh answer.
func (s *Server) hit(c *fasthttp.RequestCtx) bool {
	start := time.Now()
	if !s.named(c.Request.Header.Host()) || misframed(c) != "" {
		return false
	}
	// As it was sent: what is written in another way is found by the router.
	path, query, _ := bytes.Cut(c.Request.Header.RequestURI(), questionMark)
	r := s.catalog.Load().routes[string(path)]
	if r == nil || !c.IsGet() {
		return false
	}
	switch accept := headerOf(c, fiber.HeaderAccept); {
	case bytes.Contains(query, formatArgument):
		return false
	case len(accept) > 0 && string(accept) != "*/*" && string(accept) != jsonFormat.accepts[0]:
		return false
	}
	as, ok := jsonFormat.coding(headerOf(c, fiber.HeaderAcceptEncoding))
	if !ok {
		return false
	}
	key := keyBuffers.Get().(*[]byte) //nolint:forcetypeassert // the pool's
	*key = cacheKey((*key)[:0], r, jsonFormat, as, query)
	e, current := s.cached(r, unsafe.String(unsafe.SliceData(*key), len(*key)), start)
	if current && e.ageing(r.Cache, start) {
		s.refreshAhead(c, r, request{key: string(*key), format: jsonFormat, coding: as}, e)
	}
	keyBuffers.Put(key)
	if !current {
		return false
	}
	identify(c)
	c.Response.Header.SetCanonical(headerVary, varyValue)
	e.send(c, r, start, headerOf(c, fiber.HeaderIfNoneMatch))
	s.cfg.Observe(r.label, c.Response.StatusCode(), time.Since(start).Seconds())
	return true
}
