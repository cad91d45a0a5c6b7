package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/fault"
)

// Request is a request to a Server. Each has a constructor, beside its handler.
type Request struct {
	method, path string
	query        url.Values
}

// Client is a client of a Server on its control socket.
type Client struct{ http http.Client }

// Dial returns a client of the socket.
func Dial(socket string) *Client {
	return &Client{http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}}
}

// Close closes the client's idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// requestTimeout bounds a GET; a POST, which stores rows, has no limit.
const requestTimeout = 30 * time.Second

// Do sends the request and decodes the JSON response into out. Statuses 400 and 409 are errors of
// package fault.
func (c *Client) Do(ctx context.Context, r Request, body io.Reader, out any) error {
	if r.method == http.MethodGet {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, requestTimeout, fmt.Errorf("no response for %s, it is stopped or stuck", requestTimeout))
		defer cancel()
	}
	resp, err := c.send(ctx, r, body)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("request to the process that has the warehouse open: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := readText(resp.Body)
		switch err := errors.New(text); resp.StatusCode {
		case http.StatusBadRequest:
			return fault.Usage(err)
		case http.StatusConflict:
			return fault.Refused(err)
		default:
			return err
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s: %w", r.path, err)
	}
	return nil
}

// Unready returns why the process is not ready, "" if it is.
func (c *Client) Unready(ctx context.Context) (string, error) {
	resp, err := c.send(ctx, Request{http.MethodGet, "/readyz", nil}, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return "", nil
	}
	text, err := readText(resp.Body)
	return strings.ReplaceAll(text, "\n", "; "), err
}

// AwaitStarted waits until the process' worker has connected to Redis and registered its contracts,
// however long Redis takes to load its data.
func (c *Client) AwaitStarted(ctx context.Context) error {
	resp, err := c.send(ctx, Request{http.MethodGet, "/ops/started", nil}, nil)
	if err != nil {
		return fmt.Errorf("wait for the start of the worker: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := readText(resp.Body)
		return fmt.Errorf("wait for the start of the worker: %s", text)
	}
	return nil
}

func (c *Client) send(ctx context.Context, r Request, body io.Reader) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "estela", Path: r.path, RawQuery: r.query.Encode()}
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// readText reads a plain-text body.
func readText(from io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(from, 64<<10))
	return strings.TrimSpace(string(text)), err
}
