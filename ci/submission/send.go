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

// Answer is what the endpoint said.
type Answer struct {
	Status int
	// Body is at most its first 64 KiB.
	Body string
}

// String is the answer for a person: the status, then the body without what would drive a terminal.
func (a Answer) String() string {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)))
	body := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf) {
			return -1
		}
		return r
	}, a.Body))
	switch {
	case body == "":
		return text + " (no body)"
	case len(a.Body) >= bodyLimit:
		text += " (the first 64 KiB)"
	}
	return text + "\n" + body
}

// Send posts a valid submission to the endpoint. Anything but a 2xx is an error; the answer is
// returned with it. A redirect is not followed: most turn a POST into a GET, and that GET's 200 would
// look like a delivery.
func Send(ctx context.Context, client http.Client, endpoint string, s Submission) (Answer, error) {
	if err := s.Validate(); err != nil {
		return Answer{}, fmt.Errorf("check submission, nothing was sent:\n%w", err)
	}
	target, err := url.Parse(endpoint)
	if err != nil {
		// url.Parse's own error repeats the address, with any password in it.
		return Answer{}, errors.New("read endpoint: it is no URL; give an http or https one, or none for the challenge's own")
	}
	if target.Scheme != "https" && target.Scheme != "http" || target.Hostname() == "" {
		return Answer{}, fmt.Errorf("read endpoint %q: it is no http or https URL; leave it out for the challenge's own", target.Redacted())
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := post(ctx, client, target, s)
	if err == nil && answer.Status/100 != 2 {
		err = fmt.Errorf("not accepted, the answer was %s", answer)
	}
	if err != nil {
		return answer, fmt.Errorf("post to %s: %w", target.Redacted(), err)
	}
	return answer, nil
}

func post(ctx context.Context, client http.Client, target *url.URL, s Submission) (Answer, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return Answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("%w; it is not known to have arrived: check the network and send again", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
	answer := Answer{Status: response.StatusCode, Body: string(text)}
	if err != nil {
		return answer, fmt.Errorf("read the answer: %w; its status was %d, so what was sent did arrive", err, answer.Status)
	}
	return answer, nil
}
