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

// Request is one question to a Server. Each has a function that makes it, beside its handler.
type Request struct {
	method, path string
	query        url.Values
}

// Client asks a Server on its control socket.
type Client struct{ http http.Client }

// Dial makes a client of the socket.
func Dial(socket string) *Client {
	return &Client{http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}}
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// requestTimeout is how long a question may take; what stores rows takes as long as it takes.
const requestTimeout = 30 * time.Second

// Do asks and decodes the JSON answer into out. What the server refuses is an error of package
// fault here too.
func (c *Client) Do(ctx context.Context, r Request, body io.Reader, out any) error {
	if r.method == http.MethodGet {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, requestTimeout, fmt.Errorf("it has not answered for %s, is stopped or stuck", requestTimeout))
		defer cancel()
	}
	resp, err := c.send(ctx, r, body)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("ask the process that has the warehouse: %w", err)
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

// Unready is why the process is not ready, empty if it is.
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

func (c *Client) send(ctx context.Context, r Request, body io.Reader) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "estela", Path: r.path, RawQuery: r.query.Encode()}
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// readText reads what is meant for a person.
func readText(from io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(from, 64<<10))
	return strings.TrimSpace(string(text)), err
}
