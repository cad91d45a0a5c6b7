package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// metadata stands in for the server that gives Google's machines their tokens: another
// one each time, which ends at once, so that each connection needs its own.
func metadata(t *testing.T, server *redistest.Server) (given *atomic.Int64) {
	t.Helper()
	given = new(atomic.Int64)
	stand := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" {
			http.Error(w, "no metadata without the header", http.StatusForbidden)
			return
		}
		w.Header().Set("Metadata-Flavor", "Google")
		if !strings.HasSuffix(r.URL.Path, "/token") {
			return
		}
		token := fmt.Sprintf("token-%d", given.Add(1))
		server.Do("ACL", "SETUSER", "default", "resetpass", ">"+token)
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":1,"token_type":"Bearer"}`, token)
	}))
	t.Cleanup(stand.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(stand.URL, "http://"))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", t.TempDir()) // where gcloud's credentials would be
	return given
}

// As on Google Cloud: TLS with a certificate authority of the server's own, given as
// text, and a token for each connection.
func TestRedisWithGoogleLogin(t *testing.T) {
	secure := redistest.NewTLS(t)
	server := redistest.Start(t, secure.Option())
	given := metadata(t, server)
	ca, err := os.ReadFile(secure.CA)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ESTELA_REDIS_CA", string(ca))
	event := `{"sent_at":"2026-01-31T12:00:00Z","id":"K3VQ5T2Y7M4R","source":"test"}`
	args := []string{"publish", "canary", "--redis", secure.URL, "--redis-auth", "google", "--data-dir", t.TempDir()}
	code, out, errs := command(t, event, args...)
	if code != exitDone || given.Load() < 2 {
		t.Errorf("exit %d after %d tokens: %s%s", code, given.Load(), out, errs)
	}
	if n := server.Do("XLEN", "estela:{canary:0}"); n != int64(1) {
		t.Errorf("%v entries in the stream", n)
	}
	if strings.Contains(out+errs, "token-") {
		t.Errorf("a token is shown: %s%s", out, errs)
	}
}

func TestRedisFlagsAreChecked(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"must not be sent unencrypted": {"--redis", "redis://127.0.0.1:1", "--redis-auth", "google"},
		"read the certificates":        {"--redis", "rediss://127.0.0.1:1", "--redis-ca", "/nowhere.pem"},
		"PEM is expected":              {"--redis", "rediss://127.0.0.1:1", "--redis-ca=-----BEGIN NOTHING"},
		"write rediss://":              {"--redis", "redis://127.0.0.1:1", "--redis-ca=-----BEGIN NOTHING"},
	} {
		code, _, errs := command(t, "{}", append([]string{"publish", "canary", "--data-dir", t.TempDir()}, args...)...)
		if code == exitDone || !strings.Contains(errs, says) {
			t.Errorf("%q: exit %d: %s, want %s", args, code, errs, says)
		}
	}
}
