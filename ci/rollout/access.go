package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

const (
	// hidden stands where an error would have shown the token.
	hidden = "[token]"
	// bytesLimit is how much of an answer is read.
	bytesLimit = 4 << 20
	// errorLimit is how much of a refusal is shown, in bytes.
	errorLimit = 2 << 10
)

// access is the token that give has. It is in no error.
func access(ctx context.Context, give func(context.Context) (string, error)) (string, error) {
	if give == nil {
		return "", errors.New("there is no access token; set GOOGLE_OAUTH_ACCESS_TOKEN")
	}
	token, err := give(ctx)
	token = strings.TrimSpace(token)
	if err != nil {
		return "", hide(fmt.Errorf("get access token: %w", err), token)
	}
	if token == "" {
		return "", errors.New("the access token is empty; set GOOGLE_OAUTH_ACCESS_TOKEN")
	}
	return token, nil
}

// hide takes the token out of an error, should a server or a proxy have repeated it.
func hide(err error, token string) error {
	if err == nil || token == "" || !strings.Contains(err.Error(), token) {
		return err
	}
	// Not wrapped: what is wrapped can be unwrapped.
	return errors.New(strings.ReplaceAll(err.Error(), token, hidden))
}

// trusted is an address that a token may be sent to: the given one, or with none the API's own.
func trusted(given, own string) (*url.URL, error) {
	u, err := url.Parse(cmp.Or(given, own))
	if err != nil || !safe(u) {
		return nil, errors.New("it is not https, and a token must not travel in the clear; leave BaseURL empty")
	}
	return u, nil
}

func safe(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" && u.Host != "" || u.Scheme == "http" && ip != nil && ip.IsLoopback()
}

// staying is the client, or with none the default one, that follows no redirect: the APIs have none, and
// one would take the token along.
func staying(c *http.Client) *http.Client {
	if c == nil {
		c = http.DefaultClient
	}
	stay := *c
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stay
}

// refusal is an answer that is none. The token goes before the text is cut: half of it is a leak too.
func refusal(response *http.Response, token string) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, bytesLimit)) // the status is the error, the text a help
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(body), token, hidden)), " ")
	if len(text) > errorLimit {
		text = strings.ToValidUTF8(text[:errorLimit], "") + "…"
	}
	return fmt.Errorf("%s: %s", response.Status, text)
}
