package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/mask"
	"github.com/estela-dev/estela/services/internal/stream"
)

type smokeCmd struct {
	URL       string        `required:"" help:"Of the API, with a path in front of /v1 if it has one." placeholder:"URL"`
	Within    time.Duration `help:"How long a canary may take from the stream to an answer." default:"30s"`
	CanaryAge time.Duration `help:"How old the newest canary may be, where none can be sent because no --redis is given." default:"10m"`
	NoCanary  bool          `help:"Leave the canary out."`
	Timeout   time.Duration `help:"How long all of it may take." default:"2m"`
}

// smokeToken is where an identity token or an API key is read from; never a flag, which every user of the
// machine can see.
const smokeToken = "ESTELA_SMOKE_TOKEN"

// canaryPath is the endpoint that canaries are read back from.
const canaryPath = "/v1/canary/latest"

// Run is 'estela smoke'.
func (c *smokeCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	base, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return usageError{fmt.Errorf("--url %q: want http or https and a host, such as https://api.example", mask.URL(c.URL))}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	t := &smokeTest{smokeCmd: c, g: g, s: s, base: base.String(), token: os.Getenv(smokeToken), client: &http.Client{
		// A redirect is an answer of its own: to a login page, as a rule.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var failed []string
	for _, check := range []struct {
		name string
		do   func(context.Context) (string, error)
	}{{"health", t.health}, {"openapi", t.openAPI}, {"answers", t.answers}, {"freshness", t.freshness}} {
		began := time.Now()
		found, err := check.do(ctx)
		mark := "ok  "
		if err != nil {
			mark, found = "FAIL", err.Error()
			failed = append(failed, check.name)
		}
		say(s.out, "%s  %-10s %6s  %s", mark, check.name, time.Since(began).Round(time.Millisecond), mask.Text(found))
	}
	if len(failed) > 0 {
		return fmt.Errorf("%s is not well: %s", c.URL, strings.Join(failed, ", "))
	}
	return nil
}

// smokeTest looks at one pipeline from outside.
type smokeTest struct {
	*smokeCmd

	g      *Globals
	s      *streams
	base   string
	token  string
	client *http.Client
	paths  []string // of the endpoints that need no parameter
	all    []string
}

// health: the API answers and has something to offer.
func (t *smokeTest) health(ctx context.Context) (string, error) {
	var index struct {
		Data []struct {
			Endpoints []struct {
				Path   string
				Params []struct{ Required bool }
			}
		}
	}
	if err := t.get(ctx, "/v1", &index); err != nil {
		return "", err
	}
	for _, d := range index.Data {
		for _, e := range d.Endpoints {
			t.all = append(t.all, e.Path)
			needs := false
			for _, p := range e.Params {
				needs = needs || p.Required
			}
			if !needs {
				t.paths = append(t.paths, e.Path)
			}
		}
	}
	if len(t.all) == 0 {
		return "", errors.New("/v1 lists no endpoint: what answers there is no Estela, or one without datasets")
	}
	return fmt.Sprintf("%d datasets, %d endpoints", len(index.Data), len(t.all)), nil
}

// openAPI: the document names every endpoint.
func (t *smokeTest) openAPI(ctx context.Context) (string, error) {
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]any
	}
	if err := t.get(ctx, "/openapi.json", &doc); err != nil {
		return "", err
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		return "", fmt.Errorf("/openapi.json says it is OpenAPI %q, want 3.1", doc.OpenAPI)
	}
	for _, path := range t.all {
		if doc.Paths[path] == nil {
			return "", fmt.Errorf("/openapi.json has not %s, which /v1 lists", path)
		}
	}
	return fmt.Sprintf("OpenAPI %s, %d paths", doc.OpenAPI, len(doc.Paths)), nil
}

// answers: what needs no parameter answers, and nonsense is refused as documented.
func (t *smokeTest) answers(ctx context.Context) (string, error) {
	if len(t.paths) == 0 {
		return "", errors.New("no endpoint is known that needs no parameter: nothing could be asked")
	}
	for _, path := range t.paths {
		var a struct {
			Data *[]any
			Meta *struct{}
		}
		if err := t.get(ctx, path, &a); err != nil {
			return "", err
		}
		if a.Data == nil || a.Meta == nil {
			return "", fmt.Errorf("%s answers without data or meta", path)
		}
	}
	status, kind, _, err := t.ask(ctx, t.paths[0]+"?no-such-parameter=1")
	if err != nil {
		return "", err
	}
	if status != http.StatusBadRequest || !strings.HasPrefix(kind, "application/problem+json") {
		return "", fmt.Errorf("%s with an unknown parameter: status %d, %s; want 400 and a problem document", t.paths[0], status, kind)
	}
	return fmt.Sprintf("%d endpoints answer, an unknown parameter is refused", len(t.paths)), nil
}

// canary is an event of the dataset of that name.
type canary struct {
	ID     string    `json:"id"`
	SentAt time.Time `json:"sent_at"`
	Source string    `json:"source"`
}

// freshness: a canary comes through, or one that was sent on schedule has.
func (t *smokeTest) freshness(ctx context.Context) (string, error) {
	switch {
	case t.NoCanary:
		return "left out, as --no-canary says", nil
	case t.g.Redis == "":
		return t.newest(ctx)
	}
	sent := canary{ID: rand.Text(), SentAt: time.Now().UTC(), Source: "smoke"}
	if err := t.send(ctx, sent); err != nil {
		return "", fmt.Errorf("send a canary: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, t.Within)
	defer cancel()
	for {
		found, err := t.read(ctx, canaryPath+"?id="+sent.ID)
		if err == nil && len(found) == 1 {
			return fmt.Sprintf("a canary was there after %.3f s", time.Since(sent.SentAt).Seconds()), nil
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(fmt.Errorf("the canary %s is not there after %s: the worker doesn't run, or reads another stream", sent.ID, t.Within), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (t *smokeTest) newest(ctx context.Context) (string, error) {
	found, err := t.read(ctx, canaryPath+"?limit=1")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("no canary was ever stored; send one with --redis, or leave it out with --no-canary")
	}
	exact := time.Since(found[0].SentAt)
	age := exact.Round(time.Second)
	if exact > t.CanaryAge {
		return "", fmt.Errorf("the newest canary is %s old, more than %s: the worker or the scheduled canary doesn't run", age, t.CanaryAge)
	}
	return fmt.Sprintf("the newest canary is %s old", age), nil
}

func (t *smokeTest) read(ctx context.Context, path string) ([]canary, error) {
	var a struct{ Data []canary }
	err := t.get(ctx, path, &a)
	return a.Data, err
}

// send publishes one canary, as any producer would.
func (t *smokeTest) send(ctx context.Context, c canary) error {
	d, err := t.g.pick("canary")
	if err != nil {
		return err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	client, err := t.g.openRedis(ctx, t.g.Redis, t.g.logger(t.s))
	if err != nil {
		return err
	}
	if err := d.mayPublish(ctx, client); err != nil {
		return errors.Join(err, client.Close())
	}
	producer := client.Producer(ctx, d.Name, d.Shards, stream.ProducerConfig{})
	return errors.Join(producer.Add(ctx, event.Shard(c.ID, d.Shards), text), producer.Close(ctx), client.Close())
}

// get asks for a JSON document.
func (t *smokeTest) get(ctx context.Context, path string, into any) error {
	status, kind, body, err := t.ask(ctx, path)
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

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 16 << 20

func (t *smokeTest) ask(ctx context.Context, path string) (status int, kind string, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.base+path, nil)
	if err != nil {
		return 0, "", nil, err
	}
	if t.token != "" {
		req.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, resp.Header.Get("Content-Type"), body, err
}
