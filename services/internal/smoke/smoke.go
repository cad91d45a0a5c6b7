// Package smoke tests a deployed pipeline through its API: health, OpenAPI, endpoints, and the
// time from publishing an event to reading it.
package smoke

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Test is a smoke test of one pipeline.
type Test struct {
	// Base is the API's URL, without a slash at its end.
	Base string
	// Token is an identity token or an API key, empty for none.
	Token string
	// Publish sends a canary to the stream; nil: there is no Redis to send it to. See [ByPost].
	Publish func(context.Context, Canary) error
	// NoCanary skips the freshness check.
	NoCanary bool
	// CanaryTimeout is how long a canary may take from the stream to an answer. MaxCanaryAge is
	// how old the newest may be if none can be published.
	CanaryTimeout, MaxCanaryAge time.Duration

	client   *http.Client
	paths    []string // of the endpoints without required parameters
	allPaths []string
}

// Result is the outcome of one check.
type Result struct {
	Name, Detail string
	Err          error
	Took         time.Duration
}

// Run runs the checks in order and reports each as it ends.
func (t *Test) Run(ctx context.Context, report func(Result)) {
	t.client = &http.Client{CheckRedirect: noRedirect}
	for _, check := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{{"health", t.health}, {"openapi", t.openAPI}, {"answers", t.answers}, {"freshness", t.freshness}} {
		began := time.Now()
		found, err := check.do(ctx)
		report(Result{check.name, found, err, time.Since(began)})
	}
}

// noRedirect has a redirect reported, not followed: as a rule it leads to a login page.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// health checks that /v1 lists an endpoint.
func (t *Test) health(ctx context.Context) (string, error) {
	type param struct{ Required bool }
	var index struct {
		Data []struct {
			Endpoints []struct {
				Path   string
				Params []param
			}
		}
	}
	if err := t.getJSON(ctx, "/v1", &index); err != nil {
		return "", err
	}
	for _, d := range index.Data {
		for _, e := range d.Endpoints {
			t.allPaths = append(t.allPaths, e.Path)
			if !slices.ContainsFunc(e.Params, func(p param) bool { return p.Required }) {
				t.paths = append(t.paths, e.Path)
			}
		}
	}
	if len(t.allPaths) == 0 {
		return "", errors.New("/v1 lists no endpoint: what answers there is no Estela, or one without datasets")
	}
	return fmt.Sprintf("%d datasets, %d endpoints", len(index.Data), len(t.allPaths)), nil
}

// openAPI checks that the document has every endpoint.
func (t *Test) openAPI(ctx context.Context) (string, error) {
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]any
	}
	if err := t.getJSON(ctx, "/openapi.json", &doc); err != nil {
		return "", err
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		return "", fmt.Errorf("/openapi.json says it is OpenAPI %q, want 3.1", doc.OpenAPI)
	}
	for _, path := range t.allPaths {
		if doc.Paths[path] == nil {
			return "", fmt.Errorf("/openapi.json has not %s, which /v1 lists", path)
		}
	}
	return fmt.Sprintf("OpenAPI %s, %d paths", doc.OpenAPI, len(doc.Paths)), nil
}

// answers checks that every endpoint without required parameters answers, and that an unknown
// parameter is rejected with a problem document.
func (t *Test) answers(ctx context.Context) (string, error) {
	if len(t.paths) == 0 {
		return "", errors.New("no endpoint is known that needs no parameter: nothing could be asked")
	}
	for _, path := range t.paths {
		var a struct {
			Data *[]any
			Meta *struct{}
		}
		if err := t.getJSON(ctx, path, &a); err != nil {
			return "", err
		}
		if a.Data == nil || a.Meta == nil {
			return "", fmt.Errorf("%s answers without data or meta", path)
		}
	}
	status, kind, _, err := t.fetch(ctx, t.paths[0]+"?no-such-parameter=1")
	if err != nil {
		return "", err
	}
	if status != http.StatusBadRequest || !strings.HasPrefix(kind, "application/problem+json") {
		return "", fmt.Errorf("%s with an unknown parameter: status %d, %s; want 400 and a problem document", t.paths[0], status, kind)
	}
	return fmt.Sprintf("%d endpoints answer, an unknown parameter is refused", len(t.paths)), nil
}

// canaryPath is the endpoint that canaries are read back from.
const canaryPath = "/v1/canary/latest"

// Canary is an event of the dataset canary.
type Canary struct {
	ID     string    `json:"id"`
	SentAt time.Time `json:"sent_at"`
	Source string    `json:"source"`
}

// ByPost returns what publishes canaries by POST to the API at base, with an API key, empty for none. It fails unless
// the answer says that the warehouse has the canary.
func ByPost(base, key string) func(context.Context, Canary) error {
	return func(ctx context.Context, canary Canary) error {
		body, err := json.Marshal(canary)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/canary/events?durability=stored", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", canary.ID)
		answer, err := request(&http.Client{CheckRedirect: noRedirect}, req, key)
		if err != nil {
			return err
		}
		if answer.status != http.StatusOK {
			return fmt.Errorf("%s: status %d, %.300q; want 200, which says that it is stored", req.URL.Path, answer.status, bytes.TrimSpace(answer.body))
		}
		return nil
	}
}

// freshness checks that a canary arrives in time, or that a scheduled one has.
func (t *Test) freshness(ctx context.Context) (string, error) {
	switch {
	case t.NoCanary:
		return "left out, as --no-canary says", nil
	case t.Publish == nil:
		return t.newestCanary(ctx)
	}
	sent := Canary{ID: rand.Text(), SentAt: time.Now().UTC(), Source: "smoke"}
	if err := t.Publish(ctx, sent); err != nil {
		return "", fmt.Errorf("send a canary: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, t.CanaryTimeout)
	defer cancel()
	for {
		found, err := t.readCanaries(ctx, canaryPath+"?id="+sent.ID)
		if err == nil && len(found) == 1 {
			return fmt.Sprintf("a canary was there after %.3f s", time.Since(sent.SentAt).Seconds()), nil
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(fmt.Errorf("the canary %s is not there after %s: the worker doesn't run, or reads another stream", sent.ID, t.CanaryTimeout), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (t *Test) newestCanary(ctx context.Context) (string, error) {
	found, err := t.readCanaries(ctx, canaryPath+"?limit=1")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("no canary was ever stored; send one with --redis or --post-url, or leave it out with --no-canary")
	}
	exact := time.Since(found[0].SentAt)
	age := exact.Round(time.Second)
	if exact > t.MaxCanaryAge {
		return "", fmt.Errorf("the newest canary is %s old, more than %s: the worker or the scheduled canary doesn't run", age, t.MaxCanaryAge)
	}
	return fmt.Sprintf("the newest canary is %s old", age), nil
}

func (t *Test) readCanaries(ctx context.Context, path string) ([]Canary, error) {
	var a struct{ Data []Canary }
	err := t.getJSON(ctx, path, &a)
	return a.Data, err
}

// getJSON fetches a JSON document.
func (t *Test) getJSON(ctx context.Context, path string, into any) error {
	status, kind, body, err := t.fetch(ctx, path)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("%s: status %d, %.200q", path, status, bytes.TrimSpace(body))
	case !strings.HasPrefix(kind, "application/json"):
		return fmt.Errorf("%s answers %s, not JSON: is that the API?", path, kind)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: read the answer: %w", path, err)
	}
	return nil
}

// maxResponse is how many bytes of a response are read.
const maxResponse = 16 << 20

func (t *Test) fetch(ctx context.Context, path string) (status int, kind string, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Base+path, nil)
	if err != nil {
		return 0, "", nil, err
	}
	r, err := request(t.client, req, t.Token)
	return r.status, r.kind, r.body, err
}

// response is what a request was answered with.
type response struct {
	status int
	kind   string // Content-Type
	body   []byte
}

// request sends a request with a token, empty for none.
func request(client *http.Client, req *http.Request, token string) (r response, err error) {
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	return response{resp.StatusCode, resp.Header.Get("Content-Type"), body}, err
}
