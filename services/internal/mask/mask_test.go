package mask_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/estela-dev/estela/services/internal/mask"
)

func TestURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"redis://localhost:6379/1":                      "redis://localhost:6379/1",
		"redis://user:s3cret@host:1":                    "redis://user:xxxxx@host:1",
		"redis://:s3cret@host:1":                        "redis://:xxxxx@host:1",
		"rediss://s3cret@host":                          "rediss://xxxxx@host",
		"redis://host?password=s3cret":                  "redis://host",
		"redis://host#s3cret":                           "redis://host",
		"unix:///tmp/a.sock?db=1":                       "unix:///tmp/a.sock",
		"unix://user:s3cret@/tmp/a.sock":                "unix://user:xxxxx@/tmp/a.sock",
		"md:flights":                                    "md:flights",
		"md:flights?motherduck_token=s3cret":            "md:flights",
		"https://api.example/v1":                        "https://api.example/v1",
		"https://user:s3cret@api.example/v1?key=s3cret": "https://user:xxxxx@api.example/v1",
		"https://s3cret@github.com/a/b.git":             "https://xxxxx@github.com/a/b.git",
		"https:/s3cret@host/a.git":                      "https:…",
		"postgres:user:s3cret@host":                     "postgres:…",
		"redis://user:s3%ZZcret@host":                   "redis://…",
		"redis://user:s3\x7fcret@host":                  "redis://…",
		"s3cret":                                        "(not a URL)",
		"":                                              "(not a URL)",
		"s3cret s3cret://x":                             "(not a URL)",
	} {
		if got := mask.URL(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"nothing to hide: a=b, c:d", "nothing to hide: a=b, c:d"},
		{"dial redis://host:6379: refused", "dial redis://host:6379: refused"},
		{`Post "https://u:s3cret@host/v1?key=s3cret": dial tcp`, `Post "https://u:xxxxx@host/v1": dial tcp`},
		{"unexpected argument redis://:s3cret@host", "unexpected argument redis://:xxxxx@host"},
		{"--data: stat md:x?motherduck_token=s3cret: no such file", "--data: stat md:x: no such file"},
		{"motherduck_token=s3cret is wrong", "motherduck_token=xxxxx is wrong"},
		{"OTEL_EXPORTER_OTLP_HEADERS has api-key=s3cret&x", "OTEL_EXPORTER_OTLP_HEADERS has api-key=xxxxx&x"},
		{"stat /tmp/https:/s3cret@host/a.git: no such file", "stat /tmp/https:…: no such file"},
		{"PASSWORD=s3cret", "PASSWORD=xxxxx"},
		{"the URL redis://… is wrong, and so is \"https://…\"", "the URL redis://… is wrong, and so is \"https://…\""},
		{"write rediss:// for TLS, or unix://", "write rediss:// for TLS, or unix://"},
		{"the key estela_ABCDEFGHIJKLMNOPQRSTUVWXYZ23 is", "the key estela_xxxxx is"},
		{"the token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl, which", "the token xxxxx, which"},
		{"(see http://a.example/b), and git+ssh://me@host/x.", "(see http://a.example/b), and git+ssh://xxxxx@host/x."},
		{"estela_rejected_total=1", "estela_rejected_total=1"},
		{"two: redis://a:s3cret@b redis://c:s3cret@d/1?x=s3cret\nredis://e:f@g/", "two: redis://a:xxxxx@b redis://c:xxxxx@d/1\nredis://e:xxxxx@g/"},
	} {
		if got := mask.Text(c.text); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"md:a": false, "md:a?saas_mode=true": false, "md:a?motherduck_token=x": true, "md:a?x=1&MOTHERDUCK_TOKEN=x": true,
		"/a/b.duckdb": false, "https://a@b": true, "https://a/b": false, "a?b@c": false,
	} {
		if got := mask.HasSecret(raw); got != want {
			t.Errorf("%q: %t", raw, got)
		}
	}
}

// FuzzMask puts a secret where URLs have one: it is always redacted.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{"s3cret", "a@b", "a b", "%ZZ", "://", "?x=", "#", "\x00", "é", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, more string) {
		const marker = "Tr0ub4dor"
		secret := marker + more
		for _, raw := range []string{
			"redis://user:" + secret + "@host/1", "redis://" + url.UserPassword("u", secret).String() + "@host",
			"https://host/path?token=" + secret, "https://host/path?a=" + url.QueryEscape(secret), "https://host/#" + secret, "md:db?motherduck_token=" + secret,
		} {
			if strings.ContainsAny(more, "/@\n") || strings.ContainsFunc(more, unicode.IsSpace) && strings.Contains(raw, "?") {
				continue // then it is no longer where secrets are
			}
			if got := mask.URL(raw); strings.Contains(got, marker) {
				t.Errorf("%q: %q", raw, got)
			}
			if got := mask.Text("before " + raw + " behind"); strings.Contains(got, marker) {
				t.Errorf("in a text, %q: %q", raw, got)
			}
		}
	})
}
