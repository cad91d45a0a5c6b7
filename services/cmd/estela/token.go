package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/fault"
)

type tokenCmd struct {
	New tokenNewCmd `cmd:"" help:"Print a signed token, which opens some endpoints for a time."`
	Key tokenKeyCmd `cmd:"" help:"Create keys that sign tokens."`
}

type tokenNewCmd struct {
	Endpoint   []string          `help:"Endpoint that it opens, DATASET/NAME; may be given several times." placeholder:"NAME" required:""`
	Pin        map[string]string `help:"Parameter with the value that every request of the token has; may be given several times." placeholder:"NAME=VALUE" mapsep:"none"`
	TTL        time.Duration     `name:"ttl" help:"How long it is valid, 24h at most." default:"1h"`
	Subject    string            `help:"Whose it is: for the rate limit and the log." required:""`
	Rate       int               `name:"rate-limit" help:"Most requests a second. Default: that of the API." env:"-"`
	Audience   string            `name:"token-audience" help:"Audience (aud) of the API that it is for." default:"estela"`
	SigningKey string            `help:"File of the key that signs it (see 'estela token key new')." placeholder:"FILE" required:""`
}

// Run is 'estela token new'. Standard output has only the token.
func (c *tokenNewCmd) Run(g *Globals, s *streams) error {
	text, err := os.ReadFile(c.SigningKey)
	if err != nil {
		return fmt.Errorf("read signing key: %w", err)
	}
	key, err := access.ParseSigningKey(text)
	if err != nil {
		return fault.Usagef("read signing key of %s: %w", c.SigningKey, err)
	}
	if err := c.checkEndpoints(g); err != nil {
		return err
	}
	if c.TTL <= 0 || c.TTL > access.MaxLifetime {
		return fault.Usagef("--ttl %s: a token is valid for 24h at most", c.TTL)
	}
	now := time.Now()
	claims := &access.Claims{Endpoints: c.Endpoint, Pins: c.Pin, Rate: c.Rate}
	if claims.Pins == nil {
		claims.Pins = map[string]string{}
	}
	claims.Subject, claims.Audience = c.Subject, jwt.ClaimStrings{c.Audience}
	claims.IssuedAt, claims.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(c.TTL))
	token, err := key.Sign(claims)
	if err != nil {
		return fault.Usage(err)
	}
	say(s.out, "%s", token)
	return nil
}

// checkEndpoints refuses a token that would open nothing: of endpoints that are unknown, or that don't
// have what is pinned.
func (c *tokenNewCmd) checkEndpoints(g *Globals) error {
	all, err := g.load()
	if err != nil {
		return err
	}
	for _, name := range c.Endpoint {
		found := false
		for _, d := range all {
			for i := range d.Endpoints {
				e := &d.Endpoints[i]
				if d.Name+"/"+e.Name != name {
					continue
				}
				found = true
				if _, err := e.Pinned(c.Pin); err != nil {
					return fault.Usagef("%s can't be pinned so: %w", name, err)
				}
			}
		}
		if !found {
			names := slices.DeleteFunc(endpointNames(all), func(n string) bool { return !strings.Contains(n, "/") })
			return fault.Usagef("no endpoint %q, which is DATASET/NAME%s: estela endpoint list shows those there are; give another folder with --data", name, fault.DidYouMean(name, names))
		}
	}
	return nil
}

type tokenKeyCmd struct {
	New tokenKeyNewCmd `cmd:"" help:"Create a key that signs tokens: writes it to a file, and prints what verifies its tokens, or appends that to the file of --token-keys."`
}

type tokenKeyNewCmd struct {
	Alg        string `help:"How it signs (${enum}): EdDSA by a private key, so that who verifies can't sign, HS256 by a shared secret." enum:"EdDSA,HS256" default:"EdDSA"`
	Kid        string `help:"Name of the key. Default: a random one." placeholder:"ID"`
	SigningKey string `help:"File that is written; only its owner can read it." placeholder:"FILE" required:""`
	TokenKeys  string `help:"File of keys (a JWK set) to append to, which is created if there is none." placeholder:"FILE"`
}

// Run is 'estela token key new'.
func (c *tokenKeyNewCmd) Run(s *streams) error {
	key, err := access.NewSigningKey(c.Alg, c.Kid)
	if err != nil {
		return fault.Usage(err)
	}
	file, err := os.OpenFile(c.SigningKey, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.Usagef("%s is there already: choose another file, for tokens that it has signed would no longer be valid", c.SigningKey)
	}
	if err != nil {
		return fmt.Errorf("write signing key: %w", err)
	}
	_, err = file.Write(key.Text())
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write signing key: %w", err)
	}
	if c.TokenKeys == "" {
		say(s.err, "The key %s is in %s. Add this to the keys in the file of --token-keys:", key.ID(), c.SigningKey)
		say(s.out, "%s", key.Public())
		return nil
	}
	if err := access.AppendTokenKey(c.TokenKeys, key); err != nil {
		return fault.Usage(errors.Join(err, os.Remove(c.SigningKey)))
	}
	say(s.err, "The key %s is in %s; what verifies its tokens is in %s, which a running API reads within a second.", key.ID(), c.SigningKey, c.TokenKeys)
	return nil
}
