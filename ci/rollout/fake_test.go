package rollout_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/rollout"
)

// The images of the tests, oldest first.
var (
	imageA = image("a")
	imageB = image("b")
	imageC = image("c")
)

func image(digit string) string {
	return "europe-docker.pkg.dev/p/r/estela@sha256:" + strings.Repeat(digit, 64)
}

const (
	url          = "https://estela.example.com"
	candidateURL = "https://candidate---estela.example.com"
)

// What is wrong with a call of the cloud.
type fault int

const (
	failBefore  fault = iota // nothing happened
	failAfter                // it happened, and the answer was lost
	crashBefore              // the process dies
	crashAfter
	cancelAfter // Ctrl-C while it happened; what honours its context fails from then on
)

var (
	errFault = errors.New("fault")
	faults   = map[fault]string{failBefore: "fail before", failAfter: "fail after", crashBefore: "crash before", crashAfter: "crash after", cancelAfter: "cancel after"}
)

// crash is a panic's value: nothing of the process runs on, a way back neither.
type crash struct{}

// cloud is a stack, its smoke test and its budgets. It counts every call, breaks the chosen ones, and
// looks at each change of traffic.
type cloud struct {
	t       *testing.T
	config  rollout.Config
	posts   bool // whether a service takes events by POST
	slos    []string
	bad     map[string]bool  // images whose smoke test fails
	burnt   bool             // whether the budget is below its floor
	faults  map[int]fault    // by number of the call
	passed  map[string]bool  // candidates that passed in this run
	takes   map[string]bool  // images that may take events without that, for a rollback
	works   map[string]bool  // images whose worker stored a smoke test's event in this run
	served  map[string]bool  // images that may serve without being a candidate first
	calls   []string         // of this run
	configs []rollout.Config // of this run
	crashed bool             // whether this run died
	cancel  context.CancelFunc
	// updated, if there is one, sees each update and may change what the stack says of it.
	updated func(context.Context, *rollout.Outputs)
}

func newCloud(t *testing.T, c rollout.Config) *cloud {
	t.Helper()
	return &cloud{t: t, config: c, slos: []string{slo}, bad: map[string]bool{}, served: map[string]bool{}, takes: map[string]bool{}}
}

// allow lets an image serve without being a candidate first, for a rollback to it.
func (c *cloud) allow(image string) { c.served[image], c.takes[image] = true, true }

// run is one process: what it knew is forgotten, what it changed stays.
func (c *cloud) run(f func(context.Context, rollout.Deployment) (rollout.Report, error)) (rollout.Report, error) {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	c.cancel, c.calls, c.configs, c.passed, c.crashed = cancel, nil, nil, map[string]bool{}, false
	// Whatever serves now may serve again.
	c.served[c.config.Image] = true
	c.works = map[string]bool{c.ingest(): true}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crash); !ok {
				panic(r)
			}
			c.crashed = true
		}
	}()
	return f(ctx, rollout.Deployment{Stack: c, Smoke: c.smoke, Budget: c.budget, Name: "staging"})
}

func (c *cloud) call(ctx context.Context, name string, do func() error) error {
	c.calls = append(c.calls, name)
	f, broken := c.faults[len(c.calls)]
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if broken && f == crashBefore {
		panic(crash{})
	}
	if broken && f == failBefore {
		return errFault
	}
	err := do()
	switch {
	case broken && f == crashAfter:
		panic(crash{})
	case broken && f == failAfter:
		return errFault
	case broken && f == cancelAfter:
		c.cancel()
		return ctx.Err()
	}
	return err
}

// ingest is the image that takes events by POST, if there is that service.
func (c *cloud) ingest() string { return cmp.Or(c.config.Ingest, c.config.Image) }

func (c *cloud) outputs() rollout.Outputs {
	if c.config.Image == "" {
		return rollout.Outputs{}
	}
	o := rollout.Outputs{Image: c.config.Image, URL: url, Previous: c.config.Previous, SLOs: c.slos, Resources: whose.Resources[:1]}
	if c.posts {
		o.Ingest = c.ingest()
	}
	if c.config.Candidate != "" {
		o.CandidateURL = candidateURL
	}
	return o
}

func (c *cloud) Outputs(ctx context.Context) (out rollout.Outputs, err error) {
	err = c.call(ctx, "outputs", func() error { out = c.outputs(); return nil })
	return out, err
}

func (c *cloud) Up(ctx context.Context, config rollout.Config) (out rollout.Outputs, err error) {
	c.configs = append(c.configs, config)
	err = c.call(ctx, "up", func() error {
		first := c.config.Image == ""
		c.config = config
		if !first && !c.served[config.Image] && !c.passed[config.Image] {
			c.t.Errorf("%s serves all traffic and has passed no smoke test as a candidate", config.Image)
		}
		if c.posts && !first && !c.works[c.ingest()] && !c.takes[c.ingest()] {
			c.t.Errorf("%s takes events, and no event went through a worker that has it", c.ingest())
		}
		out = c.outputs()
		return nil
	})
	if c.updated != nil {
		c.updated(ctx, &out)
	}
	return out, err
}

func (c *cloud) smoke(ctx context.Context, at string) error {
	return c.call(ctx, "smoke", func() error {
		target := c.config.Image
		if at == candidateURL {
			target = c.config.Candidate
		}
		if target == "" || at != candidateURL && at != url {
			c.t.Errorf("smoke test of %s, where nothing is", at)
		}
		if c.bad[target] {
			return errors.New("no fresh event")
		}
		if at == candidateURL {
			c.passed[target] = true
		} else {
			c.works[target] = true
		}
		return nil
	})
}

func (c *cloud) budget(ctx context.Context, o rollout.Outputs) error {
	return c.call(ctx, "budget", func() error {
		if len(o.SLOs) != 1 {
			c.t.Errorf("the budget was asked for with SLOs %v", o.SLOs)
		}
		if c.burnt {
			return errors.New("budget burnt")
		}
		return nil
	})
}

func deploying(image string) func(context.Context, rollout.Deployment) (rollout.Report, error) {
	return func(ctx context.Context, d rollout.Deployment) (rollout.Report, error) { return d.Deploy(ctx, image) }
}

func rollingBack(image string) func(context.Context, rollout.Deployment) (rollout.Report, error) {
	return func(ctx context.Context, d rollout.Deployment) (rollout.Report, error) { return d.Rollback(ctx, image) }
}

func (c *cloud) want(config rollout.Config, calls string) {
	c.t.Helper()
	if c.config != config {
		c.t.Errorf("the stack is %+v, want %+v", c.config, config)
	}
	if got := strings.Join(c.calls, " "); calls != "" && got != calls {
		c.t.Errorf("calls %q, want %q", got, calls)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q, want it to have %q", err, part)
		}
	}
}

func outcomes(r rollout.Report) string {
	var all []string
	for _, s := range r.Steps {
		all = append(all, s.Name+": "+string(s.Outcome))
	}
	return strings.Join(all, ", ")
}
