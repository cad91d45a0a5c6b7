package access_test

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/estela-dev/estela/services/internal/access"
)

// A customer's own backend makes a token for one of its customers, with nothing of Estela but the claims
// that package access documents.
func Example_token() {
	public, private, _ := ed25519.GenerateKey(strings.NewReader(strings.Repeat("random", 8)))
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "token-keys.json") // of --token-keys
	_ = os.WriteFile(file, []byte(`{"keys":[{"kid":"2026-01","kty":"OKP","crv":"Ed25519","x":"`+b64(public)+`"}]}`), 0o600)

	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"sub": "customer-42", "aud": "estela",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"endpoints": []string{"flights/departures"},
		"pins":      map[string]string{"airport": "ATL"},
	})
	token.Header["kid"] = "2026-01"
	text, _ := token.SignedString(private)

	tokens, _ := access.LoadTokens(file, access.DefaultAudience)
	g, _ := (&access.Authenticator{Tokens: tokens}).Authenticate([]byte(text), time.Now())
	fmt.Println(g.Subject, g.Pins().Values(), g.Opens("flights/departures", nil), g.Opens("flights/delays", nil))
	// Output: token:customer-42 map[airport:ATL] true false
}
