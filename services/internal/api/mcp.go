package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/mcp"
)

// mcpPath is where agents POST messages of the Model Context Protocol.
const mcpPath = "/mcp"

// paidKey marks a request whose client has paid for it: a tool's GET, by its POST. askedKey marks a
// POST whose tool asked an endpoint, which is what is observed.
const (
	paidKey  = "paid"
	askedKey = "asked"
)

// serveMCP answers a message of an agent, with the tools that its credential opens.
func (s *Server) serveMCP(c *fiber.Ctx) error {
	c.Locals(labelKey, "mcp")
	c.Set(fiber.HeaderCacheControl, "no-store")
	switch {
	case c.Method() != fiber.MethodPost:
		c.Set(fiber.HeaderAllow, fiber.MethodPost)
		return methodNotAllowed.new("", "Only POST is answered, with one message of the Model Context Protocol; there is no stream to GET.")
	case !s.takesBody(&c.Request().Header):
		c.Context().SetConnectionClose()
		return badRequest.new("", "Write the path of the POST as it is: "+mcpPath+".")
	case !s.originAllowed(c):
		return foreignOrigin.new("", "The page's origin is none that the API is open to: estela up --cors ORIGIN.")
	}
	if err := s.authorizeAny(c); err != nil {
		return err
	}
	k, err := s.catalog.Load().forGrant(grantOf(c))
	if err != nil {
		return err
	}
	agents, err := k.agents(toolTransport{s}, s.cfg.Logger)
	if err != nil {
		return err
	}
	if err := c.Context().Conn().SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return err
	}
	post := &agentPost{c: c.Context()}
	r, err := http.NewRequestWithContext(context.WithValue(c.UserContext(), agentPostKey{}, post), http.MethodPost, mcpPath, post.body())
	if err != nil {
		return err
	}
	for name, value := range c.Request().Header.All() {
		r.Header.Add(string(name), string(value))
	}
	w := &buffer{header: http.Header{}, status: http.StatusOK}
	agents.ServeHTTP(w, r)
	if post.asked.Load() {
		c.Locals(askedKey, true)
	}
	return w.send(c)
}

// originAllowed reports whether the request is from no page of a browser, or from one of
// Config.Origins.
func (s *Server) originAllowed(c *fiber.Ctx) bool {
	origin := c.Get(fiber.HeaderOrigin)
	return origin == "" || slices.Contains(s.cfg.Origins, origin) || slices.Contains(s.cfg.Origins, "*")
}

// agents returns the handler of POST /mcp for those who see this catalog.
func (k *catalog) agents(api http.RoundTripper, log *slog.Logger) (http.Handler, error) {
	k.tools.Do(func() { k.agent, k.agentErr = mcp.NewHandler(k.openAPI, api, log) })
	return k.agent, k.agentErr
}

// agentPost is a POST of an agent, while it is answered.
type agentPost struct {
	c     *fasthttp.RequestCtx
	asked atomic.Bool // an endpoint
}

// agentPostKey is the key of a context's agentPost.
type agentPostKey struct{}

func (p *agentPost) body() io.Reader {
	if stream := p.c.RequestBodyStream(); stream != nil {
		return stream
	}
	return http.NoBody
}

// toolTransport answers the GETs of tools by the server's own handler, as if the agent had sent
// them: with its key, over its connection.
type toolTransport struct{ *Server }

// RoundTrip implements http.RoundTripper.
func (s toolTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	post := r.Context().Value(agentPostKey{}).(*agentPost) //nolint:forcetypeassert // by serveMCP
	post.asked.Store(true)
	c := innerRequest(post.c, r.URL.RequestURI(), r.Header.Get(fiber.HeaderAccept))
	s.app.Server().Handler(c)
	res := responseOf(c)
	if after := c.Response.Header.Peek(fiber.HeaderRetryAfter); len(after) > 0 {
		res.Header.Set(fiber.HeaderRetryAfter, string(after))
	}
	return res, nil
}

// bodyStream is the body of a response that is a stream.
type bodyStream struct {
	io.Reader

	of *fasthttp.Response
}

// Close implements io.Closer.
func (b bodyStream) Close() error { return b.of.CloseBodyStream() }

// buffer is a response of net/http in memory.
type buffer struct {
	bytes.Buffer

	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (w *buffer) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *buffer) WriteHeader(status int) { w.status = status }

// send answers with the response; if it is an error of HTTP, not of the protocol, with a problem
// document. Then the body may not have been read.
func (w *buffer) send(c *fiber.Ctx) error {
	mediaType := w.header.Get(fiber.HeaderContentType)
	if w.status >= http.StatusBadRequest && !strings.HasPrefix(mediaType, fiber.MIMEApplicationJSON) {
		c.Context().SetConnectionClose()
		text := strings.TrimSpace(w.String())
		if w.status == http.StatusBadRequest { // else the text of a fiber.Error is HTTP's own
			return badRequest.new("", text)
		}
		return fiber.NewError(w.status, text)
	}
	if mediaType != "" {
		c.Set(fiber.HeaderContentType, mediaType)
	}
	return c.Status(w.status).Send(w.Bytes())
}
