package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/access"
)

// grantLocals is the key of c.Locals for the request's Grant.
const grantLocals = "grant"

// closed opens nothing.
var closed = &access.Grant{}

// grantOf returns what the request's credential opens: nothing before authorize has accepted it.
func grantOf(c *fiber.Ctx) *access.Grant {
	if g, ok := c.Locals(grantLocals).(*access.Grant); ok {
		return g
	}
	return closed
}

var errNoCredentials = errors.New("no key was sent")

// credentials returns the credentials of Authorization for the scheme, which is case-insensitive
// (RFC 9110 §11.1). Repeated headers are rejected: a proxy could have checked another one.
func credentials(c *fasthttp.RequestCtx, scheme []byte) ([]byte, error) {
	lines := c.Request.Header.PeekAll(fiber.HeaderAuthorization)
	if len(lines) > 1 {
		return nil, badRequest.new("", "Authorization is given more than once.")
	}
	if len(lines) == 0 {
		return nil, errNoCredentials
	}
	given, rest, _ := bytes.Cut(lines[0], []byte(" "))
	if rest = bytes.Trim(rest, " "); !bytes.EqualFold(given, scheme) || len(rest) == 0 {
		return nil, errNoCredentials
	}
	return rest, nil
}

var schemeBearer, schemeBasic = []byte("Bearer"), []byte("Basic")

// bearer returns the secret of a Bearer header.
func bearer(c *fasthttp.RequestCtx) ([]byte, error) { return credentials(c, schemeBearer) }

// keyChallenge is the WWW-Authenticate header of a request without a valid key.
const keyChallenge = `Bearer realm="Estela"`

// browserChallenge makes a browser show its login dialog.
const browserChallenge = `Basic realm="Estela: any name, with an API key for the password", charset="UTF-8"`

// basicOrBearer returns the secret of a Bearer header, or a browser's password.
func basicOrBearer(c *fasthttp.RequestCtx) ([]byte, error) {
	text, err := credentials(c, schemeBasic)
	if err != nil {
		return bearer(c)
	}
	plain, err := base64.StdEncoding.AppendDecode(nil, text)
	_, secret, ok := bytes.Cut(plain, []byte(":"))
	if err != nil || !ok {
		return nil, errNoCredentials
	}
	return secret, nil
}

// authorizeDocs is authorizeAny for the documentation, whose credential a browser may send as a
// password.
func (s *Server) authorizeDocs(c *fiber.Ctx) error {
	if s.cfg.Access == nil {
		return s.authorizeWith(c, basicOrBearer, anything)
	}
	c.Set(fiber.HeaderWWWAuthenticate, browserChallenge)
	if err := s.authorizeWith(c, basicOrBearer, anything); err != nil {
		return err
	}
	c.Response().Header.Del(fiber.HeaderWWWAuthenticate)
	return nil
}

// serverClient is the client of background refreshes.
const serverClient = ""

// clientOf identifies the client, for limits: by the credential, else the address, for IPv6 its /64.
func clientOf(c *fasthttp.RequestCtx, g *access.Grant) string {
	if g.Subject != "" {
		return g.Subject
	}
	at, ok := netip.AddrFromSlice(c.RemoteIP())
	if !ok {
		return c.RemoteIP().String()
	}
	if at = at.Unmap(); at.Is6() {
		if net, err := at.Prefix(64); err == nil {
			return net.String()
		}
	}
	return at.String()
}

// authorize accepts a request whose credential opens what is asked for, within its rate limit.
func (s *Server) authorize(c *fiber.Ctx, open func(*access.Grant) error) error {
	return s.authorizeWith(c, readSecret, open)
}

// readSecret returns the secret of a Bearer header or, of a GET, a browser's password, with which it asks for what
// the pages link to. A browser adds that to requests of any page: those for one of another site have no use of it.
func readSecret(c *fasthttp.RequestCtx) ([]byte, error) {
	if (c.IsGet() || c.IsHead()) && !foreign(c) {
		return basicOrBearer(c)
	}
	return bearer(c)
}

// anything opens to every valid credential.
func anything(*access.Grant) error { return nil }

// authorizeAny is authorize for any valid credential.
func (s *Server) authorizeAny(c *fiber.Ctx) error { return s.authorize(c, anything) }

func (s *Server) authorizeWith(c *fiber.Ctx, secretOf secretFunc, open func(*access.Grant) error) error {
	if s.cfg.Access != nil {
		c.Vary(fiber.HeaderAuthorization)
	}
	now := time.Now()
	g, err := s.identify(c.Context(), secretOf, now)
	if err != nil {
		return err
	}
	c.Locals(grantLocals, g)
	if err := open(g); err != nil {
		return err
	}
	t := s.rateLimiter.take(c.Context(), g, now)
	t.setHeaders(&c.Response().Header)
	return t.err()
}

// open returns an error if the credential does not open the endpoint: for all that it reads, with its pins.
func (r *route) open(g *access.Grant) error {
	if !g.Opens(r.label, r.reads) {
		return notOpened(g)
	}
	if _, err := r.Pinned(g.Pins().Values()); err != nil {
		// The reason could list the values that others are pinned to.
		return forbidden.new("", g.String()+" has a pin that this endpoint does not take: it has no parameter of that name, or not with that value. Ask whoever made the token for another one.")
	}
	return nil
}

// notOpened is the problem of what a credential does not open, be it there or not.
func notOpened(g *access.Grant) *problem {
	return forbidden.new("", g.String()+" does not open this. GET /v1 lists what it opens; ask the team whose data this is.")
}

// secretFunc returns the secret that a request has.
type secretFunc func(*fasthttp.RequestCtx) ([]byte, error)

// identify returns what the request's credential opens. It leaves the answer alone.
func (s *Server) identify(c *fasthttp.RequestCtx, secretOf secretFunc, now time.Time) (*access.Grant, error) {
	if s.cfg.Access == nil {
		return access.Anyone, nil
	}
	secret, err := secretOf(c)
	if errors.Is(err, errNoCredentials) {
		return nil, unauthorized.challenging(keyChallenge, "Send your API key: Authorization: Bearer estela_…")
	}
	if err != nil {
		return nil, err
	}
	g, err := s.cfg.Access.Authenticate(secret, now)
	if refused, ok := errors.AsType[*access.RefusedError](err); ok {
		return nil, unauthorized.challenging(keyChallenge+`, error="invalid_token"`, refused.Reason)
	}
	if err != nil {
		p := unavailable.new("", "No API key can be checked at the moment, so none is good. Try again later.")
		p.Logged = true
		return nil, p
	}
	return g, nil
}

// checkHost rejects requests for other hosts than this machine if Config.LocalOnly is set.
func (s *Server) checkHost(c *fiber.Ctx) error {
	// The host of an absolute request target replaces Host (RFC 9112 §3.2.2).
	if !s.hostAllowed(c.Context().URI().Host()) {
		return misdirected.new("", "The API answers for localhost and loopback addresses only.")
	}
	return c.Next()
}

// hostAllowed reports whether Config.LocalOnly allows the host.
func (s *Server) hostAllowed(by []byte) bool {
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
