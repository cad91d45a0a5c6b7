package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/encode"
)

// keyLocal is where the key is left for the log and the documents.
const keyLocal = "key"

// endpoint answers a request for an endpoint: from the cache if it may, else by
// its query, one for all who ask the same at the time.
func (s *Server) endpoint(c *fiber.Ctx) error {
	k := s.catalog.Load()
	r, ok := k.routes[strings.TrimSuffix(c.Path(), "/")]
	if !ok {
		return s.missing(c, k)
	}
	c.Locals(labelKey, r.label)
	c.Append(fiber.HeaderVary, string(varyValue))
	if err := s.admit(c, r.reads...); err != nil {
		return err
	}
	f, err := r.format(c)
	if err != nil {
		return err
	}
	q := request{format: f}
	if q.coding, ok = f.coding(headerOf(c.Context(), fiber.HeaderAcceptEncoding)); !ok {
		return notAcceptable.new("", "Accept-Encoding takes neither zstd nor gzip nor identity, a plain answer. Take one of them.")
	}
	q.key = string(cacheKey(nil, r, q.format, q.coding, c.Request().URI().QueryString()))
	ifNoneMatch := headerOf(c.Context(), fiber.HeaderIfNoneMatch)
	e, _ := s.cache.GetIfPresent(q.key)
	if now := time.Now(); e == nil || !e.current(r.Cache, now, s.flights.queue) {
		if e, err = s.answer(c, r, q, e, ifNoneMatch); err != nil {
			return err
		}
	} else if e.ageing(r.Cache, now) {
		s.ahead(c.Context(), r, q, e)
	}
	e.send(c.Context(), r, time.Now(), ifNoneMatch)
	return nil
}

// cacheKey names a request among all: what is the same byte for byte.
func cacheKey(b []byte, r *route, f *format, as coding, query []byte) []byte {
	b = append(append(append(b, r.id...), f.name...), 0)
	b = append(b, as.name...)
	if as.must {
		b = append(b, '!')
	}
	return append(append(b, 0), query...)
}

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

// anyMethod lets methods that Fiber has no name for be refused as all others are: it
// would answer them itself, and not with a problem document.
func anyMethod(router fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		if !slices.Contains(fiber.DefaultMethods, string(c.Method())) {
			c.Request.Header.SetMethod(fiber.MethodTrace)
		}
		router(c)
	}
}

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
	e, ok := s.cache.GetIfPresent(unsafe.String(unsafe.SliceData(*key), len(*key)))
	current := ok && e.current(r.Cache, start, s.flights.queue)
	if current && e.ageing(r.Cache, start) {
		s.ahead(c, r, request{key: string(*key), format: jsonFormat, coding: as}, e)
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

// answer gets the answer to a request that the cache has none for, or an old one, which is
// given again if there is no room to make another.
func (s *Server) answer(c *fiber.Ctx, r *route, q request, old *entry, ifNoneMatch []byte) (*entry, error) {
	q, err := s.request(c.Context(), r, q)
	if err != nil {
		return nil, err
	}
	limit := r.timeout(s.cfg)
	ctx, end := context.WithCancelCause(c.UserContext())
	defer end(nil)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer s.hangups.watch(c.Context().Conn(), func() { end(errLeft) })()
	client := clientOf(c)
	if old == nil && len(ifNoneMatch) > 0 && !r.volatile {
		if e := s.unchanged(ctx, client, r, q, ifNoneMatch); e != nil {
			return e, nil
		}
	}
	if old != nil && old.refreshing.CompareAndSwap(false, true) {
		defer old.refreshing.Store(false)
	}
	e, err := s.flights.do(ctx, client, q.key, limit, func(ctx context.Context) (*entry, error) {
		return s.refresh(ctx, client, r, q, old)
	})
	if err == nil {
		return e, nil
	}
	if errors.Is(context.Cause(ctx), errLeft) {
		c.Context().SetConnectionClose()
	}
	p := problemOf(failed(ctx, err))
	busy := p.Status == http.StatusServiceUnavailable || p.Status == http.StatusInsufficientStorage
	if busy && old != nil && old.stale(r.Cache, time.Now()) {
		return old, nil
	}
	return nil, p
}

// ahead refreshes an answer that will soon be too old, beside the requests that it is
// still given to: without that, all who ask for a popular one would wait together.
func (s *Server) ahead(c *fasthttp.RequestCtx, r *route, q request, old *entry) {
	if !old.refreshing.CompareAndSwap(false, true) {
		return
	}
	q, err := s.request(c, r, q)
	if err != nil {
		return // it was answered once: this can't be
	}
	s.behind.Go(func() {
		defer old.refreshing.Store(false)
		limit := r.timeout(s.cfg)
		ctx, cancel := context.WithTimeout(s.life, limit)
		defer cancel()
		e, err := s.flights.do(ctx, ownClient, q.key, limit, func(ctx context.Context) (*entry, error) {
			return s.refresh(ctx, ownClient, r, q, old)
		})
		if err != nil {
			s.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "refresh answer ahead", slog.String("endpoint", r.label), slog.Any("error", err))
			return
		}
		e.release()
	})
}

// unchanged is an answer without a body for a client that has the right one; nil
// if it hasn't. It spares large answers, which are not kept.
func (s *Server) unchanged(ctx context.Context, client string, r *route, q request, ifNoneMatch []byte) *entry {
	turn, err := s.flights.queue.enter(ctx, client)
	if err != nil {
		return nil
	}
	defer s.flights.queue.leave(turn)
	at, err := s.cfg.Reader.Revision(ctx)
	if err != nil || !matches(ifNoneMatch, r.etag(q.key, sumOf(at))) {
		return nil
	}
	return newEntry(r, q, &spool{}, encode.Meta{}, at)
}

// refresh runs the query, unless nothing was committed since the old answer. What it
// writes to a file takes the client's room.
func (s *Server) refresh(ctx context.Context, client string, r *route, q request, old *entry) (*entry, error) {
	now := time.Now()
	if old != nil && !r.volatile {
		if at, err := s.cfg.Reader.Revision(ctx); err == nil && at.Revision == old.at.Revision && at.AsOf.Equal(old.at.AsOf) {
			old.seen.Store(now.UnixNano())
			return old, nil
		}
	}
	e, err := s.produce(ctx, client, r, q)
	if err != nil {
		return nil, err
	}
	e.seen.Store(now.UnixNano())
	if e.cacheable() {
		s.cache.Set(q.key, e)
	}
	return e, nil
}

// ownClient stands for the server itself where a client is named.
const ownClient = ""

// clientOf names who asks: by the key, else by the address, of IPv6 the part that one
// subscriber has.
func clientOf(c *fiber.Ctx) string {
	if key := keyOf(c); key != nil {
		return key.Name
	}
	at, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return c.IP()
	}
	if at = at.Unmap(); at.Is6() {
		if net, err := at.Prefix(64); err == nil {
			return net.String()
		}
	}
	return at.String()
}

// missing says that nothing is at the path. To a key that does not open the dataset it is
// as if there were something: it can't tell what there is.
func (s *Server) missing(c *fiber.Ctx, k *catalog) error {
	if err := s.admit(c, c.Params("dataset")); err != nil {
		return err
	}
	seen, err := s.view(k, keyOf(c))
	if err != nil {
		return err
	}
	return seen.missing(strings.Clone(c.Path()))
}

// admit lets a request with a key for all of the datasets pass, at its rate; any key where there
// are none.
func (s *Server) admit(c *fiber.Ctx, datasets ...string) error {
	return s.admitWith(c, bearer, datasets...)
}

func (s *Server) admitWith(c *fiber.Ctx, secretOf func(*fiber.Ctx) (string, error), datasets ...string) error {
	if s.cfg.Keys == nil && s.cfg.Rate == 0 {
		return nil
	}
	if s.cfg.Keys == nil {
		return s.rates.allow(c, clientOf(c), 0)
	}
	c.Vary(fiber.HeaderAuthorization)
	secret, err := secretOf(c)
	if errors.Is(err, errNoSecret) {
		challenge(c, "")
		return unauthorized.new("", "Send your API key: Authorization: Bearer estela_…")
	}
	if err != nil {
		return err
	}
	key, ok := s.cfg.Keys.find(secret, time.Now())
	switch {
	case !ok && s.cfg.Keys.gone():
		p := unavailable.new("", "No API key can be checked at the moment, so none is good. Try again later.")
		p.known = true
		return p
	case !ok:
		challenge(c, `, error="invalid_token"`)
		return unauthorized.new("", "The API key is unknown or has expired. Ask the team whose data this is for a new one.")
	}
	c.Locals(keyLocal, key)
	if !key.opensAll(datasets) {
		return forbidden.new("", "The API key "+key.Name+" does not open this. GET /v1 lists what it opens; ask the team whose data this is.")
	}
	return s.rates.allow(c, key.Name, key.Rate)
}

// admitAny is admit where any key will do.
func (s *Server) admitAny(c *fiber.Ctx) error { return s.admit(c) }

// admitName refuses requests for another name than this machine's, where that matters.
func (s *Server) admitName(c *fiber.Ctx) error {
	// Of a target with a host in it, Host says nothing (RFC 9112 §3.2.2).
	if !s.named(c.Context().URI().Host()) {
		return misdirected.new("", "The API answers for localhost and loopback addresses only.")
	}
	return c.Next()
}

// named says whether the name that the request is for is one of ours.
func (s *Server) named(by []byte) bool {
	if !s.cfg.LocalOnly {
		return true
	}
	host := string(by)
	if at, err := netip.ParseAddrPort(host); err == nil {
		return at.Addr().IsLoopback()
	}
	if at, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return at.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return name == "" || strings.EqualFold(strings.TrimSuffix(name, "."), "localhost")
}
