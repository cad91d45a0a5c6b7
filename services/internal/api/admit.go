package api

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// keyLocal is where the key is stored for the log and the documents.
const keyLocal = "key"

// keyOf is the key that admit let pass, nil where none is needed.
func keyOf(c *fiber.Ctx) *Key {
	key, _ := c.Locals(keyLocal).(*Key)
	return key
}

var errNoSecret = errors.New("no key was sent")

// credentials are what Authorization has for the scheme, whose case does not matter (RFC 9110
// §11.1). It is one line: of several, each reader could take another.
func credentials(c *fiber.Ctx, scheme string) (string, error) {
	lines := c.Request().Header.PeekAll(fiber.HeaderAuthorization)
	if len(lines) > 1 {
		return "", badRequest.new("", "Authorization is given more than once.")
	}
	if len(lines) == 0 {
		return "", errNoSecret
	}
	given, rest, _ := strings.Cut(string(lines[0]), " ")
	if rest = strings.Trim(rest, " "); !strings.EqualFold(given, scheme) || rest == "" {
		return "", errNoSecret
	}
	return rest, nil
}

// bearer is the key's secret as programs send it.
func bearer(c *fiber.Ctx) (string, error) { return credentials(c, "Bearer") }

// challenge asks for a key.
func challenge(c *fiber.Ctx, more string) {
	c.Response().Header.Add(fiber.HeaderWWWAuthenticate, `Bearer realm="Estela"`+more)
}

// browserChallenge makes a browser ask for a name and a password.
const browserChallenge = `Basic realm="Estela: any name, with an API key for the password", charset="UTF-8"`

// typed is the secret as programs send it, or as a browser does that asked for it.
func typed(c *fiber.Ctx) (string, error) {
	text, err := credentials(c, "Basic")
	if err != nil {
		return bearer(c)
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	_, secret, ok := strings.Cut(string(plain), ":")
	if err != nil || !ok {
		return "", errNoSecret
	}
	return secret, nil
}

// admitReader lets those read the documentation who may read something of what it is
// about, at their rate. People use it in a browser, which can send a password only.
func (s *Server) admitReader(c *fiber.Ctx) error {
	if s.cfg.Keys == nil {
		return s.admitWith(c, typed)
	}
	c.Set(fiber.HeaderWWWAuthenticate, browserChallenge)
	if err := s.admitWith(c, typed); err != nil {
		return err
	}
	c.Response().Header.Del(fiber.HeaderWWWAuthenticate)
	return nil
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
	// Of a target with a host in it, Host does not matter (RFC 9112 §3.2.2).
	if !s.named(c.Context().URI().Host()) {
		return misdirected.new("", "The API answers for localhost and loopback addresses only.")
	}
	return c.Next()
}

// named reports whether the name that the request is for is one of ours.
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
