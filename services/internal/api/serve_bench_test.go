package api_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
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

// BenchmarkServe answers from the cache without a network: what of a request is ours.
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
	s, err := api.New(b.Context(), api.Config{Datasets: []endpoint.Dataset{{Name: "test", Endpoints: []endpoint.Endpoint{e}}}, Reader: reader{db}, Logger: slogDiscard()})
	if err != nil {
		b.Fatal(err)
	}
	l := make(given)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	run := func(n int, more string) {
		c := &repeated{request: []byte("GET /v1/test/one HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + more + "\r\n"), left: n, done: make(chan struct{})}
		l <- c
		<-c.done
	}
	run(1, "")
	b.Run("cached", func(b *testing.B) { run(b.N, "") })
	b.Run("304", func(b *testing.B) { run(b.N, "If-None-Match: *\r\n") })
	if err := s.Shutdown(context.WithoutCancel(b.Context())); err != nil {
		b.Fatal(err)
	}
	<-done
}
