package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/mask"
	"github.com/estela-dev/estela/services/internal/smoke"
	"github.com/estela-dev/estela/services/internal/stream"
)

type smokeCmd struct {
	URL       string        `required:"" help:"URL of the API, with a path before /v1 if it has one." placeholder:"URL"`
	PostURL   string        `help:"URL of 'up' or 'estela ingest', to send the canary by POST instead of to Redis. The key to write with is ESTELA_SMOKE_POST_KEY; without it, the key of the API." placeholder:"URL"`
	Within    time.Duration `help:"How long a canary may take from the stream to a response." default:"30s"`
	CanaryAge time.Duration `help:"How old the newest canary may be, without --redis or --post-url to send one." default:"10m"`
	NoCanary  bool          `help:"Skip the canary."`
	Timeout   time.Duration `help:"How long the whole test may take." default:"2m"`

	jsonFlag
}

// smokeToken is the variable with an identity token or an API key, smokePostKey that with one to write with. They are no
// flags, because every user of the machine can see flags.
const (
	smokeToken   = "ESTELA_SMOKE_TOKEN"
	smokePostKey = "ESTELA_SMOKE_POST_KEY"
)

// Run is 'estela smoke'.
func (c *smokeCmd) Run(ctx context.Context, g *Globals, s *streams) error {
	base, err := httpURL("--url", c.URL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	t := smoke.Test{Base: base.String(), Token: os.Getenv(smokeToken), NoCanary: c.NoCanary, CanaryTimeout: c.Within, MaxCanaryAge: c.CanaryAge}
	switch {
	case c.PostURL != "":
		to, err := httpURL("--post-url", c.PostURL)
		if err != nil {
			return err
		}
		t.Publish = smoke.ByPost(to.String(), cmp.Or(os.Getenv(smokePostKey), t.Token))
	case g.Redis != "":
		t.Publish = func(ctx context.Context, canary smoke.Canary) error { return sendCanary(ctx, g, s, canary) }
	}
	var failures []string
	t.Run(ctx, func(r smoke.Result) {
		o := timedOutcome{outcome{Check: r.Name, Status: passed, Found: mask.Text(r.Detail)}, r.Took.Milliseconds()}
		if r.Err != nil {
			o.Status, o.Found = failed, mask.Text(r.Err.Error())
			failures = append(failures, r.Name)
		}
		c.say(s.out, o, "%s  %-10s %6s  %s", o.Status.mark(s.out), o.Check, r.Took.Round(time.Millisecond), o.Found)
	})
	if len(failures) > 0 {
		return fmt.Errorf("%s failed: %s", c.URL, strings.Join(failures, ", "))
	}
	return nil
}

// httpURL is the URL of a flag, without a slash at its end.
func httpURL(flag, text string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fault.Usagef("%s %q: want http or https and a host, such as https://api.example", flag, mask.URL(text))
	}
	return base, nil
}

// timedOutcome is a check of which is said how long it took.
type timedOutcome struct {
	outcome

	DurationMS int64 `json:"duration_ms"`
}

// sendCanary publishes one canary, like any producer.
func sendCanary(ctx context.Context, g *Globals, s *streams, canary smoke.Canary) (err error) {
	d, err := g.pick("canary")
	if err != nil {
		return err
	}
	text, err := json.Marshal(canary)
	if err != nil {
		return err
	}
	client, err := g.openRedis(ctx, g.Redis, g.logger(s))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := checkPublishable(ctx, client, d); err != nil {
		return err
	}
	producer := client.Producer(ctx, d.Contract, stream.ProducerConfig{})
	return errors.Join(producer.Add(ctx, event.Shard(canary.ID, d.Shards), text), producer.Close(ctx))
}
