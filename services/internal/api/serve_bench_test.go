package api_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/usage"
)

// repeated is a client that sends the same request a number of times, one at a time.
type repeated struct {
	net.Conn

	request []byte
	left    int
	done    chan struct{}
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left--; r.left < 0 {
		return 0, io.EOF
	}
	return copy(p, r.request), nil
}
func (r *repeated) Write(p []byte) (int, error)      { return len(p), nil }
func (r *repeated) Close() error                     { close(r.done); return nil }
func (r *repeated) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r *repeated) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (r *repeated) SetDeadline(time.Time) error      { return nil }
func (r *repeated) SetReadDeadline(time.Time) error  { return nil }
func (r *repeated) SetWriteDeadline(time.Time) error { return nil }

// given hands out connections.
type given chan net.Conn

func (g given) Accept() (net.Conn, error) {
	c, ok := <-g
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (g given) Close() error   { close(g); return nil }
func (g given) Addr() net.Addr { return &net.TCPAddr{} }

// BenchmarkServe answers from the cache without a network: what of a request is ours, of an open API,
// of one with keys and a rate limit ("keyed"), of that with its usage counted ("usage") and of one with
// tokens, beside a bare fasthttp handler with the same body.
func BenchmarkServe(b *testing.B) {
	db, err := openDB()
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	e, err := endpoint.Parse("one.sql", "-- One.\n-- cache: 1h\nSELECT repeat('x', 2000) AS n")
	if err != nil {
		b.Fatal(err)
	}
	secret, key := access.NewKey("bench", []string{"test"})
	file := filepath.Join(b.TempDir(), "keys.json")
	if err := access.AppendKey(file, key); err != nil {
		b.Fatal(err)
	}
	keys, err := access.LoadKeys(file)
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(strings.Repeat("x", 2000))
	bare := &fasthttp.Server{Handler: func(c *fasthttp.RequestCtx) { c.Response.SetBodyRaw(body) }}
	benchServe(b, bare.Serve, bare.ShutdownWithContext, "", map[string]string{"bare": ""})
	tokens := newTokens(b)
	token := tokens.token(b, "bench", map[string]string{}, "test/one")
	k, err := contract.Load(data.FS, "usage")
	if err != nil {
		b.Fatal(err)
	}
	meter := usage.New(k, nil, slogDiscard()) // nothing is published unless it runs
	keyed := func(cfg *api.Config) { cfg.Access, cfg.Rate = &access.Authenticator{Keys: keys}, 1e9 }
	for name, change := range map[string]func(*api.Config){
		"open": func(*api.Config) {}, "keyed": keyed,
		"token": func(cfg *api.Config) { cfg.Access, cfg.Rate = &access.Authenticator{Tokens: tokens.Tokens}, 1e9 },
		"usage": func(cfg *api.Config) {
			keyed(cfg)
			cfg.Account = func(a api.Answer) { meter.Add(usage.Answer(a)) }
		},
	} {
		credential := secret
		if name == "token" {
			credential = token
		}
		cfg := api.Config{Datasets: []endpoint.Dataset{{Name: "test", Endpoints: []endpoint.Endpoint{e}}}, Reader: reader{db}, Logger: slogDiscard()}
		change(&cfg)
		s, err := api.New(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		benchServe(b, s.Serve, s.Shutdown, "Authorization: Bearer "+credential+"\r\n", map[string]string{name + "-cached": "", name + "-304": "If-None-Match: *\r\n"})
	}
}

// benchServe measures requests with these headers (benchmark -> header lines), then stops the server.
func benchServe(b *testing.B, serve func(net.Listener) error, stop func(context.Context) error, usual string, more map[string]string) {
	b.Helper()
	l := make(given)
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	run := func(n int, more string) {
		c := &repeated{request: []byte("GET /v1/test/one HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + usual + more + "\r\n"), left: n, done: make(chan struct{})}
		l <- c
		<-c.done
	}
	run(1, "")
	for name, lines := range more {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			run(b.N, lines)
		})
	}
	if err := stop(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	<-done
}
