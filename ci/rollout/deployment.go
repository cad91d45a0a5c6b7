package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// defaultBackLimit is an update of the stack that goes slowly.
const defaultBackLimit = 15 * time.Minute

// Deployment is what a rollout needs. Stack and Smoke must be there.
type Deployment struct {
	Stack Stack
	// Smoke asks a running system whether it works.
	Smoke func(ctx context.Context, url string) error
	// Budget asks whether the error budgets hold, after the promotion.
	//
	// nil: they are not asked, which is how a mend gets out while the budget is burnt.
	Budget func(ctx context.Context, o Outputs) error
	// Record is told once how a deployment ended: whether the image took all traffic and passed every
	// check. It is not asked of one that was refused before it changed anything, nor of a rollback, and a
	// run that is killed has no end. Its error is told and changes nothing: what is deployed is deployed.
	//
	// nil: nobody is told.
	Record func(ctx context.Context, ok bool, o Outputs) error
	// Log is told of each step's begin and end.
	//
	// nil: nobody is.
	Log func(step, text string)
	// Name is the stack's, for the command an operator is told to run.
	//
	// Empty: the command says STACK.
	Name string
	// BackLimit is the time the way back may take, on top of the caller's.
	//
	// 0: 15 minutes.
	BackLimit time.Duration
}

// Deploy brings an image to all traffic by way of a candidate, or leaves the old one serving and says
// which check failed. The report is there in both cases.
func (d Deployment) Deploy(ctx context.Context, image string) (Report, error) {
	r := &run{of: d}
	err := r.deploy(ctx, image)
	if err != nil {
		err = fmt.Errorf("deploy %s: %w", image, err)
	}
	return r.report, err
}

// Rollback brings back an image, or with none the one before the last promotion, at once: it served
// before, and what serves now is worse. There is no candidate, no budget (it is burnt) and no way
// back. Run twice, it stays where it is.
func (d Deployment) Rollback(ctx context.Context, image string) (Report, error) {
	r := &run{of: d}
	err := r.rollback(ctx, image)
	if err != nil {
		err = fmt.Errorf("roll back: %w", err)
	}
	return r.report, err
}

// run is one deployment or rollback under way.
type run struct {
	of     Deployment
	report Report
	// last is what the stack said of itself last.
	last Outputs
}

func (r *run) deploy(ctx context.Context, image string) error {
	if err := checkImage(image); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	now, err := r.read(ctx)
	if err != nil {
		return err
	}
	err = r.change(ctx, now, image)
	r.record(ctx, err == nil)
	return err
}

// change is all of a deployment that may change something.
func (r *run) change(ctx context.Context, now Outputs, image string) error {
	switch now.Image {
	case "":
		return r.first(ctx, image)
	case image:
		return r.again(ctx, now)
	}
	if err := r.replace(ctx, now, image); err != nil {
		return r.back(ctx, now, err)
	}
	return nil
}

// first has nothing to keep serving meanwhile, and SLOs without a past.
func (r *run) first(ctx context.Context, image string) error {
	out, err := r.up(ctx, stepUpdate, Config{Image: image})
	if err == nil {
		err = r.smoke(ctx, stepSmoke, out.URL)
	}
	if err != nil {
		return fmt.Errorf("%w; this is the first deployment, so there is nothing to go back to: mend it and deploy again", err)
	}
	return nil
}

// again brings the rest of the config to a stack on which the image serves already, or finishes a
// deployment that was killed after its promotion.
func (r *run) again(ctx context.Context, now Outputs) error {
	out, err := r.up(ctx, stepUpdate, Config{Image: now.Image, Previous: now.Previous, Ingest: now.Ingest})
	if err == nil {
		err = r.verify(ctx, out)
	}
	switch {
	case err == nil:
		return nil
	case now.Previous == "" || now.Previous == now.Image:
		return fmt.Errorf("%w; the image served before this run and no other is known to go back to: mend it and deploy again", err)
	}
	return fmt.Errorf("%w; the image served before this run, so it was left; to return to the one before it, run: %s", err, r.command(now.Previous))
}

func (r *run) replace(ctx context.Context, old Outputs, image string) error {
	out, err := r.up(ctx, stepCandidate, Config{Image: old.Image, Candidate: image, Previous: old.Previous, Ingest: old.Ingest})
	if err != nil {
		return err
	}
	if err := r.smoke(ctx, stepSmokeCandidate, out.CandidateURL); err != nil {
		return err
	}
	if out, err = r.up(ctx, stepPromote, Config{Image: image, Previous: old.Image, Ingest: old.Ingest}); err != nil {
		return err
	}
	return r.verify(ctx, out)
}

func (r *run) verify(ctx context.Context, out Outputs) error {
	if err := r.smoke(ctx, stepSmoke, out.URL); err != nil {
		return err
	}
	if r.of.Budget == nil {
		r.skip(stepBudget)
	} else if err := r.step(ctx, stepBudget, func() error { return r.of.Budget(ctx, out) }); err != nil {
		return err
	}
	return r.follow(ctx, out)
}

// follow brings what takes events by POST to the image that the worker runs: by now an event went through it.
func (r *run) follow(ctx context.Context, out Outputs) error {
	if out.Ingest == "" || out.Ingest == out.Image {
		return nil
	}
	_, err := r.up(ctx, stepIngest, Config{Image: out.Image, Previous: out.Previous})
	return err
}

// back makes what served before serve again, whatever became of the caller's ctx.
func (r *run) back(ctx context.Context, old Outputs, failure error) error {
	limit := r.of.BackLimit
	if limit <= 0 {
		limit = defaultBackLimit
	}
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if _, err := r.up(fresh, stepBack, Config{Image: old.Image, Previous: old.Previous, Ingest: old.Ingest}); err != nil {
		return fmt.Errorf("%w; the way back failed too: %w; %s; run: %s", failure, err, r.ask(ctx), r.command(old.Image))
	}
	return fmt.Errorf("%w; the way back succeeded: %s serves all traffic", failure, old.Image)
}

func (r *run) rollback(ctx context.Context, image string) error {
	if image != "" {
		if err := checkImage(image); err != nil {
			return fmt.Errorf("%w; nothing was changed", err)
		}
	}
	now, err := r.read(ctx)
	if err != nil {
		return err
	}
	if image, err = target(now, image); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	// Previous is the image itself. Were it the one that is left now, a rollback that is run again
	// because it was killed would bring the bad image back.
	out, err := r.up(ctx, stepUpdate, Config{Image: image, Previous: image})
	if err != nil {
		return fmt.Errorf("to %s: %w; %s; run: %s", image, err, r.ask(ctx), r.command(image))
	}
	if err := r.smoke(ctx, stepSmoke, out.URL); err != nil {
		return fmt.Errorf("to %s: %w; it serves all the same: mend it, or roll back further by --image", image, err)
	}
	return nil
}

// target is the image to roll back to.
func target(now Outputs, image string) (string, error) {
	switch {
	case now.Image == "":
		return "", errors.New("the stack serves no image yet; deploy one")
	case image != "":
		return image, nil
	case now.Previous == "":
		return "", fmt.Errorf("the stack knows no image before %s; name one by --image", now.Image)
	}
	if err := checkImage(now.Previous); err != nil {
		return "", fmt.Errorf("read output previous: %w", err)
	}
	return now.Previous, nil
}

// command is what an operator can run by hand.
func (r *run) command(image string) string {
	name := r.of.Name
	if name == "" {
		name = "STACK"
	}
	return fmt.Sprintf("dagger call rollback --stack %s --image %s", name, image)
}
