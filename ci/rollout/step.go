package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What a report and an error call the steps.
const (
	stepRead           = "read outputs"
	stepUpdate         = "update"
	stepCandidate      = "start candidate"
	stepSmokeCandidate = "smoke candidate"
	stepPromote        = "promote"
	stepSmoke          = "smoke"
	stepBudget         = "ask error budget"
	stepIngest         = "update ingest"
	stepBack           = "go back"
	stepRecord         = "record"
)

const (
	// askLimit is for one read of the outputs when all else has failed.
	askLimit = time.Minute
	// recordLimit is for saying how it ended.
	recordLimit = time.Minute
)

// step does something, notes how it ended, and names itself in its error.
func (r *run) step(ctx context.Context, name string, do func() error) error {
	r.log(name, "begins")
	start := time.Now()
	// A Stack need not look at ctx, and nothing should start after Ctrl-C.
	err := context.Cause(ctx)
	if err == nil {
		err = do()
	}
	s := Step{Name: name, Outcome: OK, Duration: time.Since(start)}
	if err != nil {
		s.Outcome = Failed
		err = fmt.Errorf("%s: %w", name, err)
	}
	r.report.Steps = append(r.report.Steps, s)
	r.log(name, fmt.Sprintf("%s after %s", s.Outcome, round(s.Duration)))
	return err
}

func (r *run) skip(name string) {
	r.report.Steps = append(r.report.Steps, Step{Name: name, Outcome: Skipped})
	r.log(name, string(Skipped))
}

func (r *run) log(step, text string) {
	if r.of.Log != nil {
		r.of.Log(step, text)
	}
}

// read is the first step. What it returns is what a way back leads to.
func (r *run) read(ctx context.Context) (Outputs, error) {
	var out Outputs
	err := r.step(ctx, stepRead, func() error {
		if r.of.Stack == nil || r.of.Smoke == nil {
			return errors.New("the deployment has no Stack or no Smoke; set both")
		}
		var err error
		if out, err = r.of.Stack.Outputs(ctx); err != nil || out.Image == "" {
			return err
		}
		// Such as "[secret]", which Pulumi prints for an output that touched one.
		if err := checkImage(out.Image); err != nil {
			return fmt.Errorf("what serves now: %w", err)
		}
		return nil
	})
	if err != nil {
		return Outputs{}, fmt.Errorf("%w; nothing was changed", err)
	}
	r.report.Serving, r.last = out.Image, out
	return out, nil
}

func (r *run) up(ctx context.Context, name string, c Config) (Outputs, error) {
	var out Outputs
	// Until the update has ended well, nobody knows.
	r.report.Serving = ""
	err := r.step(ctx, name, func() error {
		var err error
		if out, err = r.of.Stack.Up(ctx, c); err != nil {
			return err
		}
		r.report.Serving, r.last = out.Image, out
		return c.check(out)
	})
	return out, err
}

func (r *run) smoke(ctx context.Context, name, url string) error {
	return r.step(ctx, name, func() error {
		if url == "" {
			return errors.New("the stack's output url is missing; let it export where it serves")
		}
		return r.of.Smoke(ctx, url)
	})
}

// ask says in words what serves, after an update that failed, whatever became of ctx.
func (r *run) ask(ctx context.Context) string {
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), askLimit)
	defer cancel()
	out, err := r.of.Stack.Outputs(fresh)
	if err != nil || out.Image == "" {
		return "which image serves is not known"
	}
	r.report.Serving = out.Image
	return "by its outputs the stack serves " + out.Image
}

// record says how it ended, whatever became of ctx.
func (r *run) record(ctx context.Context, ok bool) {
	if r.of.Record == nil {
		return
	}
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	if err := r.step(fresh, stepRecord, func() error { return r.of.Record(fresh, ok, r.last) }); err != nil {
		warning := fmt.Sprintf("%v; this deployment is missing in the objective of deployments", err)
		r.report.Warnings = append(r.report.Warnings, warning)
		r.log(stepRecord, warning)
	}
}
