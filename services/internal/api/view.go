package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
)

// maxViews is the number of views of a catalog that are remembered.
const maxViews = 64

// views are the parts of a catalog that keys see, by what is in them.
type views struct {
	mu  sync.Mutex
	all map[string]*catalog
}

// sees says whether the key opens the endpoint; a nil key is for an API without keys.
func (k *Key) sees(r *route) bool { return k == nil || k.opensAll(r.reads) }

// seesAll says whether the key opens all there is, today and tomorrow.
func (k *Key) seesAll() bool { return k == nil || k.opens("*") }

// view is the part of the catalog that a key opens, with documents that name nothing else.
func (s *Server) view(k *catalog, key *Key) (*catalog, error) {
	if key.seesAll() {
		return k, nil
	}
	part := k.part(key)
	id := part.name()
	k.views.mu.Lock()
	defer k.views.mu.Unlock()
	if known, ok := k.views.all[id]; ok {
		return known, nil
	}
	index, err := index(part.datasets)
	if err != nil {
		return nil, err
	}
	openAPI, err := s.openAPI(part)
	if err != nil {
		return nil, err
	}
	part.index, part.openAPI = index, openAPI
	if len(k.views.all) >= maxViews || k.views.all == nil {
		k.views.all = map[string]*catalog{}
	}
	k.views.all[id] = part
	return part, nil
}

// part are the datasets that the key opens, with those of their endpoints that it does.
func (k *catalog) part(key *Key) *catalog {
	part := &catalog{}
	for _, d := range k.datasets {
		if key.opens(d.Name) {
			d.Endpoints = nil
			part.datasets = append(part.datasets, d)
		}
	}
	for _, r := range k.ordered {
		for i := range part.datasets {
			if d := &part.datasets[i]; d.Name == r.dataset && key.sees(r) {
				d.Endpoints = append(d.Endpoints, r.Endpoint)
				part.ordered = append(part.ordered, r)
			}
		}
	}
	return part
}

// name is the same for parts with the same in them.
func (k *catalog) name() string {
	var b strings.Builder
	for _, d := range k.datasets {
		fmt.Fprintf(&b, "%s:", d.Name)
		for _, e := range d.Endpoints {
			fmt.Fprintf(&b, "%s,", e.Name)
		}
		b.WriteByte(';')
	}
	return b.String()
}

// keyOf is the key that admit let pass, nil where none is needed.
func keyOf(c *fiber.Ctx) *Key {
	key, _ := c.Locals(keyLocal).(*Key)
	return key
}

var errNoSecret = errors.New("no key was sent")

// credentials are what Authorization has for the scheme, whose case says nothing (RFC 9110
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

// challenge says in what way to send a key.
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
