package client

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config configures a Client.
type Config struct {
	// URL is where the API is, such as https://api.example.org.
	URL string

	// Key is the API key. Take it from the environment or a file; space around it does no harm.
	//
	// Default: none, for a server that asks for none.
	Key string

	// HTTP sends the requests.
	//
	// Default: http.DefaultClient.
	HTTP *http.Client

	// Patience is how long a read is retried while the server is busy or gone; negative: it isn't. A
	// [Publisher] has the patience of its context.
	//
	// Default: 30 s.
	Patience time.Duration
}

// Client asks the API of a pipeline. Its errors are a [*Problem] where the server refuses, or what HTTP fails with. It is
// safe for concurrent use.
type Client struct {
	url      string
	key      string
	http     *http.Client
	patience time.Duration
}

// New returns a client. It asks for nothing yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("the URL of the API is not understood: write https://api.example.org")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("the URL of the API at %s has more than scheme, host and path: the key is Config.Key", base.Host)
	}
	key := strings.TrimSpace(cfg.Key)
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the key is not one: it has a space, a line break or a letter that is not ASCII")
	}
	return &Client{
		url: strings.TrimRight(base.String(), "/"), key: key, http: cmp.Or(cfg.HTTP, http.DefaultClient),
		patience: cmp.Or(cfg.Patience, 30*time.Second),
	}, nil
}

// do sends a request. An answer of another status than those given is an error.
func (c *Client) do(req *http.Request, ok ...int) (*http.Response, error) {
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, connectionError(err)
	}
	if slices.Contains(ok, res.StatusCode) {
		return res, nil
	}
	defer finish(res)
	return nil, problemOf(res)
}

// finish ends an answer of which all that matters was read. Without its very end the connection isn't used again.
func finish(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	_ = res.Body.Close()
}
