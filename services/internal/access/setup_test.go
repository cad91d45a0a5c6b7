package access_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/estela-dev/estela/services/internal/access"
)

// now is when tokens are made and checked.
var now = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

var (
	edPrivate = ed25519.NewKeyFromSeed([]byte(strings.Repeat("e", ed25519.SeedSize)))
	edPublic  = edPrivate.Public().(ed25519.PublicKey)
	shared    = []byte(strings.Repeat("s", 32))
	rotated   = []byte(strings.Repeat("r", 40))
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// keySet has the keys ed, shared and rotated.
var keySet = `{"keys":[
	{"kid":"ed","kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","x":"` + b64(edPublic) + `","x5t":"ignored"},
	{"kid":"shared","kty":"oct","alg":"HS256","k":"` + b64(shared) + `"},
	{"kid":"rotated","kty":"oct","k":"` + b64(rotated) + `"}]}`

// issuer verifies the tokens that sign makes.
type issuer struct {
	*access.Authenticator

	file string
}

func setup(t testing.TB) issuer {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token-keys.json")
	write(t, file, keySet)
	tokens, err := access.LoadTokens(file, access.DefaultAudience)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{&access.Authenticator{Tokens: tokens}, file}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// claims are those of a valid token, with some of them changed; nil removes one.
func claims(changed jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{
		"sub": "customer-42", "aud": "estela", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"endpoints": []string{"flights/departures"}, "pins": map[string]string{"airport": "ATL"},
	}
	for name, value := range changed {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// sign signs claims, as a customer's backend would.
func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, c jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// valid signs the claims with the key ed.
func valid(t testing.TB, changed jwt.MapClaims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodEdDSA, edPrivate, map[string]any{"kid": "ed"}, claims(changed))
}

// text signs a text that need not be one of claims.
func signText(header, payload string, key []byte) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	sum, _ := jwt.SigningMethodHS256.Sign(text, key)
	return text + "." + b64(sum)
}

func payload(t testing.TB, changed jwt.MapClaims) string {
	t.Helper()
	text, err := json.Marshal(claims(changed))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// refused fails the test unless the token is refused with the reason, which has nothing of the token.
func (i issuer) refused(t *testing.T, token, reason string) {
	t.Helper()
	for range 2 { // the second time as a cached one would
		g, err := i.Authenticate([]byte(token), now)
		refused, ok := errors.AsType[*access.RefusedError](err)
		if g != nil || !ok || !strings.Contains(refused.Reason, reason) {
			t.Fatalf("%v, %v; want %q", g, err, reason)
		}
	}
}
