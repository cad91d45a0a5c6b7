// Package apitest serves an API for tests.
package apitest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
)

// Serve starts the server on a free port and stops it at the test's end.
func Serve(t testing.TB, s *api.Server) *httptest.Server {
	t.Helper()
	front := httptest.NewUnstartedServer(nil) // for its listener and client only
	done := make(chan error, 1)
	go func() { done <- s.Serve(front.Listener) }()
	front.URL = "http://" + front.Listener.Addr().String()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-done); err != nil {
			t.Error(err)
		}
	})
	return front
}
