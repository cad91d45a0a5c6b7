package access

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// jwk is a JSON Web Key (RFC 7517, RFC 8037): Ed25519's, or a shared secret. Other members are ignored,
// as the RFC has it.
type jwk struct {
	Kid string `json:"kid"`
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	Alg string `json:"alg,omitempty"`
	Use string `json:"use,omitempty"`
	X   string `json:"x,omitempty"` // Ed25519's public key
	D   string `json:"d,omitempty"` // and its private one
	K   string `json:"k,omitempty"` // the secret
}

// minSecret is the length of the shortest shared secret, in bytes: HS256's (RFC 7518 §3.2).
const minSecret = 32

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// method returns how the key signs.
func (k *jwk) method() jwt.SigningMethod {
	if k.Kty == "oct" {
		return jwt.SigningMethodHS256
	}
	return jwt.SigningMethodEdDSA
}

// validate returns what is wrong with the key. Its errors have nothing of it but its kid.
func (k *jwk) validate() error {
	switch {
	case !keyID.MatchString(k.Kid):
		return errors.New("kid must be 1 to 64 letters, digits and . _ -")
	case k.Kty != "oct" && (k.Kty != "OKP" || k.Crv != "Ed25519"):
		return fmt.Errorf(`key %s: kty %q is not supported: it is OKP with crv Ed25519, or oct`, k.Kid, k.Kty)
	case k.Alg != "" && k.Alg != k.method().Alg():
		return fmt.Errorf("key %s: a key of kty %s signs by %s, not by its alg %q", k.Kid, k.Kty, k.method().Alg(), k.Alg)
	case k.Use != "" && k.Use != "sig":
		return fmt.Errorf("key %s: use must be sig, not %q", k.Kid, k.Use)
	case k.Kty == "oct":
		if secret, err := decode(k.K); err != nil || len(secret) < minSecret {
			return fmt.Errorf("key %s: k must be a secret of at least %d random bytes, in base64url", k.Kid, minSecret)
		}
	default:
		if public, err := decode(k.X); err != nil || len(public) != ed25519.PublicKeySize {
			return fmt.Errorf("key %s: x must be the public key's %d bytes, in base64url", k.Kid, ed25519.PublicKeySize)
		}
	}
	return nil
}

func decode(text string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(text) }

// verifier returns what verifies the key's signatures.
func (k *jwk) verifier() any {
	if k.Kty == "oct" {
		secret, _ := decode(k.K) // validated
		return secret
	}
	public, _ := decode(k.X)
	return ed25519.PublicKey(public)
}

// parseKeySet parses a JWK set (RFC 7517 §5): the keys by their kid.
func parseKeySet(text []byte) (map[string]*jwk, error) {
	var set struct {
		Keys []*jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errors.Join(errors.New(`it is no JWK set: {"keys":[…]}, which 'estela token key new' writes`), err)
	}
	byID := map[string]*jwk{}
	for i, k := range set.Keys {
		if k == nil {
			return nil, fmt.Errorf("key %d is null", i+1)
		}
		if err := k.validate(); err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if k.D != "" {
			return nil, fmt.Errorf("key %d: %s has a private part, d: take it out, for who can read it here can make tokens", i+1, k.Kid)
		}
		if byID[k.Kid] != nil {
			return nil, fmt.Errorf("key %d: the kid %s is taken", i+1, k.Kid)
		}
		byID[k.Kid] = k
	}
	return byID, nil
}

// SigningKey is a key that signs tokens.
type SigningKey struct{ jwk }

// NewSigningKey generates a key: alg is EdDSA or HS256, kid a name for it, random if it is empty.
func NewSigningKey(alg, kid string) (*SigningKey, error) {
	if kid == "" {
		kid = strings.ToLower(rand.Text()[:12])
	}
	k := &SigningKey{jwk{Kid: kid, Alg: alg, Use: "sig"}}
	if alg == jwt.SigningMethodHS256.Alg() {
		secret := make([]byte, minSecret)
		_, _ = rand.Read(secret) // never fails
		k.Kty, k.K = "oct", base64.RawURLEncoding.EncodeToString(secret)
		return k, k.validate()
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	k.Kty, k.Crv = "OKP", "Ed25519"
	k.X, k.D = base64.RawURLEncoding.EncodeToString(public), base64.RawURLEncoding.EncodeToString(private.Seed())
	return k, k.validate()
}

// ParseSigningKey parses a JWK with its private part, or with a shared secret.
func ParseSigningKey(text []byte) (*SigningKey, error) {
	k := &SigningKey{}
	if err := json.Unmarshal(text, &k.jwk); err != nil {
		return nil, errors.New("it is no JWK, which 'estela token key new' writes") // without the error, which could quote the key
	}
	if err := k.validate(); err != nil {
		return nil, err
	}
	if seed, err := decode(k.D); k.Kty == "OKP" && (err != nil || len(seed) != ed25519.SeedSize || !bytes.Equal(ed25519.NewKeyFromSeed(seed)[ed25519.SeedSize:], k.verifier().(ed25519.PublicKey))) {
		return nil, fmt.Errorf("key %s: d must be the private key of x: a key set's public key can't sign", k.Kid)
	}
	return k, nil
}

// Text returns the key as a JWK, with all its parts.
func (k *SigningKey) Text() []byte {
	text, _ := json.Marshal(k.jwk) // strings can always be marshalled
	return append(text, '\n')
}

// Public returns the JWK for a key set. That of a shared secret is the secret.
func (k *SigningKey) Public() json.RawMessage {
	public := k.jwk
	public.D = ""
	text, _ := json.Marshal(public)
	return text
}

// ID is the key's kid.
func (k *SigningKey) ID() string { return k.Kid }

// signer returns what signs.
func (k *SigningKey) signer() any {
	if k.Kty == "oct" {
		return k.verifier()
	}
	seed, _ := decode(k.D) // validated
	return ed25519.NewKeyFromSeed(seed)
}
