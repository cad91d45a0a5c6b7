package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/stream"
)

// googleUser is the only user name of Memorystore for Valkey with IAM authentication; the access
// token identifies the account.
const googleUser = "default"

// googleScope is the OAuth scope of the access tokens.
const googleScope = "https://www.googleapis.com/auth/cloud-platform"

// redisFlags configure TLS and the login of a remote Redis.
type redisFlags struct {
	RedisCA   string `name:"redis-ca" help:"CA certificates for rediss://: a PEM file, or the PEM text itself. Default: the system's." placeholder:"FILE"`
	RedisAuth string `help:"Login (${enum}): the user of the URL, or this machine's Google account with tokens that are renewed (Memorystore for Valkey)." enum:"url,google" default:"url"`
}

// config returns the configuration of a connection to the server at url.
func (f *redisFlags) config(ctx context.Context, url string, log *slog.Logger) (stream.Config, error) {
	cfg := stream.Config{URL: url, Logger: log}
	var err error
	if cfg.CA, err = f.certificates(); err != nil {
		return cfg, err
	}
	if f.RedisAuth != "google" {
		return cfg, nil
	}
	if !strings.HasPrefix(url, "rediss://") {
		return cfg, fault.Usagef("--redis-auth=google for %s: a token must not be sent unencrypted; give --redis rediss://HOST:PORT", stream.Redact(url))
	}
	cfg.Login, err = googleLogin(ctx)
	return cfg, err
}

// certificates returns the PEM of --redis-ca: the flag's value itself, as containers have variables
// rather than files, or the file that it names.
func (f *redisFlags) certificates() ([]byte, error) {
	if f.RedisCA == "" || strings.HasPrefix(strings.TrimSpace(f.RedisCA), "-----BEGIN ") {
		return []byte(f.RedisCA), nil
	}
	text, err := os.ReadFile(f.RedisCA)
	if err != nil {
		return nil, fault.Usagef("read the certificates of --redis-ca: %w", err)
	}
	return text, nil
}

// openRedis connects to the server at url, waits until it has loaded its data and refuses a
// configuration that could lose events.
func (f *redisFlags) openRedis(ctx context.Context, url string, log *slog.Logger) (*stream.Client, error) {
	cfg, err := f.config(ctx, url, log)
	if err != nil {
		return nil, err
	}
	client, err := stream.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := client.AwaitLoaded(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	if err := client.Check(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// redisURL returns the server of the flags or of the running process.
func (g *Globals) redisURL(ctx context.Context) (string, error) {
	if g.Redis != "" {
		return g.Redis, nil
	}
	running, err := datadir.Running(ctx, g.DataDir)
	if err != nil {
		return "", err
	}
	if running == nil || running.Redis == "" {
		return "", fault.Usagef("no Redis: nothing runs in %s; start 'estela up' there, or give --redis or --data-dir", g.DataDir)
	}
	return running.Redis, nil
}

// withoutPassword returns the URL if it can be stored in a file, or "" if it has a password or
// anything else that Redact removes: other commands then need --redis.
func withoutPassword(url string) string {
	if stream.Redact(url) != url {
		return ""
	}
	return url
}

// googleTokens returns a source of access tokens of this machine's Google account, each reused until
// shortly before it expires.
func googleTokens(ctx context.Context) (oauth2.TokenSource, error) {
	// Not the caller's ctx: it may be that of one request, and tokens are renewed for as
	// long as the process lives.
	credentials, err := google.FindDefaultCredentials(context.WithoutCancel(ctx), googleScope)
	if err != nil {
		return nil, fmt.Errorf("find a Google account: %w", err)
	}
	return oauth2.ReuseTokenSource(nil, credentials.TokenSource), nil
}

// googleLogin returns a login with access tokens of the metadata server or of gcloud's credentials.
func googleLogin(ctx context.Context) (func(context.Context) (user, password string, err error), error) {
	tokens, err := googleTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w for --redis-auth=google", err)
	}
	return func(context.Context) (user, password string, err error) {
		token, err := tokens.Token()
		if err != nil {
			// The token server's response is left out: it may contain a token.
			return "", "", errors.New("get an access token of Google for Redis: the metadata server or gcloud's credentials gave none; " +
				"see that the service account exists and has roles/memorystore.dbConnectionUser")
		}
		return googleUser, token.AccessToken, nil
	}, nil
}
