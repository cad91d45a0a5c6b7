// Command rehearse runs a stack's whole life with Pulumi's real engine, a state in a
// temporary folder and a stand-in for Google Cloud: preview, up, a preview that finds
// nothing to do, a deployment by way of a candidate, the way back, a destroy that is
// refused and one that isn't. It needs the program pulumi on PATH, of the version in
// go.mod, and nothing else:
//
//	cd infra && go run ./rehearse
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/estela-dev/estela/infra/internal/standin"
	"github.com/estela-dev/estela/infra/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rehearse:", err)
		os.Exit(1) //nolint:gocritic // the process ends here
	}
}

const (
	imageA = "example.pkg.dev/estela/estela@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	imageB = "example.pkg.dev/estela/estela@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// rehearsal is the life of one stack.
type rehearsal struct {
	out    io.Writer
	stack  auto.Stack
	values map[string]string
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "estela-rehearsal-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	port, stop, err := serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	r := &rehearsal{out: out}
	config, err := os.ReadFile("Pulumi.staging.yaml")
	if err != nil {
		return fmt.Errorf("read config (run this in infra/): %w", err)
	}
	if r.values, err = standin.Config(config); err != nil {
		return err
	}
	r.stack, err = auto.UpsertStackInlineSource(ctx, "staging", "estela",
		func(ctx *pulumi.Context) error { return stack.Program(ctx, r.values) },
		auto.EnvVars(map[string]string{
			"PULUMI_BACKEND_URL": "file://" + dir, "PULUMI_CONFIG_PASSPHRASE": "", "PULUMI_SKIP_UPDATE_CHECK": "true",
			"PULUMI_DEBUG_PROVIDERS": fmt.Sprintf("gcp:%d", port), "PULUMI_HOME": dir,
		}))
	if err != nil {
		return fmt.Errorf("make a stack: %w", err)
	}
	return r.live(ctx)
}

// live goes through a stack's life, step by step.
func (r *rehearsal) live(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"preview of an empty project", r.preview},
		{"up: the platform, without an image", func(ctx context.Context) error { return r.up(ctx, "image", "", nil) }},
		{"preview finds nothing to do", r.unchanged},
		{"up: the first image", func(ctx context.Context) error {
			return r.up(ctx, "url", "https://estela-staging-api.a.run.app", map[string]string{"estela:image": imageA})
		}},
		{"up: a candidate without traffic", func(ctx context.Context) error {
			return r.up(ctx, "candidateUrl", "https://candidate---estela-staging-api.a.run.app", map[string]string{"estela:candidate": imageB})
		}},
		{"up: the candidate gets all traffic", func(ctx context.Context) error {
			return r.up(ctx, "image", imageB, map[string]string{"estela:image": imageB, "estela:candidate": "", "estela:previous": imageA})
		}},
		{"preview finds nothing to do", r.unchanged},
		{"up by hand, with the committed config, takes nothing away", r.byHand},
		{"up: the way back", func(ctx context.Context) error {
			return r.up(ctx, "image", imageA, map[string]string{"estela:image": imageA})
		}},
		{"destroy is refused and takes nothing", r.refusedDestroy},
		{"up: the protection is lifted", func(ctx context.Context) error {
			return r.up(ctx, "image", imageA, map[string]string{"estela:protect": "false"})
		}},
		{"destroy", r.destroy},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		_, _ = fmt.Fprintln(r.out, "ok  ", step.name)
	}
	return nil
}

func (r *rehearsal) preview(ctx context.Context) error {
	result, err := r.stack.Preview(ctx)
	if err == nil && result.ChangeSummary["create"] < 30 {
		err = fmt.Errorf("it would make %d resources only", result.ChangeSummary["create"])
	}
	return err
}

func (r *rehearsal) unchanged(ctx context.Context) error {
	_, err := r.stack.Preview(ctx, optpreview.ExpectNoChanges())
	return err
}

// byHand is what an operator's own up finds: no image in the config.
func (r *rehearsal) byHand(ctx context.Context) error {
	image, previous := r.values["estela:image"], r.values["estela:previous"]
	delete(r.values, "estela:image")
	_, err := r.stack.Preview(ctx, optpreview.ExpectNoChanges())
	r.values["estela:image"], r.values["estela:previous"] = image, previous
	return err
}

// up applies config values and expects an output.
func (r *rehearsal) up(ctx context.Context, output, want string, changes map[string]string) error {
	maps.Copy(r.values, changes)
	result, err := r.stack.Up(ctx, optup.SuppressProgress())
	if err == nil && result.Outputs[output].Value != want {
		err = fmt.Errorf("output %s is %v, want %s", output, result.Outputs[output].Value, want)
	}
	return err
}

func (r *rehearsal) count(ctx context.Context) (int, error) {
	exported, err := r.stack.Export(ctx)
	if err != nil {
		return 0, err
	}
	var state struct{ Resources []json.RawMessage }
	return len(state.Resources), errors.Join(json.Unmarshal(exported.Deployment, &state), ifEmpty(len(exported.Deployment)))
}

func ifEmpty(n int) error {
	if n == 0 {
		return errors.New("the state is empty")
	}
	return nil
}

// refusedDestroy: what is protected stops it in its preview, before anything is gone.
func (r *rehearsal) refusedDestroy(ctx context.Context) error {
	before, err := r.count(ctx)
	if err != nil {
		return err
	}
	if _, err = r.stack.PreviewDestroy(ctx); err == nil || !strings.Contains(err.Error(), "protect") {
		return fmt.Errorf("it is not refused for its protection: %w", err)
	}
	after, err := r.count(ctx)
	if err == nil && after != before {
		err = fmt.Errorf("%d of %d resources are left", after, before)
	}
	return err
}

func (r *rehearsal) destroy(ctx context.Context) error {
	_, err := r.stack.Destroy(ctx, optdestroy.SuppressProgress())
	return err
}
