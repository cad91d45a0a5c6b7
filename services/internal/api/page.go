package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/endpoint"
	rfc9457 "github.com/estela-dev/estela/services/internal/problem"
)

// Pages serves what people look at (package page).
type Pages interface {
	// Serve answers a GET, to whom the visit opens it. An error is answered with its problem.
	Serve(c *fiber.Ctx, v *Visit) error
	// ServeAsset answers a GET below /assets/, to anyone.
	ServeAsset(c *fiber.Ctx) error
}

// pagePaths are the paths of Pages.
var pagePaths = []string{"/", "/docs", "/docs/*", "/datasets/*", "/sql", "/sql/*", "/live"}

// servePages routes the pages. They need a credential if the API does, which a browser may send as a
// password.
func (s *Server) servePages() {
	if s.cfg.Pages == nil {
		return
	}
	s.app.Get("/assets/*", func(c *fiber.Ctx) error {
		c.Locals(labelKey, "page")
		return s.cfg.Pages.ServeAsset(c)
	})
	serve := func(c *fiber.Ctx) error {
		c.Locals(labelKey, "page")
		if err := s.authorizeDocs(c); err != nil {
			return err
		}
		c.Set(fiber.HeaderCacheControl, "no-store")
		k, err := s.catalog.Load().forGrant(grantOf(c))
		if err != nil {
			return err
		}
		return s.cfg.Pages.Serve(c, &Visit{s, c, k})
	}
	for _, path := range pagePaths {
		s.app.Get(path, serve)
	}
}

// Visit is a request for a page: what its credential opens, read as the API would answer it.
type Visit struct {
	server *Server
	c      *fiber.Ctx
	seen   *catalog
}

// Inspects reports whether the whole warehouse is open to it: rows, rejects, SQL, the pipeline's state. That is a
// right of a key; without keys, of whoever is on this machine. No script of another site has it, though its origin
// may read answers (Config.Origins); a link from there leads a person here.
func (v *Visit) Inspects() bool {
	c := v.c.Context()
	followed := string(c.Request.Header.Peek("Sec-Fetch-Mode")) == "navigate"
	return v.server.inspects(grantOf(v.c)) && (followed || !foreign(c))
}

func (s *Server) inspects(g *access.Grant) bool {
	if s.cfg.Access == nil {
		return s.cfg.LocalOnly
	}
	return g.Inspects()
}

// foreign reports whether a browser sends the request for a page of another site. Such a page can't read the
// answer, but it could have the warehouse run queries; older browsers, and those that reach the server without TLS
// and not on this machine, don't say.
func foreign(c *fasthttp.RequestCtx) bool {
	site := string(c.Request.Header.Peek("Sec-Fetch-Site"))
	return site == "cross-site" || site == "same-site"
}

// Guarded reports whether the API needs a credential.
func (v *Visit) Guarded() bool { return v.server.cfg.Access != nil }

// Datasets are those that it opens, with the endpoints that it opens.
func (v *Visit) Datasets() []endpoint.Dataset { return v.seen.datasets }

// Posts reports whether it may send events to the dataset by POST.
func (v *Visit) Posts(dataset string) bool { return slices.Contains(v.seen.posts, dataset) }

// Problems are the kinds of problems that the API answers with.
func (v *Visit) Problems() []rfc9457.Kind { return v.server.problemKinds() }

// Columns are those of the answer of an endpoint that it opens, with their documentation.
func (v *Visit) Columns(ctx context.Context, dataset, name string) ([]endpoint.Column, error) {
	for _, r := range v.seen.ordered {
		if r.dataset == dataset && r.Name == name {
			sh, err := r.describe(ctx)
			if err != nil {
				return nil, err
			}
			return sh.Columns, nil
		}
	}
	return nil, notFound.new("", "Nothing is here.")
}

// maxReply is the size of the largest answer in a page: what is more is for a download.
const maxReply = 8 << 20

// Get returns the API's answer to a GET of the path and query with the visit's credential. Large answers are an
// error: Ask for a page of the rows.
func (v *Visit) Get(target, accept string) (status int, header http.Header, body []byte, err error) {
	return v.reply(v.inner(target, accept, nil))
}

// Ask returns the answer of an endpoint whose file has this text, as Get does: checked, limited and encoded as
// those of a dataset are, with the query's parameters, limit, cursor and format. It reads every dataset, and needs
// the right to inspect. Without -- order: a limit cuts the answer; the header headerCut then says that there are
// more rows.
func (v *Visit) Ask(file string, query url.Values) (status int, header http.Header, body []byte, err error) {
	return v.reply(v.inner(adhocPath+"?"+query.Encode(), "", &file))
}

// Send answers the visit with what Ask returns, of any size.
func (v *Visit) Send(file string, query url.Values) error {
	uri := v.c.Request().URI()
	before := string(uri.QueryString())
	uri.SetQueryString(query.Encode())
	v.c.Context().SetUserValue(adhocKey, file)
	defer func() { uri.SetQueryString(before) }()
	return v.server.serveAdhoc(v.c)
}

// inner returns the request, with the visit's credential, over its connection. It has been paid for.
func (v *Visit) inner(target, accept string, file *string) *fasthttp.RequestCtx {
	c := innerRequest(v.c.Context(), target, accept)
	if secret, err := basicOrBearer(v.c.Context()); err == nil {
		c.Request.Header.Set(fiber.HeaderAuthorization, "Bearer "+string(secret))
	}
	if file != nil {
		c.SetUserValue(adhocKey, *file)
	}
	return c
}

// reply answers the inner request by the server's own handler.
func (v *Visit) reply(c *fasthttp.RequestCtx) (status int, header http.Header, body []byte, err error) {
	v.server.app.Server().Handler(c)
	res := responseOf(c)
	defer res.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(res.Body, maxReply+1)); err != nil {
		return 0, nil, nil, err
	}
	if len(body) > maxReply {
		return 0, nil, nil, tooLarge.new("", "It is too large for a page. Ask for fewer rows, or download it.")
	}
	for name, value := range c.Response.Header.All() {
		res.Header.Add(string(name), string(value))
	}
	return res.StatusCode, res.Header, body, nil
}

// adhocPath is the path of an endpoint without a file, which only a Visit asks: adhocKey is the key of its text
// among the request's user values.
const (
	adhocPath = "/ask"
	adhocKey  = "adhoc"
)

// isAsked reports whether the request is a Visit's own: it is part of a page, which is what is observed.
func isAsked(c *fasthttp.RequestCtx) bool {
	return c.UserValue(adhocKey) != nil && c.UserValue(paidKey) != nil
}

// headerCut is in answers to ad hoc queries that have been cut at their limit.
const headerCut = "Estela-More-Rows"

// maxAdhocRows is the highest number of rows of an ad hoc query's answer.
const maxAdhocRows = 100_000

// serveAdhoc answers what a Visit asks. To everyone else nothing is here.
func (s *Server) serveAdhoc(c *fiber.Ctx) error {
	text, ok := c.Context().UserValue(adhocKey).(string)
	if !ok {
		return c.Next()
	}
	c.Locals(labelKey, "page")
	if isAsked(c.Context()) { // else the visit is authorized
		if err := s.authorize(c, anything); err != nil {
			return err
		}
	}
	switch {
	case foreign(c.Context()):
		return foreignOrigin.new("", "A page of another site may not have queries run here.")
	case !s.inspects(grantOf(c)):
		return forbidden.new("", "SQL of one's own needs a key with the right to inspect: estela key new NAME --inspect.")
	}
	r, err := s.prepareAdhoc(c, text)
	if err != nil {
		return err
	}
	q, err := r.negotiate(c)
	if err != nil {
		return err
	}
	if q.format.describe != nil {
		err := s.serveDescription(c, r, q)
		c.Set(fiber.HeaderCacheControl, "no-store")
		return err
	}
	if q, err = r.parse(c.Context(), s.cfg.PageRows, q); err != nil {
		return err
	}
	e, err := s.resolve(c, r, q, nil)
	if err != nil {
		return err
	}
	s.send(c, e, false)
	return nil
}

// prepareAdhoc parses and checks an endpoint without a file. The check asks the warehouse, which takes a turn.
func (s *Server) prepareAdhoc(c *fiber.Ctx, text string) (*route, error) {
	r, err := s.catalog.Load().adhoc(text)
	if err != nil {
		return nil, sqlProblem(err)
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), r.Limit.Time)
	defer cancel()
	turn, err := s.queue.Acquire(ctx, r.client(c))
	if err != nil {
		return nil, err
	}
	defer s.queue.Release(turn)
	if _, err := r.describe(ctx); err != nil {
		if p := sqlProblem(err); p != nil {
			return nil, p
		}
		return nil, queryProblem(ctx, err)
	}
	return r, nil
}

// sqlProblem returns the problem of faults in the text, one a line with its place; nil for other errors.
func sqlProblem(err error) error {
	if _, ok := errors.AsType[*endpoint.ParseError](err); !ok {
		return nil
	}
	return badRequest.new("", err.Error())
}

// adhocName is the name of an endpoint without a file.
const adhocName = "query"

// adhoc returns the route of an endpoint without a file, which reads all datasets.
func (k *catalog) adhoc(text string) (*route, error) {
	e, err := endpoint.Parse(adhocName+".sql", text)
	if err != nil {
		return nil, err
	}
	if len(k.datasets) == 0 {
		return nil, notFound.new("", "There is no dataset.")
	}
	e.Limit.Rows = min(cmp.Or(e.Limit.Rows, maxAdhocRows), maxAdhocRows)
	e.Limit.Time = min(cmp.Or(e.Limit.Time, k.cfg.QueryTimeout), k.cfg.QueryTimeout)
	e.Cache = 0
	r := newRoute(k.cfg, k.checker, endpoint.Dataset{}, e, "")
	r.adhoc, r.path, r.label, r.cacheControl = true, adhocPath, "page", []byte("no-store")
	// Its answers are never cached, and shared only by those who ask the same text at once. A hash that one can't
	// choose keeps them apart from the answers of endpoints.
	id := sha256.Sum256([]byte(text))
	r.id, r.volatile = string(id[:]), true
	return r, nil
}

// client is who takes the turns of the request's query. Without keys all are on this machine: then ad hoc queries
// leave a turn to whoever reads endpoints.
func (r *route) client(c *fiber.Ctx) string {
	g := grantOf(c)
	if r.adhoc && g.Subject == "" {
		return "page"
	}
	return clientOf(c.Context(), g)
}

// innerRequest returns a GET of the server's own to one of its paths, over the connection of outer. It has its own
// state of the connection, which watches for the client's end of it and knows nothing of how outer was framed.
func innerRequest(outer *fasthttp.RequestCtx, target, accept string) *fasthttp.RequestCtx {
	inner := outer.Conn()
	if ours, ok := inner.(*conn); ok {
		inner = ours.Conn
	}
	c := &fasthttp.RequestCtx{}
	c.Init2(&conn{Conn: inner}, outer.Logger(), true)
	c.SetUserValue(paidKey, true)
	h := &c.Request.Header
	h.SetMethod(http.MethodGet)
	h.SetRequestURI(target)
	h.SetHostBytes(outer.URI().Host())
	if accept != "" {
		h.Set(fiber.HeaderAccept, accept)
	}
	h.SetCanonical(headerRequestID, outer.Response.Header.PeekBytes(headerRequestID))
	for _, name := range []string{fiber.HeaderAuthorization, "Sec-Fetch-Site", "Traceparent"} {
		if value := outer.Request.Header.Peek(name); len(value) > 0 {
			h.SetBytesV(name, value)
		}
	}
	return c
}

// responseOf returns the status and the body of a request that was answered.
func responseOf(c *fasthttp.RequestCtx) *http.Response {
	res := &http.Response{StatusCode: c.Response.StatusCode(), Header: http.Header{}}
	if stream := c.Response.BodyStream(); stream != nil {
		res.Body = bodyStream{stream, &c.Response}
	} else {
		res.Body = io.NopCloser(bytes.NewReader(c.Response.Body()))
	}
	return res
}
