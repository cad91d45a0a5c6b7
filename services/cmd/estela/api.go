package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/redisserver"
)

type apiCmd struct {
	listenFlags
}

type listenFlags struct {
	Listen    string `help:"Address of the API." default:"127.0.0.1:8080"`
	Anonymous bool   `help:"Serve without keys beyond loopback and under any host name: everyone who reaches the API can read."`
	Keys      string `help:"File of API keys, one of which a request must have (see 'estela key new'). It is reloaded when it changes; while it is missing, all keys are rejected." placeholder:"FILE"`

	tokenKeyFlags

	RateLimit int      `help:"Most requests a second of one client: a key or, without keys, an address. 0 is no limit." default:"0"`
	CORS      []string `name:"cors" help:"Web origin whose pages may read responses; may be given several times. Default: none." placeholder:"ORIGIN"`
	Spool     byteSize `name:"spool-bytes" help:"Disk in the temporary directory for large responses, of all clients; one client may use half of it." default:"4GB"`
	AccessLog string   `help:"Requests to log (${enum}); errors have status 400 and above." enum:"all,errors,none" default:"errors"`
	Watch     bool     `help:"Reload edited endpoints of --data within a second; an invalid edit keeps the last valid one."`

	opsFlags

	access *access.Authenticator // read by listen; nil without --keys and --token-keys
}

// tokenKeyFlags are how signed tokens are verified.
type tokenKeyFlags struct {
	TokenKeys     string `help:"File of keys (a JWK set) that verify signed tokens, which a request may have instead of an API key (see 'estela token new'). It is reloaded like that of --keys." placeholder:"FILE"`
	TokenAudience string `help:"Audience (aud) that tokens must have." default:"estela"`
}

type opsFlags struct {
	OpsListen string `help:"Address of /livez, /readyz and /metrics; keep it private. /ops/ requires the token in ESTELA_OPS_TOKEN." default:"127.0.0.1:9090"`

	otlpFlags
}

// Run is 'estela api'.
func (c *apiCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	if err := errors.Join(c.check(g), g.checkUsage()); err != nil {
		return err
	}
	p := &process{ops: &c.opsFlags, api: &c.listenFlags}
	p.started = func(n *core, at *datadir.Process, _ *redisserver.Server) {
		n.log.Info("started api", slog.String("api", at.API), slog.String("warehouse", n.store.Location()), slog.String("ops", at.Ops))
	}
	return p.run(ctx, g, s)
}

// configure applies the flags to the API's configuration.
func (f *listenFlags) configure(cfg *api.Config) {
	cfg.LocalOnly = !f.Anonymous && f.access == nil // listen allows that on loopback only
	cfg.Access, cfg.Rate, cfg.Origins, cfg.AccessLog = f.access, f.RateLimit, f.CORS, f.AccessLog
	cfg.SpoolBytes = int64(f.Spool)
}

// check refuses flags that contradict each other, and --watch on built-in datasets.
func (f *listenFlags) check(g *Globals) error {
	switch {
	case f.Watch && len(g.Data) == 0:
		return fault.Usagef("--watch follows the folders of --data, and there is none: the built-in datasets don't change")
	case f.guarded() && f.Anonymous:
		return fault.Usagef("--keys or --token-keys and --anonymous contradict each other: leave one out")
	}
	return nil
}

// guarded reports whether a request needs a key or a token.
func (f *listenFlags) guarded() bool { return f.Keys != "" || f.TokenKeys != "" }

// listen opens the API's port and reads its keys. It refuses to serve beyond loopback without keys
// or --anonymous.
func (f *listenFlags) listen(at *string, end *cleanup) (net.Listener, error) {
	l, err := listen(f.Listen, "--listen", at, end)
	if err != nil {
		return nil, err
	}
	if !isLoopback(l) && !f.Anonymous && !f.guarded() {
		return nil, fault.Usagef(
			"listen on %s: anyone who reaches it could read everything; give --keys FILE, or say --anonymous if that is meant, or listen on 127.0.0.1", f.Listen)
	}
	f.access, err = loadAccess(f.Keys, f.tokenKeyFlags)
	return l, err
}

// mayWrite reports whether events are taken by POST: from keys with that right, and without keys from this
// machine only.
func (f *listenFlags) mayWrite(l net.Listener) bool {
	return f.Keys != "" || isLoopback(l) && !f.Anonymous && f.TokenKeys == ""
}

// isLoopback reports whether only this machine reaches the listener.
func isLoopback(l net.Listener) bool {
	at, ok := l.Addr().(*net.TCPAddr)
	return !ok || at.IP.IsLoopback()
}

// loadAccess reads the files of --keys and --token-keys; nil without either.
func loadAccess(keys string, tokens tokenKeyFlags) (a *access.Authenticator, err error) {
	if keys == "" && tokens.TokenKeys == "" {
		return nil, nil
	}
	a = &access.Authenticator{}
	if keys != "" {
		if a.Keys, err = access.LoadKeys(keys); err != nil {
			return nil, unreadable(keys, err, "'estela key new NAME' prints an entry for it")
		}
	}
	if tokens.TokenKeys != "" {
		if a.Tokens, err = access.LoadTokens(tokens.TokenKeys, tokens.TokenAudience); err != nil {
			return nil, unreadable(tokens.TokenKeys, err, "'estela token key new' writes one")
		}
	}
	return a, nil
}

// unreadable is the error of a file that can't be read, with a hint if it is missing.
func unreadable(file string, err error, hint string) error {
	if _, missing := os.Stat(file); missing == nil {
		return fault.Usage(err)
	}
	return fault.Usagef("%w; %s", err, hint)
}

// listen opens a TCP listener and stores its address in at; the error names the flag to change it.
func listen(address, flag string, at *string, end *cleanup) (net.Listener, error) {
	l, err := net.Listen("tcp", address) //nolint:noctx // nothing is looked up
	if err != nil {
		return nil, fmt.Errorf("listen on %s (choose another with %s): %w", address, flag, err)
	}
	*at = l.Addr().String()
	end.add(func() error { _ = l.Close(); return nil }) // already closed if it was served
	return l, nil
}
