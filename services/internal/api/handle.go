package api

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// keyNameKey is where the key's name is left for the log.
const keyNameKey = "key"

// endpoint answers a request for an endpoint: from the cache if it may, else by
// its query, one for all who ask the same at the time.
func (s *Server) endpoint(c *fiber.Ctx) error {
	k := s.catalog.Load()
	r, ok := k.routes[strings.TrimSuffix(c.Path(), "/")]
	if !ok {
		if err := s.admitAny(c); err != nil {
			return err
		}
		return k.missing(strings.Clone(c.Path()))
	}
	c.Locals(labelKey, r.label)
	if err := s.admit(c, r.dataset); err != nil {
		return err
	}
	f, err := r.format(c)
	if err != nil {
		return err
	}
	q := request{format: f, encoding: f.encoding(c.Get(fiber.HeaderAcceptEncoding))}
	q.key = r.id + f.name + "\x00" + q.encoding + "\x00" + string(c.Request().URI().QueryString())
	ifNoneMatch := c.Get(fiber.HeaderIfNoneMatch)
	e, _ := s.cache.GetIfPresent(q.key)
	if e == nil || !e.fresh(r.Cache) {
		if e, err = s.answer(c, r, q, e, ifNoneMatch); err != nil {
			return err
		}
	}
	e.send(c, r, ifNoneMatch)
	return nil
}

// answer gets the answer to a request that the cache has none for, or an old one.
func (s *Server) answer(c *fiber.Ctx, r *route, q request, old *entry, ifNoneMatch string) (*entry, error) {
	q, err := s.request(c, r, q)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), r.timeout(s.cfg))
	defer cancel()
	if old == nil && ifNoneMatch != "" && !r.volatile {
		if e := s.unchanged(ctx, r, q, ifNoneMatch); e != nil {
			return e, nil
		}
	}
	for {
		found, err, _ := s.flights.Do(q.key, func() (any, error) { return s.refresh(ctx, r, q, old) })
		if err != nil {
			return nil, failed(ctx, err)
		}
		if e := found.(*entry); e.retain() { //nolint:forcetypeassert // refresh's
			return e, nil
		}
	}
}

// unchanged is an answer without a body for a client that has the right one; nil
// if it hasn't. It spares large answers, which are not kept.
func (s *Server) unchanged(ctx context.Context, r *route, q request, ifNoneMatch string) *entry {
	if err := s.queue.enter(ctx); err != nil {
		return nil
	}
	defer s.queue.leave()
	at, err := s.cfg.Reader.Revision(ctx)
	if err != nil || !matches(ifNoneMatch, r.etag(q.key, sumOf(at))) {
		return nil
	}
	return newEntry(r, q, &spool{}, meta{}, at)
}

// refresh runs the query in its turn, unless nothing was committed since the old
// answer.
func (s *Server) refresh(ctx context.Context, r *route, q request, old *entry) (*entry, error) {
	if err := s.queue.enter(ctx); err != nil {
		return nil, err
	}
	defer s.queue.leave()
	now := time.Now()
	if old != nil && !r.volatile {
		if at, err := s.cfg.Reader.Revision(ctx); err == nil && at.Revision == old.at.Revision && at.AsOf.Equal(old.at.AsOf) {
			old.seen.Store(now.UnixNano())
			return old, nil
		}
	}
	e, err := s.produce(ctx, r, q)
	if err != nil {
		return nil, err
	}
	e.seen.Store(now.UnixNano())
	if e.cacheable() {
		s.cache.Set(q.key, e)
		return e, nil
	}
	// Those who wait for the same have this long to take part in the file before the
	// first of them, having sent it, closes it.
	e.retain()
	time.AfterFunc(time.Second, e.release)
	return e, nil
}

// admit lets a request with a key for the dataset pass, at its rate.
func (s *Server) admit(c *fiber.Ctx, dataset string) error {
	if s.cfg.Keys == nil && s.cfg.Rate == 0 {
		return nil
	}
	client, own := c.IP(), 0
	if s.cfg.Keys != nil {
		secret, ok := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
		if !ok {
			return unauthorized.new("", "Send your API key: Authorization: Bearer estela_…")
		}
		key, ok := s.cfg.Keys.find(secret, time.Now())
		if !ok {
			return unauthorized.new("", "The API key is unknown or has expired. Ask the team whose data this is for a new one.")
		}
		c.Locals(keyNameKey, key.Name)
		if dataset != "" && !key.opens(dataset) {
			return forbidden.new("", "The API key "+key.Name+" does not open the dataset "+dataset+". Ask the team whose data this is.")
		}
		client, own = key.Name, key.Rate
	}
	return s.rates.allow(c, client, own)
}

// admitAny is admit where any key will do.
func (s *Server) admitAny(c *fiber.Ctx) error { return s.admit(c, "") }
