package stream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/estela-dev/estela/services/internal/mask"
)

// Config configures the connection to Redis.
type Config struct {
	// URL is redis://, rediss:// (TLS) or unix://, with user, password and
	// database where needed.
	URL string

	// CA are the certificates, in PEM, of which one must have signed that of a
	// rediss:// server.
	//
	// Default: the system's.
	CA []byte

	// Login returns the user and the password for each new connection, where they
	// change: a token that expires.
	//
	// Default: those of the URL.
	Login func(ctx context.Context) (user, password string, err error)

	// Logger logs warnings for operators.
	//
	// Default: nothing is logged.
	Logger *slog.Logger
}

// Client is a connection pool to one Redis server. It is safe for concurrent
// use.
type Client struct {
	rdb     commands
	dialing *dialing
	logger  *slog.Logger
	where   string
}

// commands is what is used of go-redis' client. No type of this package has that client in a field or
// the signature of a method: each package that imports this one would compile 1500 functions of its types,
// more than a second of processor time.
type commands interface {
	redis.Cmdable
	Do(ctx context.Context, args ...any) *redis.Cmd
	Close() error
}

// quiet keeps go-redis from logging to stderr: all it logs is returned as an
// error as well.
var quiet = sync.OnceFunc(logging.Disable)

// Open connects to the server and reads its INFO. It does not check whether
// the server may be used: see [Client.Check].
func Open(ctx context.Context, cfg Config) (*Client, error) {
	opts, err := options(cfg)
	if err != nil {
		return nil, err
	}
	quiet()
	rdb := redis.NewClient(opts)
	c := &Client{rdb: rdb, dialing: newDialing(rdb.Options()), logger: cfg.Logger, where: Redact(cfg.URL)}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if _, err := c.info(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to Redis at %s: %w", c.where, err), c.Close())
	}
	return c, nil
}

// Close closes every connection.
func (c *Client) Close() error { return c.rdb.Close() }

// String is the server's URL without its password.
func (c *Client) String() string { return c.where }

// parseURL repeats no more of the URL in its errors than [mask.URL] leaves: any part of one
// that can't be parsed may be the password.
func parseURL(raw string) (*redis.Options, error) {
	opts, err := redis.ParseURL(raw)
	if err != nil {
		return nil, fmt.Errorf("the Redis URL %s is not understood: write redis://localhost:6379/0, with USER:PASSWORD@ before the host "+
			"for a login; rediss:// in its place for TLS, unix:///PATH.sock for a socket; "+
			"percent-encode any of :/?#@%% in the password", Redact(raw))
	}
	// A read is never retried: its reply may be lost after it moved a cursor.
	opts.MaxRetries = -1
	opts.Protocol = 2
	opts.ClientName = "estela"
	opts.DisableIdentity = true
	opts.ContextTimeoutEnabled = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return opts, nil
}

// options are those of go-redis, and of our own connections.
func options(cfg Config) (*redis.Options, error) {
	opts, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if len(cfg.CA) > 0 {
		if opts.TLSConfig == nil {
			return nil, errors.New("certificates are of use with TLS only: write rediss:// in the Redis URL, or leave them out")
		}
		opts.TLSConfig.RootCAs = x509.NewCertPool()
		if !opts.TLSConfig.RootCAs.AppendCertsFromPEM(cfg.CA) {
			return nil, errors.New("the certificates for Redis are not understood: PEM is expected, -----BEGIN CERTIFICATE-----")
		}
	}
	if cfg.Login != nil {
		if opts.Password != "" {
			return nil, errors.New("the Redis URL has a password, and another is to be used: leave it out of the URL")
		}
		opts.CredentialsProviderContext = cfg.Login
	}
	return opts, nil
}

// Redact is a Redis URL without its password, fit for logs.
func Redact(raw string) string { return mask.URL(raw) }
