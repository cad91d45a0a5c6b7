package submission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

const (
	// bodyLimit bounds what is kept of an answer, in bytes.
	bodyLimit = 64 << 10
	// sendTimeout covers a cold start of the endpoint.
	sendTimeout = 30 * time.Second
)

// Send posts a valid submission to the endpoint and returns its answer for a person: the status, then the body.
// Anything but a 2xx is an error, which has the answer. A redirect is not followed: most turn a POST into a GET, and
// that GET's 200 would look like a delivery.
func Send(ctx context.Context, client http.Client, endpoint string, s Submission) (string, error) {
	if err := s.Validate(); err != nil {
		return "", fmt.Errorf("check submission, nothing was sent:\n%w", err)
	}
	target, err := url.Parse(endpoint)
	if err != nil {
		// url.Parse's own error repeats the address, with any password in it.
		return "", errors.New("read endpoint: it is no URL; give an http or https one, or none for the challenge's own")
	}
	if target.Scheme != "https" && target.Scheme != "http" || target.Hostname() == "" {
		return "", fmt.Errorf("read endpoint %q: it is no http or https URL; leave it out for the challenge's own", target.Redacted())
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := post(ctx, client, target.String(), s)
	if err != nil {
		return "", fmt.Errorf("post to %s: %w", target.Redacted(), err)
	}
	return answer, nil
}

func post(ctx context.Context, client http.Client, target string, s Submission) (string, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w; it is not known to have arrived: check the network and send again", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
	answer := describe(response.StatusCode, string(text))
	switch {
	case err != nil:
		return "", fmt.Errorf("read the answer: %w; what was sent did arrive: %s", err, answer)
	case response.StatusCode/100 != 2:
		return "", fmt.Errorf("not accepted, the answer was %s", answer)
	}
	return answer, nil
}

// describe is an answer without what would drive a terminal.
func describe(status int, body string) string {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	if len(body) >= bodyLimit {
		text += " (the first 64 KiB)"
	}
	body = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf) {
			return -1
		}
		return r
	}, body))
	if body == "" {
		return text + " (no body)"
	}
	return text + "\n" + body
}
