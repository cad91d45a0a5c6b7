package mcp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Remote is the API of another process.
type Remote struct {
	// URL is the API's, with a path before /v1 if it has one.
	URL *url.URL
	// Key is the API key, "" for none.
	Key string
	// Transport sends the requests.
	Transport http.RoundTripper
}

// RoundTrip implements http.RoundTripper for requests that have a path and no host. It follows no
// redirects: the key is for one server.
func (a *Remote) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	to := *a.URL
	to.Path, to.RawPath, to.RawQuery = strings.TrimSuffix(to.Path, "/")+r.URL.Path, "", r.URL.RawQuery
	r.URL, r.Host = &to, to.Host
	if a.Key != "" {
		r.Header.Set("Authorization", "Bearer "+a.Key)
	}
	res, err := a.Transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("ask the API at %s: %w", a.URL.Redacted(), err)
	}
	return res, nil
}

// Serve serves the tools of the API to one client, whose messages come from in, a line each, until
// in or ctx ends. It fails if the API can't be asked for its document.
func Serve(ctx context.Context, api *Remote, in io.Reader, out io.Writer) error {
	text, err := fetch(ctx, api)
	if err != nil {
		return err
	}
	s, err := newServer(text, api)
	if err != nil {
		return err
	}
	s.AddReceivingMiddleware(s.refreshing)
	err = s.Run(ctx, &sdk.IOTransport{Reader: io.NopCloser(in), Writer: unclosed{out}})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it was asked to end
	}
	if err != nil {
		return fmt.Errorf("read a message, which is JSON-RPC on a line: %w", err)
	}
	return nil
}

// refreshing has each list show the API's endpoints of the moment.
func (s *server) refreshing(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, r sdk.Request) (sdk.Result, error) {
		if method == "tools/list" {
			if err := s.refresh(ctx); err != nil {
				return nil, err
			}
		}
		return next(ctx, method, r)
	}
}

// unclosed is a writer that others use too.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
