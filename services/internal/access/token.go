package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"
)

const (
	// MaxLifetime is the longest time from a token's iat to its exp.
	MaxLifetime = 24 * time.Hour
	// Leeway is how far a token's iat and nbf may be ahead: clocks differ.
	Leeway = 30 * time.Second
	// DefaultAudience is the aud of tokens.
	DefaultAudience = "estela"

	maxToken   = 4 << 10 // bytes
	maxSubject = 128     // bytes
	maxRate    = 1_000_000
	// maxVerified is the number of tokens whose grants are cached.
	maxVerified = 10_000
)

// Claims are what a token says, beside its signature.
type Claims struct {
	jwt.RegisteredClaims

	// Endpoints are those that it opens, each DATASET/NAME.
	Endpoints []string `json:"endpoints"`
	// Pins are values of parameters.
	Pins map[string]string `json:"pins"`
	// Rate is its requests a second; 0 is the server's.
	Rate int `json:"rate,omitempty"`
}

// UnmarshalJSON takes names as they are written, unlike encoding/json, and each once.
func (c *Claims) UnmarshalJSON(text []byte) error {
	given, err := members(text)
	if err != nil {
		return err
	}
	for name, to := range map[string]any{
		"sub": &c.Subject, "aud": &c.Audience, "exp": &c.ExpiresAt, "iat": &c.IssuedAt, "nbf": &c.NotBefore, "endpoints": &c.Endpoints, "rate": &c.Rate,
	} {
		if value, ok := given[name]; ok {
			if err := json.Unmarshal(value, to); err != nil {
				return refuse("Its %s is of another type than is documented.", name)
			}
		}
	}
	if value, ok := given["pins"]; ok {
		pins, err := members(value)
		if err != nil {
			return fmt.Errorf("claim pins: %w", err)
		}
		c.Pins = map[string]string{}
		for name, value := range pins {
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return refuse("Its pins must each have a text as value: \"42\", not 42.")
			}
			c.Pins[name] = text
		}
	}
	return nil
}

// members returns the members of a JSON object, each of which may be given once.
func members(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	all := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // an object's
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("%q is given more than once", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		all[name] = value
	}
	return all, nil
}

// Validate implements jwt.ClaimsValidator: it checks what is Estela's own. Its error is a sentence.
func (c *Claims) Validate() error {
	switch {
	case c.Subject == "" || len(c.Subject) > maxSubject || !utf8.ValidString(c.Subject) || strings.ContainsFunc(c.Subject, func(r rune) bool { return !unicode.IsPrint(r) }):
		return refuse("Its sub must be a text of 1 to %d printable characters.", maxSubject)
	case c.IssuedAt == nil || c.ExpiresAt == nil:
		return refuse("It must have iat and exp.")
	case c.ExpiresAt.Sub(c.IssuedAt.Time) > MaxLifetime || !c.ExpiresAt.After(c.IssuedAt.Time):
		return refuse("Its exp must be after its iat, by at most %s.", MaxLifetime)
	case len(c.Endpoints) == 0:
		return refuse("Its endpoints must be a list of DATASET/NAME, of at least one.")
	case c.Pins == nil:
		return refuse("It must have pins: an object of a parameter's name and its value, {} for none.")
	case c.Rate < 0 || c.Rate > maxRate:
		return refuse("Its rate must be between 1 and %d, or left out.", maxRate)
	}
	for _, e := range c.Endpoints {
		if dataset, name, _ := strings.Cut(e, "/"); dataset == "" || name == "" || strings.ContainsAny(e, "*?") || strings.Contains(name, "/") {
			return refuse("Its endpoints must each be DATASET/NAME.")
		}
	}
	for name, value := range c.Pins {
		if name == "" || value == "" || strings.ContainsRune(value, 0) {
			return refuse("Its pins must each have a name and a value that is not empty.")
		}
	}
	return nil
}

func refuse(format string, args ...any) *RefusedError {
	return &RefusedError{"The token is not valid. " + fmt.Sprintf(format, args...)}
}

// grant returns what the claims open.
func (c *Claims) grant() *Grant {
	return &Grant{Subject: TokenPrefix + c.Subject, Rate: c.Rate, Expires: c.ExpiresAt.Time, endpoints: c.Endpoints, pins: NewPins(c.Pins)}
}

// Sign returns a token. It refuses claims with which it would not be accepted.
func (k *SigningKey) Sign(c *Claims) (string, error) {
	if err := c.Validate(); err != nil {
		return "", err
	}
	t := jwt.NewWithClaims(k.method(), c)
	t.Header["kid"] = k.Kid
	text, err := t.SignedString(k.signer())
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if len(text) > maxToken {
		return "", fmt.Errorf("the token has %d bytes, more than the %d that the API takes: name fewer endpoints", len(text), maxToken)
	}
	return text, nil
}

// Tokens verifies signed tokens by the keys of a file, which Reload reads again.
type Tokens struct {
	file[keySet]

	audience string
}

// keySet is the keys that verify, by kid, and what they have verified.
type keySet struct {
	keys     map[string]*jwk
	verified *otter.Cache[secretSum, *Grant]
}

// LoadTokens reads a file of keys: a JWK set. Tokens must have the audience.
func LoadTokens(path, audience string) (*Tokens, error) {
	t := &Tokens{audience: audience}
	t.path, t.what = path, "token keys"
	t.parse = func(text []byte) (*keySet, error) {
		keys, err := parseKeySet(text)
		if err != nil {
			return nil, err
		}
		return &keySet{keys, otter.Must(&otter.Options[secretSum, *Grant]{MaximumSize: maxVerified})}, nil
	}
	return t, t.load()
}

// verify returns what the token with the hash opens.
func (t *Tokens) verify(sum secretSum, token []byte, now time.Time) (*Grant, error) {
	set := t.parsed.Load()
	if set == nil {
		return nil, errMissing
	}
	g, ok := set.verified.GetIfPresent(sum)
	if !ok {
		var err error
		if g, err = set.check(string(token), t.audience, now); err != nil {
			return nil, err
		}
		set.verified.Set(sum, g)
	}
	if g.expired(now) {
		return nil, errExpired
	}
	return g, nil
}

var (
	errExpired   = refuse("It has expired: ask for a new one.")
	errUnsigned  = refuse("It is not signed by a key that this API knows, or not by that key's algorithm.")
	errTooLong   = refuse("It has more than %d bytes.", maxToken)
	errMalformed = refuse("It is no JWT (RFC 7519).")
)

// check verifies a token's signature first, then its claims.
func (s *keySet) check(token, audience string, now time.Time) (*Grant, error) {
	if len(token) > maxToken {
		return nil, errTooLong
	}
	if strings.ContainsAny(token, "\r\n") { // which Go's base64 skips
		return nil, errMalformed
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg(), jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(Leeway), jwt.WithTimeFunc(func() time.Time { return now }),
	)
	c := &Claims{}
	_, err := parser.ParseWithClaims(token, c, s.key)
	if err != nil {
		return nil, refusal(err)
	}
	return c.grant(), nil
}

// key returns the key that must have signed the token.
func (s *keySet) key(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	k := s.keys[kid]
	// An extension that must be understood (RFC 7515 §4.1.11) is none of ours.
	if _, critical := t.Header["crit"]; k == nil || critical || t.Method.Alg() != k.method().Alg() {
		return nil, jwt.ErrTokenUnverifiable
	}
	return k.verifier(), nil
}

// refusal returns why a token is not valid.
func refusal(err error) *RefusedError {
	own, ok := errors.AsType[*RefusedError](err)
	switch {
	case ok:
		return own
	case errors.Is(err, jwt.ErrTokenMalformed):
		return errMalformed
	case errors.Is(err, jwt.ErrTokenUnverifiable), errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errUnsigned
	case errors.Is(err, jwt.ErrTokenExpired):
		return errExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return refuse("Its time has not begun: compare the clock of who made it.")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refuse("Its aud does not have this API's.")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return refuse("A claim that is required is missing: sub, aud, iat and exp are, with endpoints and pins.")
	}
	return errUnsigned
}
