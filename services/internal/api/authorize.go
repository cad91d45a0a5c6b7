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
)

// keyLocals is the key of c.Locals for the request's API key.
const keyLocals = "key"

// keyOf returns the key that authorize has accepted, nil where none is needed.
func keyOf(c *fiber.Ctx) *Key {
	key, _ := c.Locals(keyLocals).(*Key)
	return key
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

// authorizeDocs is authorize for the documentation, for any key, which a browser may send as a
// password.
func (s *Server) authorizeDocs(c *fiber.Ctx) error {
	if s.cfg.Keys == nil {
		return s.authorizeWith(c, basicOrBearer)
	}
	c.Set(fiber.HeaderWWWAuthenticate, browserChallenge)
	if err := s.authorizeWith(c, basicOrBearer); err != nil {
		return err
	}
	c.Response().Header.Del(fiber.HeaderWWWAuthenticate)
	return nil
}

// serverClient is the client of background refreshes.
const serverClient = ""

// clientOf identifies the client, for limits: the key's name, else the address, for IPv6 its /64.
func clientOf(c *fasthttp.RequestCtx, key *Key) string {
	if key != nil {
		return key.Name
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

// authorize accepts a request with a key that may read all of the datasets, within its rate limit;
// without datasets any valid key.
func (s *Server) authorize(c *fiber.Ctx, datasets ...string) error {
	return s.authorizeWith(c, bearer, datasets...)
}

func (s *Server) authorizeWith(c *fiber.Ctx, secretOf secretFunc, datasets ...string) error {
	if s.cfg.Keys != nil {
		c.Vary(fiber.HeaderAuthorization)
	}
	now := time.Now()
	key, err := s.identify(c.Context(), secretOf, datasets, now)
	if key != nil {
		c.Locals(keyLocals, key)
	}
	if err != nil {
		return err
	}
	t := s.rateLimiter.take(c.Context(), key, now)
	t.setHeaders(&c.Response().Header)
	return t.err()
}

// secretFunc returns the secret that a request has.
type secretFunc func(*fasthttp.RequestCtx) ([]byte, error)

// identify returns the request's key, nil if none is needed, and an error if it may not read all of
// the datasets. It leaves the answer alone.
func (s *Server) identify(c *fasthttp.RequestCtx, secretOf secretFunc, datasets []string, now time.Time) (*Key, error) {
	if s.cfg.Keys == nil {
		return nil, nil
	}
	secret, err := secretOf(c)
	if errors.Is(err, errNoCredentials) {
		return nil, unauthorized.challenging(keyChallenge, "Send your API key: Authorization: Bearer estela_…")
	}
	if err != nil {
		return nil, err
	}
	key, ok := s.cfg.Keys.lookup(secret, now)
	switch {
	case !ok && s.cfg.Keys.fileMissing():
		p := unavailable.new("", "No API key can be checked at the moment, so none is good. Try again later.")
		p.Logged = true
		return nil, p
	case !ok:
		return nil, unauthorized.challenging(keyChallenge+`, error="invalid_token"`, "The API key is unknown or has expired. Ask the team whose data this is for a new one.")
	case !key.allowsAll(datasets):
		return key, forbidden.new("", "The API key "+key.Name+" does not open this. GET /v1 lists what it opens; ask the team whose data this is.")
	}
	return key, nil
}

// authorizeAnyKey is authorize for any valid key.
func (s *Server) authorizeAnyKey(c *fiber.Ctx) error { return s.authorize(c) }

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
