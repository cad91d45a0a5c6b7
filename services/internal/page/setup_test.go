package page_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/page"
	"github.com/estela-dev/estela/services/internal/problem"
)

// visit is a visit of somebody with or without the right to inspect.
type visit struct {
	inspects bool
	datasets []endpoint.Dataset
}

func (v visit) Inspects() bool                                       { return v.inspects }
func (v visit) Guarded() bool                                        { return !v.inspects }
func (v visit) Datasets() []endpoint.Dataset                         { return v.datasets }
func (v visit) Posts(string) bool                                    { return true }
func (v visit) Problems() []problem.Kind                             { return nil }
func (v visit) Send(string, url.Values) error                        { return nil }
func (v visit) Get(string, string) (int, http.Header, []byte, error) { return 404, nil, nil, nil }
func (v visit) Ask(string, url.Values) (int, http.Header, []byte, error) {
	return 404, nil, nil, nil
}

func (v visit) Columns(context.Context, string, string) ([]endpoint.Column, error) { return nil, nil }

// pipeline is what a test says.
type pipeline struct {
	sample func() page.Sample
	find   func() []page.Finding
}

func (p pipeline) Sample(context.Context) page.Sample      { return p.sample() }
func (p pipeline) Findings(context.Context) []page.Finding { return p.find() }

// serve returns an application that answers with the pages for the visit.
func serve(tb testing.TB, p page.Pipeline, v visit) (*page.Server, *fiber.App) {
	tb.Helper()
	s := page.New(page.Config{Pipeline: p, Logger: slog.New(slog.DiscardHandler)})
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/assets/*", s.ServeAsset)
	app.Get("/*", func(c *fiber.Ctx) error { return s.Serve(c, v) })
	return s, app
}

// get returns the answer to a GET of a path or a URL; header has names and values.
func get(t *testing.T, app *fiber.App, path string, header ...string) (int, http.Header, string) {
	t.Helper()
	u, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, u.RequestURI(), nil)
	if u.Host != "" {
		r.Host = u.Host
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := app.Test(r, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}
