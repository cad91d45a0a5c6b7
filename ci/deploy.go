package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
	"github.com/estela-dev/estela/ci/rollout"
)

// What a deployment would change, as text. Changes nothing.
//
// Without a token it is the diff to an empty stack, made with the published provider and a dummy
// token, so that pull requests from forks see one too.
//
// +cache="never"
func (m *Estela) Preview(
	ctx context.Context,
	// The stack: staging, production or foundation.
	stack string,
	// Where the state is, such as gs://BUCKET. Default: nowhere, everything is new.
	// +optional
	state string,
	// An access token for Google Cloud, such as env:GOOGLE_OAUTH_ACCESS_TOKEN.
	// +optional
	googleToken *dagger.Secret,
	// Pulumi's passphrase, where the stack's secrets are not with Cloud KMS.
	// +optional
	pulumiPassphrase *dagger.Secret,
	// The image by digest. Default: the one that serves.
	// +optional
	image string,
) (string, error) {
	if (googleToken == nil) != (state == "") {
		return "", errors.New("preview: a state needs --google-token to be read with, and a token is of no use without --state")
	}
	s := &stackOf{m: m, name: stack, state: state, token: googleToken, passphrase: pulumiPassphrase}
	values, err := s.preview(ctx, image)
	if err != nil {
		return "", fmt.Errorf("preview %s: %w", stack, err)
	}
	out, err := s.pulumi(ctx, values, "preview", "--diff", "--non-interactive", "--stack", stack)
	if err != nil {
		return "", fmt.Errorf("preview %s: %w", stack, err)
	}
	return out, nil
}

// Deploy an image the careful way: a candidate without traffic, smoke, then all traffic.
//
// Each step is a pulumi up. A failed smoke or a burnt error budget leads back to the old revision, and
// the exit code says so.
//
// +cache="never"
func (m *Estela) Deploy(
	ctx context.Context,
	// The stack: staging or production.
	stack string,
	// Where the state is, such as gs://BUCKET.
	state string,
	// An access token for Google Cloud, such as env:GOOGLE_OAUTH_ACCESS_TOKEN.
	googleToken *dagger.Secret,
	// The image by digest. Default: build and publish one, to --registry.
	// +optional
	image string,
	// Where to publish what is built.
	// +optional
	registry string,
	// What the built image says of itself, and its tag.
	// +default="development"
	version string,
	// The commit, for the built image's label.
	// +optional
	revision string,
	// Pulumi's passphrase, where the stack's secrets are not with Cloud KMS.
	// +optional
	pulumiPassphrase *dagger.Secret,
	// An API key or identity token for smoke, where the API asks for one.
	// +optional
	apiKey *dagger.Secret,
	// Deploy although less than this share of an error budget is left: -1 for a mend that can't wait.
	// +default=0
	budgetFloor float64,
) (string, error) {
	switch {
	case image == "" && registry == "":
		return "", errors.New("deploy: say which --image, or to which --registry to publish a new one")
	case image != "" && registry != "":
		return "", errors.New("deploy: --image is there already, nothing goes to --registry; say one of them")
	case image == "":
		var err error
		if image, err = m.Publish(ctx, registry, version, revision, true); err != nil {
			return "", err
		}
	}
	s := &stackOf{m: m, name: stack, state: state, token: googleToken, passphrase: pulumiPassphrase}
	report, err := m.deployment(s, apiKey, budgetFloor).Deploy(ctx, image)
	return reported(report, err)
}

// Back to the image before, at once, or to a given one.
//
// +cache="never"
func (m *Estela) Rollback(
	ctx context.Context,
	// The stack: staging or production.
	stack string,
	// Where the state is, such as gs://BUCKET.
	state string,
	// An access token for Google Cloud, such as env:GOOGLE_OAUTH_ACCESS_TOKEN.
	googleToken *dagger.Secret,
	// The image by digest. Default: the one before the last deployment.
	// +optional
	image string,
	// Pulumi's passphrase, where the stack's secrets are not with Cloud KMS.
	// +optional
	pulumiPassphrase *dagger.Secret,
	// An API key or identity token for smoke, where the API asks for one.
	// +optional
	apiKey *dagger.Secret,
) (string, error) {
	s := &stackOf{m: m, name: stack, state: state, token: googleToken, passphrase: pulumiPassphrase}
	report, err := m.deployment(s, apiKey, 0).Rollback(ctx, image)
	return reported(report, err)
}

// Take a stack down with all its data. Refuses production.
//
// +cache="never"
func (m *Estela) Destroy(
	ctx context.Context,
	// The stack, such as staging.
	stack string,
	// Where the state is, such as gs://BUCKET.
	state string,
	// An access token for Google Cloud, such as env:GOOGLE_OAUTH_ACCESS_TOKEN.
	googleToken *dagger.Secret,
	// Pulumi's passphrase, where the stack's secrets are not with Cloud KMS.
	// +optional
	pulumiPassphrase *dagger.Secret,
) (string, error) {
	if err := rollout.CheckDestroy(stack); err != nil {
		return "", err
	}
	s := &stackOf{m: m, name: stack, state: state, token: googleToken, passphrase: pulumiPassphrase}
	out, err := s.pulumi(ctx, nil, "destroy", "--yes", "--non-interactive", "--stack", stack)
	if err != nil {
		return "", fmt.Errorf("destroy %s: %w", stack, err)
	}
	return out, nil
}

// Release the lock that a deployment left when it was killed during a pulumi up.
//
// Be sure first that no other one is at work on the stack: the lock may be its. Then deploy, or roll back,
// again: both begin by reading where things stand.
//
// +cache="never"
func (m *Estela) Unlock(
	ctx context.Context,
	// The stack: staging or production.
	stack string,
	// Where the state is, such as gs://BUCKET.
	state string,
	// An access token for Google Cloud, such as env:GOOGLE_OAUTH_ACCESS_TOKEN.
	googleToken *dagger.Secret,
	// Pulumi's passphrase, where the stack's secrets are not with Cloud KMS.
	// +optional
	pulumiPassphrase *dagger.Secret,
) (string, error) {
	s := &stackOf{m: m, name: stack, state: state, token: googleToken, passphrase: pulumiPassphrase}
	out, err := s.pulumi(ctx, nil, "cancel", "--yes", "--non-interactive", "--stack", stack)
	if err != nil {
		return "", fmt.Errorf("unlock %s: %w", stack, err)
	}
	return out, nil
}

// Is the pipeline behind a URL well? Health, OpenAPI, answers, freshness.
//
// Freshness is that of a canary event that was published and is read back.
//
// +cache="never"
func (m *Estela) Smoke(
	ctx context.Context,
	// Of the API. With --service it is bound under that name: http://api:8080.
	url string,
	// A service that only the caller can reach, such as tcp://localhost:8080; its name is "api", so that
	// an API without keys must have been started with --anonymous.
	// +optional
	service *dagger.Service,
	// Redis, to publish the canary to; without it the newest one that was published on schedule is
	// looked at.
	// +optional
	redis *dagger.Secret,
	// Where events are posted, to send the canary there: the URL of up, which may be the same, or of ingest.
	// +optional
	post string,
	// An API key or identity token.
	// +optional
	apiKey *dagger.Secret,
	// The API key to post with; without it, apiKey.
	// +optional
	postKey *dagger.Secret,
	// Leave the canary out, of a pipeline without the dataset canary.
	// +optional
	noCanary bool,
) (string, error) {
	c, err := m.smoke(ctx, apiKey)
	if err != nil {
		return "", err
	}
	if service != nil {
		c = c.WithServiceBinding("api", service)
	}
	if redis != nil {
		c = c.WithSecretVariable("ESTELA_REDIS", redis)
	}
	if postKey != nil {
		c = c.WithSecretVariable("ESTELA_SMOKE_POST_KEY", postKey)
	}
	args := []string{"estela", "smoke", "--url", url}
	if post != "" {
		args = append(args, "--post-url", post)
	}
	if noCanary {
		args = append(args, "--no-canary")
	}
	out, err := c.With(unrepeatable).WithExec(args).Stdout(ctx)
	if err != nil {
		return "", fmt.Errorf("smoke %s: %w", url, told(err))
	}
	return out, nil
}

// smoke is a container with the binary, which knows how to look at a pipeline from outside.
func (m *Estela) smoke(ctx context.Context, apiKey *dagger.Secret) (*dagger.Container, error) {
	binary, err := m.Binary(ctx, "", "development")
	if err != nil {
		return nil, err
	}
	c := m.golang().WithFile(tools+"estela", binary)
	if apiKey != nil {
		c = c.WithSecretVariable("ESTELA_SMOKE_TOKEN", apiKey)
	}
	return c, nil
}

// deployment is a rollout of this stack, with the built binary's smoke and Cloud Monitoring's budgets. How it
// ends is recorded where the services' metrics are.
func (m *Estela) deployment(s *stackOf, apiKey *dagger.Secret, floor float64) rollout.Deployment {
	monitoring := rollout.Monitoring{Client: http.DefaultClient, Token: s.token.Plaintext}
	telemetry := rollout.Telemetry{Client: http.DefaultClient, Token: s.token.Plaintext}
	budget := func(ctx context.Context, o rollout.Outputs) error { return monitoring.Burnt(ctx, o.SLOs, floor) }
	if floor < 0 {
		budget = nil // a mend gets out while the budget is burnt
	}
	return rollout.Deployment{
		Stack: s,
		Name:  s.name,
		Smoke: func(ctx context.Context, url string) error {
			_, err := m.Smoke(ctx, url, nil, nil, "", apiKey, nil, false)
			return err
		},
		Budget: budget,
		Record: telemetry.Record,
		Log:    func(step, text string) { fmt.Printf("%s: %s\n", step, text) }, //nolint:forbidigo // the call's own log
	}
}

// reported is a report for a person, also when it ends badly: Dagger prints a result or an error, not both.
func reported(report rollout.Report, err error) (string, error) {
	if err != nil {
		return "", fmt.Errorf("%s\n%w", report, err)
	}
	return report.String(), nil
}

// Rehearse a stack's whole life: Pulumi's own engine, and a stand-in for Google Cloud.
//
// Preview, up, a deployment by way of a candidate, the way back, a destroy that is refused and one that
// isn't. It asks nobody and needs no credentials.
//
// +check
// +cache="session"
func (m *Estela) Rehearse(ctx context.Context) (string, error) {
	out, err := m.pulumi().WithExec([]string{"go", "run", "./rehearse"}).Stdout(ctx)
	if err != nil {
		return "", fmt.Errorf("rehearse: %w", told(err))
	}
	return out, nil
}

// pulumi is a container with Pulumi and Go in the folder of the program.
func (m *Estela) pulumi() *dagger.Container {
	return m.golang().
		WithDirectory("/opt/pulumi/bin", dag.Container().From(m.image(pin.Pulumi)).Directory("/pulumi/bin")).
		WithEnvVariable("PATH", "/opt/pulumi/bin:$PATH", dagger.ContainerWithEnvVariableOpts{Expand: true}).
		WithEnvVariable("PULUMI_SKIP_UPDATE_CHECK", "true").
		WithEnvVariable("GOWORK", "off"). // infra stands alone
		WithMountedDirectory(src, m.Source).
		WithWorkdir(src + "/infra")
}

// foundation is the stack that the others stand on.
const foundation = "foundation"

// stackOf is a Pulumi stack of infra/, as a rollout drives it. Every command runs in a container of its
// own; what it knows of the last is in the state.
type stackOf struct {
	m          *Estela
	name       string
	state      string
	token      *dagger.Secret
	passphrase *dagger.Secret
}

// Outputs reads what the last update left.
func (s *stackOf) Outputs(ctx context.Context) (rollout.Outputs, error) {
	out, err := s.pulumi(ctx, nil, "stack", "output", "--json", "--stack", s.name)
	if err != nil {
		return rollout.Outputs{}, err
	}
	return rollout.ParseOutputs([]byte(out))
}

// preview is the config to preview with.
func (s *stackOf) preview(ctx context.Context, image string) (map[string]string, error) {
	if s.name == foundation {
		return nil, nil // it runs none
	}
	var now rollout.Outputs
	if s.state != "" {
		var err error
		if now, err = s.Outputs(ctx); err != nil {
			return nil, err
		}
	}
	c, err := now.Preview(image)
	return c.Values(), err
}

// Up makes the stack what the config says.
func (s *stackOf) Up(ctx context.Context, c rollout.Config) (rollout.Outputs, error) {
	if _, err := s.pulumi(ctx, c.Values(), "up", "--yes", "--non-interactive", "--skip-preview", "--stack", s.name); err != nil {
		return rollout.Outputs{}, err
	}
	return s.Outputs(ctx)
}

// pulumi runs one command on the stack, with values on top of its config.
func (s *stackOf) pulumi(ctx context.Context, values map[string]string, args ...string) (string, error) {
	if found, err := s.m.Source.Exists(ctx, "infra/Pulumi.yaml"); err != nil || !found {
		return "", errors.Join(errors.New("this tree has no infra/Pulumi.yaml: there is nothing to deploy with"), err)
	}
	c := s.container()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		c = c.WithExec([]string{"pulumi", "config", "set", "--stack", s.name, "--", key, values[key]})
	}
	out, err := c.WithExec(append([]string{"pulumi"}, args...)).Stdout(ctx)
	switch err = told(err); {
	case err == nil:
		return out, nil
	case strings.Contains(err.Error(), "currently locked"):
		err = fmt.Errorf("%w\nif it was killed rather than being at work, run: dagger call unlock --stack %s", err, s.name)
	}
	return "", fmt.Errorf("pulumi %s: %w", strings.Join(args, " "), err)
}

// container has Pulumi, the tree and the stack selected. GOOGLE_OAUTH_ACCESS_TOKEN authenticates the
// state, Cloud KMS and the provider.
func (s *stackOf) container() *dagger.Container {
	c := s.m.pulumi().
		WithMountedCache("/root/.pulumi/plugins", dag.CacheVolume("estela-pulumi-plugins"))
	if s.passphrase != nil {
		c = c.WithSecretVariable("PULUMI_CONFIG_PASSPHRASE", s.passphrase)
	} else {
		c = c.WithEnvVariable("PULUMI_CONFIG_PASSPHRASE", "")
	}
	if s.token != nil {
		c = c.WithSecretVariable("GOOGLE_OAUTH_ACCESS_TOKEN", s.token)
	} else {
		c = c.WithEnvVariable("GOOGLE_OAUTH_ACCESS_TOKEN", "none").
			WithEnvVariable("PULUMI_GCP_SKIP_REGION_VALIDATION", "true").
			WithDirectory("/state", dag.Directory()) // a mounted one would be another for each command
	}
	// A stack of a real state is made by an operator, who says which key encrypts it.
	selected := []string{"pulumi", "stack", "select", "--stack", s.name}
	if s.state == "" {
		selected = append(selected, "--create")
	}
	return c.
		WithEnvVariable("PULUMI_BACKEND_URL", s.backend()).
		With(unrepeatable).
		WithExec(selected)
}

func (s *stackOf) backend() string {
	if s.state == "" {
		return "file:///state"
	}
	return s.state
}
