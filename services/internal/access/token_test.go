package access_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/estela-dev/estela/services/internal/access"
)

func TestTokensAreAccepted(t *testing.T) {
	t.Parallel()
	i := setup(t)
	for name, token := range map[string]string{
		"EdDSA":              valid(t, nil),
		"HS256":              sign(t, jwt.SigningMethodHS256, shared, map[string]any{"kid": "shared"}, claims(nil)),
		"another key":        sign(t, jwt.SigningMethodHS256, rotated, map[string]any{"kid": "rotated"}, claims(nil)),
		"several audiences":  valid(t, jwt.MapClaims{"aud": []string{"other", "estela"}}),
		"a day":              valid(t, jwt.MapClaims{"exp": now.Add(access.MaxLifetime).Unix()}),
		"clocks that differ": valid(t, jwt.MapClaims{"iat": now.Add(access.Leeway).Unix(), "nbf": now.Add(access.Leeway).Unix()}),
		"unknown claims":     valid(t, jwt.MapClaims{"name": "Ann", "scope": "everything", "Endpoints": []string{"*"}, "datasets": "*", "write": "*"}),
		"other types":        sign(t, jwt.SigningMethodEdDSA, edPrivate, map[string]any{"kid": "ed", "typ": "at+jwt", "x": "y"}, claims(nil)),
	} {
		for range 2 { // the second time from the cache
			g, err := i.Authenticate([]byte(token), now)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if g.Subject != "token:customer-42" || !g.IsToken() || !g.Opens("flights/departures", []string{"flights"}) || g.Pins().Values()["airport"] != "ATL" {
				t.Errorf("%s: %+v", name, g)
			}
			if g.Opens("flights/delays", nil) || g.Opens("flights/departures/x", nil) || g.Reads("flights") || g.Writes("flights") || g.ReadsAll() {
				t.Errorf("%s opens more than it says: %+v", name, g)
			}
		}
	}
	if g, err := i.Authenticate([]byte(valid(t, jwt.MapClaims{"rate": 7})), now); err != nil || g.Rate != 7 {
		t.Errorf("%v: %+v", err, g)
	}
}

// TestTokensAreRefused has a test for each way in which a token is not valid.
func TestTokensAreRefused(t *testing.T) {
	t.Parallel()
	i := setup(t)
	hs := map[string]any{"kid": "shared"}
	segments := func(token string) []string { return strings.Split(token, ".") }
	good := segments(valid(t, nil))
	other := segments(valid(t, jwt.MapClaims{"sub": "customer-43"}))
	const unsigned, malformed = "is not signed by a key", "is no JWT"
	for name, c := range map[string]struct{ token, reason string }{
		"alg none":                    {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, map[string]any{"kid": "ed"}, claims(nil)), unsigned},
		"alg None":                    {b64([]byte(`{"alg":"None","kid":"ed"}`)) + "." + good[1] + ".", unsigned},
		"alg none of a shared secret": {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, hs, claims(nil)), unsigned},
		"no alg":                      {b64([]byte(`{"kid":"ed"}`)) + "." + good[1] + "." + good[2], unsigned},
		"alg that is no text":         {b64([]byte(`{"alg":1,"kid":"ed"}`)) + "." + good[1] + "." + good[2], unsigned},
		"alg confusion: the public key as a secret":             {sign(t, jwt.SigningMethodHS256, []byte(edPublic), map[string]any{"kid": "ed"}, claims(nil)), unsigned},
		"alg confusion: the public key's base64url as a secret": {sign(t, jwt.SigningMethodHS256, []byte(b64(edPublic)), map[string]any{"kid": "ed"}, claims(nil)), unsigned},
		"alg confusion: EdDSA with the kid of a secret":         {sign(t, jwt.SigningMethodEdDSA, edPrivate, hs, claims(nil)), unsigned},
		"alg confusion: HS512 with the secret":                  {sign(t, jwt.SigningMethodHS512, shared, hs, claims(nil)), unsigned},
		"alg confusion: HS384 with the secret":                  {sign(t, jwt.SigningMethodHS384, shared, hs, claims(nil)), unsigned},
		"alg in lower case":                                     {signText(`{"alg":"hs256","kid":"shared"}`, payload(t, nil), shared), unsigned},
		"unknown kid":                                           {sign(t, jwt.SigningMethodEdDSA, edPrivate, map[string]any{"kid": "eD"}, claims(nil)), unsigned},
		"no kid":                                                {sign(t, jwt.SigningMethodEdDSA, edPrivate, nil, claims(nil)), unsigned},
		"kid that is no text":                                   {sign(t, jwt.SigningMethodEdDSA, edPrivate, map[string]any{"kid": []string{"ed"}}, claims(nil)), unsigned},
		"kid of another key":                                    {sign(t, jwt.SigningMethodHS256, shared, map[string]any{"kid": "rotated"}, claims(nil)), unsigned},
		"another secret":                                        {sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), hs, claims(nil)), unsigned},
		"an empty secret":                                       {sign(t, jwt.SigningMethodHS256, []byte{}, hs, claims(nil)), unsigned},
		"a key of its own":                                      {signText(`{"alg":"HS256","kid":"own","jwk":{"kty":"oct","kid":"own","k":"`+b64(rotated)+`"}}`, payload(t, nil), rotated), unsigned},
		"a key from elsewhere":                                  {signText(`{"alg":"HS256","kid":"shared","jku":"http://127.0.0.1:1/keys"}`, payload(t, nil), rotated), unsigned},
		"an extension that must be understood":                  {signText(`{"alg":"HS256","kid":"shared","crit":["b64"],"b64":false}`, payload(t, nil), shared), unsigned},
		"a changed claim":                                       {good[0] + "." + other[1] + "." + good[2], unsigned},
		"another signature":                                     {good[0] + "." + good[1] + "." + other[2], unsigned},
		"no signature":                                          {good[0] + "." + good[1] + ".", unsigned},
		"a signature cut short":                                 {good[0] + "." + good[1] + "." + good[2][:80], unsigned},
		"bits after the signature":                              {good[0] + "." + good[1] + "." + good[2][:85] + "_", malformed},
		"padding":                                               {strings.Join(good, ".") + "==", malformed},
		"no header":                                             {"." + good[1] + "." + good[2], malformed},
		"no JSON":                                               {signText(`{"alg":"HS256","kid":"shared"}`, "hello", shared), malformed},
		"an array":                                              {signText(`{"alg":"HS256","kid":"shared"}`, "[]", shared), malformed},
		"null":                                                  {signText(`{"alg":"HS256","kid":"shared"}`, "null", shared), "is not valid"},
		"a claim twice":                                         {signText(`{"alg":"HS256","kid":"shared"}`, strings.Replace(payload(t, nil), `{"aud"`, `{"pins":{},"aud"`, 1), shared), malformed},
		"a pin twice":                                           {signText(`{"alg":"HS256","kid":"shared"}`, strings.Replace(payload(t, nil), `"airport"`, `"airport":"LAX","airport"`, 1), shared), malformed},
		"expired":                                               {valid(t, jwt.MapClaims{"iat": now.Add(-time.Hour).Unix(), "exp": now.Unix()}), "has expired"},
		"expired a second ago":                                  {valid(t, jwt.MapClaims{"iat": now.Add(-time.Hour).Unix(), "exp": now.Unix() - 1}), "has expired"},
		"expired long ago":                                      {valid(t, jwt.MapClaims{"iat": 1, "exp": 2}), "has expired"},
		"not yet valid":                                         {valid(t, jwt.MapClaims{"nbf": now.Add(access.Leeway + time.Second).Unix()}), "has not begun"},
		"made in the future":                                    {valid(t, jwt.MapClaims{"iat": now.Add(access.Leeway + time.Second).Unix()}), "has not begun"},
		"valid for too long":                                    {valid(t, jwt.MapClaims{"exp": now.Add(access.MaxLifetime + time.Second).Unix()}), "at most 24h"},
		"valid for ever":                                        {valid(t, jwt.MapClaims{"exp": 1e300}), "is not valid"},
		"no exp":                                                {valid(t, jwt.MapClaims{"exp": nil}), "must have iat and exp"},
		"no iat":                                                {valid(t, jwt.MapClaims{"iat": nil}), "must have iat and exp"},
		"exp that is no number":                                 {valid(t, jwt.MapClaims{"exp": "never"}), "Its exp is of another type"},
		"wrong audience":                                        {valid(t, jwt.MapClaims{"aud": "another"}), "Its aud"},
		"wrong audiences":                                       {valid(t, jwt.MapClaims{"aud": []string{"another", "Estela", "estela2"}}), "Its aud"},
		"no audience":                                           {valid(t, jwt.MapClaims{"aud": nil}), "is required"},
		"empty audience":                                        {valid(t, jwt.MapClaims{"aud": []string{}}), "is required"},
		"no subject":                                            {valid(t, jwt.MapClaims{"sub": nil}), "Its sub"},
		"a long subject":                                        {valid(t, jwt.MapClaims{"sub": strings.Repeat("a", 129)}), "Its sub"},
		"a subject of two lines":                                {valid(t, jwt.MapClaims{"sub": "a\nb"}), "Its sub"},
		"no endpoints":                                          {valid(t, jwt.MapClaims{"endpoints": nil}), "Its endpoints"},
		"empty endpoints":                                       {valid(t, jwt.MapClaims{"endpoints": []string{}}), "Its endpoints"},
		"endpoints that are a text":                             {valid(t, jwt.MapClaims{"endpoints": "flights/departures"}), "Its endpoints is of another type"},
		"every dataset":                                         {valid(t, jwt.MapClaims{"endpoints": []string{"*"}}), "Its endpoints"},
		"every endpoint":                                        {valid(t, jwt.MapClaims{"endpoints": []string{"flights/*"}}), "Its endpoints"},
		"an endpoint without dataset":                           {valid(t, jwt.MapClaims{"endpoints": []string{"flights/departures", "departures"}}), "Its endpoints"},
		"an endpoint of a path":                                 {valid(t, jwt.MapClaims{"endpoints": []string{"/v1/flights/departures"}}), "Its endpoints"},
		"misspelt pins":                                         {valid(t, jwt.MapClaims{"pins": nil, "pin": map[string]string{"airport": "ATL"}}), "must have pins"},
		"pins in upper case":                                    {valid(t, jwt.MapClaims{"pins": nil, "Pins": map[string]string{"airport": "ATL"}}), "must have pins"},
		"pins that are null":                                    {signText(`{"alg":"HS256","kid":"shared"}`, strings.Replace(payload(t, nil), `{"airport":"ATL"}`, "null", 1), shared), malformed},
		"pins that are a list":                                  {valid(t, jwt.MapClaims{"pins": []string{"airport"}}), malformed},
		"a pin that is null":                                    {valid(t, jwt.MapClaims{"pins": map[string]any{"airport": nil}}), "Its pins"},
		"a pin that is empty":                                   {valid(t, jwt.MapClaims{"pins": map[string]any{"airport": ""}}), "Its pins"},
		"a pin that is a number":                                {valid(t, jwt.MapClaims{"pins": map[string]any{"airport": 1}}), "Its pins must each have a text as value"},
		"a pin of several values":                               {valid(t, jwt.MapClaims{"pins": map[string]any{"airport": []string{"ATL"}}}), "Its pins must each have a text as value"},
		"a negative rate":                                       {valid(t, jwt.MapClaims{"rate": -1}), "Its rate"},
		"a huge rate":                                           {valid(t, jwt.MapClaims{"rate": 1_000_001}), "Its rate"},
		"oversized":                                             {valid(t, jwt.MapClaims{"name": strings.Repeat("a", 4<<10)}), "more than 4096 bytes"},
		"an API key with dots":                                  {"estela_a.b.c", malformed},
		"not a token":                                           {"estela_abc", "API key is unknown"},
		"four parts":                                            {strings.Join(good, ".") + ".x", "API key is unknown"},
		"encrypted":                                             {strings.Join(good, ".") + ".x.y", "API key is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i.refused(t, c.token, c.reason)
		})
	}
}

// A token ends at its exp, also one that was valid when it was cached.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	i := setup(t)
	token := []byte(valid(t, nil))
	for at, want := range map[time.Time]bool{now: true, now.Add(time.Hour - time.Nanosecond): true, now.Add(time.Hour): false, now.Add(24 * time.Hour): false} {
		if _, err := i.Authenticate(token, now); err != nil { // it is cached
			t.Fatal(err)
		}
		if _, err := i.Authenticate(token, at); (err == nil) != want {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

// Keys are rotated in their file. A removed key ends its tokens at once, cached ones too; an invalid file
// changes nothing, and without a file no token is valid.
func TestTokenKeysAreRotated(t *testing.T) {
	t.Parallel()
	i := setup(t)
	by := map[string]string{
		"ed": valid(t, nil), "rotated": sign(t, jwt.SigningMethodHS256, rotated, map[string]any{"kid": "rotated"}, claims(nil)),
	}
	wants := func(when string, want map[string]bool) {
		t.Helper()
		for kid, token := range by {
			if _, err := i.Authenticate([]byte(token), now); (err == nil) != want[kid] {
				t.Errorf("%s, %s: %v", when, kid, err)
			}
		}
	}
	wants("at first", map[string]bool{"ed": true, "rotated": true})
	write(t, i.file, `{"keys":[{"kid":"rotated","kty":"oct","k":"`+b64(rotated)+`"}]}`)
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
	wants("without ed", map[string]bool{"rotated": true})
	write(t, i.file, `{"keys":`)
	if err := i.Reload(); err == nil || !strings.Contains(err.Error(), i.file) {
		t.Errorf("%v", err)
	}
	wants("of an invalid file", map[string]bool{"rotated": true})
	if err := os.Remove(i.file); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*access.MissingError](i.Reload()); !ok {
		t.Error("a missing file was loaded")
	}
	wants("without a file", nil)
	write(t, i.file, keySet)
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
	wants("of the file again", map[string]bool{"ed": true, "rotated": true})
}

func TestTokenKeysAreRefused(t *testing.T) {
	t.Parallel()
	ed := `"kty":"OKP","crv":"Ed25519","x":"` + b64(edPublic) + `"`
	i := setup(t)
	for text, want := range map[string]string{
		``:                        "no JWK set",
		`[]`:                      "no JWK set",
		`{}`:                      "no JWK set",
		`{"keys":[null]}`:         "key 1 is null",
		`{"keys":[{` + ed + `}]}`: "kid must be",
		`{"keys":[{"kid":"a",` + ed + `},{"kid":"a",` + ed + `}]}`:                      "key 2: the kid a is taken",
		`{"keys":[{"kid":"a","d":"` + b64(edPrivate.Seed()) + `",` + ed + `}]}`:         "has a private part",
		`{"keys":[{"kid":"a","alg":"HS256",` + ed + `}]}`:                               "signs by EdDSA",
		`{"keys":[{"kid":"a","use":"enc",` + ed + `}]}`:                                 "use must be sig",
		`{"keys":[{"kid":"a","kty":"RSA","n":"AQAB","e":"AQAB"}]}`:                      "not supported",
		`{"keys":[{"kid":"a","kty":"OKP","crv":"X25519","x":"` + b64(edPublic) + `"}]}`: "not supported",
		`{"keys":[{"kid":"a","kty":"OKP","crv":"Ed25519","x":"AAAA"}]}`:                 "32 bytes",
		`{"keys":[{"kid":"a","kty":"oct","k":"` + b64(shared[:31]) + `"}]}`:             "at least 32",
		`{"keys":[{"kid":"a","kty":"oct","alg":"EdDSA","k":"` + b64(shared) + `"}]}`:    "signs by HS256",
		`{"keys":[{"kid":"a","kty":"oct","alg":"none","k":"` + b64(shared) + `"}]}`:     "signs by HS256",
	} {
		write(t, i.file, text)
		if err := i.Reload(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), b64(shared)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// Generated keys sign what their public part verifies, and nobody else's does.
func TestSigningKeys(t *testing.T) {
	t.Parallel()
	i := setup(t)
	for _, alg := range []string{"EdDSA", "HS256"} {
		key, err := access.NewSigningKey(alg, "")
		if err != nil {
			t.Fatal(err)
		}
		if key, err = access.ParseSigningKey(key.Text()); err != nil {
			t.Fatal(err)
		}
		c := &access.Claims{Endpoints: []string{"a/b"}, Pins: map[string]string{}}
		c.Subject, c.Audience, c.IssuedAt, c.ExpiresAt = "x", jwt.ClaimStrings{"estela"}, jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(time.Minute))
		token, err := key.Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		i.refused(t, token, "is not signed by a key")
		if err := access.AppendTokenKey(i.file, key); err != nil {
			t.Fatal(err)
		}
		if err := i.Reload(); err != nil {
			t.Fatal(err)
		}
		if g, err := i.Authenticate([]byte(token), now); err != nil || g.Subject != "token:x" {
			t.Errorf("%v: %+v", err, g)
		}
		var public map[string]string
		if err := json.Unmarshal(key.Public(), &public); err != nil || public["d"] != "" || public["alg"] != alg || public["kid"] != key.ID() {
			t.Errorf("%v: %s", err, key.Public())
		}
		c.Pins = nil
		if _, err := key.Sign(c); err == nil {
			t.Error("a token was signed that would be refused")
		}
	}
	for text, want := range map[string]string{
		"{": "no JWK", `{"kid":"a"}`: "not supported",
		`{"kid":"a","kty":"OKP","crv":"Ed25519","x":"` + b64(edPublic) + `"}`:                                                    "can't sign",
		`{"kid":"a","kty":"OKP","crv":"Ed25519","x":"` + b64(edPublic) + `","d":"` + b64([]byte(strings.Repeat("x", 32))) + `"}`: "can't sign",
	} {
		if _, err := access.ParseSigningKey([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A token can't take a key's name, nor an address: they are other clients to every limit.
func TestSubjectsAreApart(t *testing.T) {
	t.Parallel()
	i := setup(t)
	for _, sub := range []string{"partner", "192.0.2.1", "2001:db8::/64", "token:partner"} {
		g, err := i.Authenticate([]byte(valid(t, jwt.MapClaims{"sub": sub})), now)
		if err != nil || g.Subject != "token:"+sub {
			t.Errorf("%s: %v, %+v", sub, err, g)
		}
	}
	_, key := access.NewKey("token:partner", []string{"*"})
	text, err := json.Marshal([]access.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := access.ParseKeys(text); err == nil {
		t.Error("a key has the subject of a token")
	}
}

// Pins are part of a key unambiguously: no two sets of pins and rests make the same one.
func TestPinsAreUnambiguous(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, pins := range []map[string]string{
		nil, {"a": "b"}, {"a": "bc"}, {"ab": "c"}, {"a": "b", "c": "d"}, {"a": "b\x01c\x01d"}, {"": "a"}, {"a": ""}, {"a": strings.Repeat("b", 200)},
	} {
		key := string(access.NewPins(pins).AppendKey(nil))
		for _, rest := range []string{"", "a", "\x01a\x01b", "\x04\x01a\x01b", "\x00"} {
			what := key + "|" + rest
			if other, ok := seen[key+rest]; ok {
				t.Errorf("%q and %q are the same key", what, other)
			}
			seen[key+rest] = what
		}
	}
}

// FuzzToken: nothing that is no token of ours is accepted, and nothing stops the verifier.
func FuzzToken(f *testing.F) {
	i := setup(f)
	good := valid(f, nil)
	accepted := map[string]bool{}
	for _, token := range []string{good, sign(f, jwt.SigningMethodHS256, shared, map[string]any{"kid": "shared"}, claims(nil))} {
		accepted[token] = true
		f.Add([]byte(token))
	}
	f.Add([]byte(b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(payload(f, nil))) + "."))
	f.Add([]byte(good + "\n"))
	f.Add([]byte(".."))
	f.Fuzz(func(t *testing.T, token []byte) {
		if g, err := i.Authenticate(token, now); (err == nil) != accepted[string(token)] || (g == nil) != (err != nil) {
			t.Errorf("%q: %+v, %v", token, g, err)
		}
	})
}

// FuzzClaims: whoever signs may write anything; what is accepted opens what it lists, for a day at most.
func FuzzClaims(f *testing.F) {
	i := setup(f)
	f.Add(payload(f, nil))
	f.Add(`{"pins":{},"pins":null}`)
	f.Fuzz(func(t *testing.T, claims string) {
		token := signText(`{"alg":"HS256","kid":"shared"}`, claims, shared)
		g, err := i.Authenticate([]byte(token), now)
		if err != nil {
			return
		}
		if !strings.HasPrefix(g.Subject, access.TokenPrefix) || !g.IsToken() || g.Writes("a") || g.Reads("a") || g.Expires.After(now.Add(access.MaxLifetime+access.Leeway)) || !now.Before(g.Expires) {
			t.Errorf("%s: %+v", claims, g)
		}
	})
}
