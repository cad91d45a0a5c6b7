package page

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/problem"
)

// Visit is a request for a page: what its credential opens, read as the API would answer it.
type Visit interface {
	// Inspects reports whether rows, rejects, SQL and the pipeline's state are open to it.
	Inspects() bool
	// Guarded reports whether the API needs a credential.
	Guarded() bool
	// Datasets are those that it opens, with the endpoints that it opens.
	Datasets() []endpoint.Dataset
	// Posts reports whether it may send events to the dataset by POST.
	Posts(dataset string) bool
	// Problems are the kinds of problems that the API answers with.
	Problems() []problem.Kind
	// Columns are those of an endpoint's answer, with their documentation.
	Columns(ctx context.Context, dataset, endpoint string) ([]endpoint.Column, error)
	// Get returns the API's answer to a GET of the path and query, up to some megabytes.
	Get(target, accept string) (status int, header http.Header, body []byte, err error)
	// Ask returns the answer of an endpoint whose file has this text, over all datasets, with the query's
	// parameters, limit, cursor and format, as Get does; it needs the right to inspect. Without -- order: a limit
	// cuts the answer, and the header Estela-More-Rows says so.
	Ask(file string, query url.Values) (status int, header http.Header, body []byte, err error)
	// Send answers the visit with what Ask returns, of any size.
	Send(file string, query url.Values) error
}

// Config configures a Server.
type Config struct {
	// Pipeline is what runs in this process.
	//
	// Default: none; the overview lists the datasets only.
	Pipeline Pipeline
	// Streams is what this process knows of the streams.
	//
	// Default: nothing; events are looked up in the tables only.
	Streams Streams
	// Contracts are the datasets' contracts.
	Contracts []*contract.Contract
	// Cases are the tests of a dataset's endpoint.
	//
	// Default: none are shown.
	Cases func(dataset string, e *endpoint.Endpoint) ([]endpoint.Case, error)
	// Use is how an endpoint, DATASET/NAME, was used since the process' start.
	//
	// Default: not shown.
	Use func(name string) Use
	// Edited is why the last edit of the files is not served; none if it is.
	//
	// Default: nobody edits them.
	Edited func() []Finding
	// DataDir and Data are the process' flags, as absolute paths, for the commands that the pages show: without them a
	// command that is run elsewhere would find an empty directory, and do nothing.
	//
	// Default: the commands have none.
	DataDir string
	Data    []string
	// Rejects are the datasets' rejects.
	//
	// Default: none; their pages are not there.
	Rejects Rejects
	Logger  *slog.Logger
}

// Server serves the pages.
type Server struct {
	cfg     Config
	routes  []route
	history history
	checks  checks
	live    *live
}

// New returns a server. Without Run its figures don't move.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, live: newLive()}
	if cfg.Pipeline != nil {
		s.checks.find = cfg.Pipeline.Findings
	}
	s.routes = slices.Concat([]route{{"/", s.overview}, {"/live", s.serveLive}},
		s.datasetRoutes(), s.referenceRoutes(), s.queryRoutes(), s.rejectRoutes())
	return s
}

// route is a page at a pattern, whose segments in braces match any text.
type route struct {
	pattern string
	serve   func(*request) error
}

// request is a visit to a page.
type request struct {
	Visit

	c     *fiber.Ctx
	path  map[string]string
	query url.Values
	view  view
	again string // the URL that a problem links to, empty for none
}

// errNotFound is answered with 404.
var errNotFound = errors.New("there is no such page")

// Serve answers a GET of a page.
func (s *Server) Serve(c *fiber.Ctx, v Visit) error {
	setHeaders(c)
	path := strings.Clone(c.Path())
	query, err := url.ParseQuery(string(c.Context().URI().QueryString()))
	if err != nil {
		query = url.Values{}
	}
	r := &request{Visit: v, c: c, query: query, view: s.newView(v, path, query, c.Get(fiber.HeaderAcceptLanguage))}
	for _, route := range s.routes {
		if r.path = match(route.pattern, path); r.path != nil {
			err := route.serve(r)
			if errors.Is(err, errNotFound) {
				return r.problem(http.StatusNotFound, "Nothing is here.")
			}
			return err
		}
	}
	return r.problem(http.StatusNotFound, "Nothing is here.")
}

// match returns the values of the pattern's braces in the path, nil if it doesn't match.
func match(pattern, path string) map[string]string {
	want, got := strings.Split(pattern, "/"), strings.Split(strings.TrimSuffix(path, "/"), "/")
	if path == "/" {
		got = []string{"", ""}
	}
	if len(want) != len(got) {
		return nil
	}
	values := map[string]string{}
	for i, w := range want {
		name, ok := strings.CutPrefix(w, "{")
		switch {
		case ok:
			text, err := url.PathUnescape(got[i])
			if err != nil || text == "" {
				return nil
			}
			values[strings.TrimSuffix(name, "}")] = text
		case w != got[i]:
			return nil
		}
	}
	return values
}

// policy allows what the page has from its own server, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// setHeaders keeps a page to itself.
func setHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, policy)
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Vary(fiber.HeaderAcceptLanguage)
}

// render answers with a page. data has the view, embedded.
func (r *request) render(status int, name string, data any) error {
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "layout", data); err != nil {
		return err
	}
	r.c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	r.c.Set(fiber.HeaderContentLanguage, string(r.view.Language))
	r.c.Status(status).Response().SetBodyRaw(b.Bytes())
	return nil
}

// problem answers with a page that says what is wrong, in a sentence of language.go.
func (r *request) problem(status int, text string) error {
	r.view.Title = r.view.T(text)
	return r.render(status, "problem", struct {
		view

		Status int
		Again  string
	}{r.view, status, r.again})
}

// inspecting answers visits without the right to inspect with what to do.
func inspecting(serve func(*request) error) func(*request) error {
	return func(r *request) error {
		if site := r.c.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
			r.again = target((&url.URL{Path: r.view.Path}).EscapedPath(), r.query)
			return r.problem(http.StatusForbidden, "A page of another site asks for this one. It could have queries run here, so open it from here.")
		}
		if !r.Inspects() {
			return r.problem(http.StatusForbidden, "This page needs a key with the right to inspect: estela key new NAME --inspect.")
		}
		return serve(r)
	}
}
