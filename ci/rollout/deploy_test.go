package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/rollout"
)

func TestDeployByWayOfACandidate(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
	report, err := c.run(deploying(imageC))
	if err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageC, Previous: imageB}, "outputs up smoke up smoke budget")
	if want := (rollout.Config{Image: imageB, Candidate: imageC, Previous: imageA}); c.configs[0] != want {
		t.Errorf("the candidate's config is %+v, want %+v", c.configs[0], want)
	}
	want := "read outputs: ok, start candidate: ok, smoke candidate: ok, promote: ok, smoke: ok, ask error budget: ok"
	if got := outcomes(report); got != want || report.Serving != imageC {
		t.Errorf("got %s, serving %s", got, report.Serving)
	}
}

// What takes events by POST is last.
func TestDeployWithIngest(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
	c.posts = true
	report, err := c.run(deploying(imageC))
	if err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageC, Previous: imageB}, "outputs up smoke up smoke budget up")
	if want := (rollout.Config{Image: imageC, Previous: imageB, Ingest: imageB}); c.configs[1] != want {
		t.Errorf("promoted with %+v, want %+v", c.configs[1], want)
	}
	want := "read outputs: ok, start candidate: ok, smoke candidate: ok, promote: ok, smoke: ok, ask error budget: ok, update ingest: ok"
	if got := outcomes(report); got != want || report.Serving != imageC {
		t.Errorf("got %s, serving %s", got, report.Serving)
	}
	// What serves already leaves it nothing to do.
	if _, err = c.run(deploying(imageC)); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageC, Previous: imageB, Ingest: imageC}, "outputs up smoke budget")

	// One that doesn't start leads all back.
	c = newCloud(t, rollout.Config{Image: imageB, Previous: imageA, Ingest: imageB})
	c.posts = true
	c.faults = map[int]fault{7: failBefore}
	_, err = c.run(deploying(imageC))
	wantError(t, err, "deploy "+imageC+": update ingest: fault", "the way back succeeded")
	c.want(rollout.Config{Image: imageB, Previous: imageA, Ingest: imageB}, "outputs up smoke up smoke budget up up")

	// A rollback moves all at once.
	c.allow(imageA)
	if _, err := c.run(rollingBack("")); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageA, Previous: imageA}, "outputs up smoke")
}

func TestDeployTheFirst(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{})
	report, err := c.run(deploying(imageA))
	if err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageA}, "outputs up smoke")
	if got := outcomes(report); got != "read outputs: ok, update: ok, smoke: ok" {
		t.Error(got)
	}

	c = newCloud(t, rollout.Config{})
	c.bad[imageA] = true
	report, err = c.run(deploying(imageA))
	wantError(t, err, "deploy "+imageA+": smoke: no fresh event", "first deployment", "nothing to go back to", "deploy again")
	c.want(rollout.Config{Image: imageA}, "outputs up smoke")
	if report.Serving != imageA {
		t.Errorf("serving %q", report.Serving)
	}
}

func TestDeployWhatServesAlready(t *testing.T) {
	t.Parallel()
	// A candidate that a killed run left goes.
	left := rollout.Config{Image: imageB, Candidate: imageC, Previous: imageA}
	c := newCloud(t, left)
	if _, err := c.run(deploying(imageB)); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageB, Previous: imageA}, "outputs up smoke budget")

	c = newCloud(t, left)
	c.burnt = true
	_, err := c.run(deploying(imageB))
	wantError(t, err, "ask error budget: budget burnt", "it was left", "run: dagger call rollback --stack staging --image "+imageA)
	c.want(rollout.Config{Image: imageB, Previous: imageA}, "outputs up smoke budget")

	for _, previous := range []string{"", imageB} {
		c = newCloud(t, rollout.Config{Image: imageB, Previous: previous})
		c.bad[imageB] = true
		_, err = c.run(deploying(imageB))
		wantError(t, err, "smoke: no fresh event", "no other is known", "deploy again")
	}
}

func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("a", 64)
	for _, image := range []string{
		"", "estela", "estela:latest", "estela@sha256:", "estela@sha256:" + digest[1:], "estela@sha256:" + digest + "a",
		"estela@sha256:" + strings.Repeat("A", 64), "@sha256:" + digest, "--help@sha256:" + digest, "es tela@sha256:" + digest,
		"estela@sha512:" + digest, "estela@sha256:" + digest + "\n",
	} {
		c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
		_, err := c.run(deploying(image))
		wantError(t, err, "not pinned by its digest", "publish prints it", "nothing was changed")
		if image != "" {
			_, err = c.run(rollingBack(image))
			wantError(t, err, "roll back: ", "not pinned by its digest", "nothing was changed")
		}
		if len(c.calls) > 0 {
			t.Errorf("image %q: calls %v", image, c.calls)
		}
	}
	for _, good := range []string{imageA, "localhost:5000/estela:v1@sha256:" + digest} {
		if _, err := newCloud(t, rollout.Config{}).run(deploying(good)); err != nil {
			t.Error(err)
		}
	}
}

func TestAFailedReadChangesNothing(t *testing.T) {
	t.Parallel()
	before := rollout.Config{Image: imageB, Previous: imageA}
	for _, f := range []func(context.Context, rollout.Deployment) (rollout.Report, error){deploying(imageC), rollingBack("")} {
		c := newCloud(t, before)
		c.faults = map[int]fault{1: failBefore}
		report, err := c.run(f)
		wantError(t, err, "read outputs: fault; nothing was changed")
		c.want(before, "outputs")
		if got := outcomes(report); got != "read outputs: failed" || report.Serving != "" {
			t.Errorf("got %s, serving %q", got, report.Serving)
		}
	}

	c := newCloud(t, rollout.Config{Image: "[secret]"})
	_, err := c.run(deploying(imageC))
	wantError(t, err, "read outputs: what serves now", `"[secret]"`, "nothing was changed")
	c.want(rollout.Config{Image: "[secret]"}, "outputs")

	_, err = rollout.Deployment{}.Deploy(t.Context(), imageA)
	wantError(t, err, "no Stack or no Smoke")
}

func TestAFailedCheckLeadsBack(t *testing.T) {
	t.Parallel()
	before := rollout.Config{Image: imageB, Previous: imageA}
	for _, check := range []struct {
		name, step, calls, outcomes string
		set                         func(*cloud)
	}{
		{
			name: "candidate", step: "smoke candidate: no fresh event", calls: "outputs up smoke up",
			outcomes: "read outputs: ok, start candidate: ok, smoke candidate: failed, go back: ok",
			set:      func(c *cloud) { c.bad[imageC] = true },
		},
		{
			name: "budget", step: "ask error budget: budget burnt", calls: "outputs up smoke up smoke budget up",
			outcomes: "read outputs: ok, start candidate: ok, smoke candidate: ok, promote: ok, smoke: ok, ask error budget: failed, go back: ok",
			set:      func(c *cloud) { c.burnt = true },
		},
		{
			name: "smoke", step: "smoke: fault", calls: "outputs up smoke up smoke up",
			outcomes: "read outputs: ok, start candidate: ok, smoke candidate: ok, promote: ok, smoke: failed, go back: ok",
			set:      func(c *cloud) { c.faults = map[int]fault{5: failBefore} },
		},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, before)
			check.set(c)
			report, err := c.run(deploying(imageC))
			wantError(t, err, "deploy "+imageC+": "+check.step, "the way back succeeded: "+imageB+" serves all traffic")
			c.want(before, check.calls)
			if got := outcomes(report); got != check.outcomes || report.Serving != imageB {
				t.Errorf("got %s, serving %s", got, report.Serving)
			}
		})
	}
}

func TestAFailedWayBackSaysWhatToRun(t *testing.T) {
	t.Parallel()
	before := rollout.Config{Image: imageB, Previous: imageA}
	c := newCloud(t, before)
	c.burnt = true
	c.faults = map[int]fault{7: failBefore}
	report, err := c.run(deploying(imageC))
	wantError(t, err, "ask error budget: budget burnt", "the way back failed too: go back: fault",
		"by its outputs the stack serves "+imageC, "run: dagger call rollback --stack staging --image "+imageB)
	if !errors.Is(err, errFault) || report.Serving != imageC {
		t.Errorf("got %v, serving %q", err, report.Serving)
	}

	c = newCloud(t, before)
	c.bad[imageC] = true
	c.faults = map[int]fault{4: failBefore, 5: failBefore}
	report, err = c.run(deploying(imageC))
	wantError(t, err, "smoke candidate: no fresh event", "which image serves is not known", "--image "+imageB)
	if report.Serving != "" || !strings.Contains(report.String(), "serves: not known") {
		t.Errorf("serving %q", report.Serving)
	}

	// After Ctrl-C it still asks what serves.
	c = newCloud(t, before)
	c.faults = map[int]fault{3: cancelAfter, 4: failBefore}
	_, err = c.run(deploying(imageC))
	wantError(t, err, "smoke candidate: context canceled", "go back: fault", "by its outputs the stack serves "+imageB)

	// What it says to run is what mends it.
	c.faults = nil
	if _, err := c.run(rollingBack(imageB)); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageB, Previous: imageB}, "outputs up smoke")
}

// Every call of a deployment fails, dies or is interrupted, before or after it took effect. Then the
// same deployment is run again. cloud.Up looks at the traffic at each change.
func TestEveryCallBreaksThenAgain(t *testing.T) {
	t.Parallel()
	before := rollout.Config{Image: imageB, Previous: imageA}
	after := rollout.Config{Image: imageC, Previous: imageB}
	for f, name := range faults {
		for n := 1; n <= 7; n++ {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				c := newCloud(t, before)
				c.posts = true
				c.faults = map[int]fault{n: f}
				report, err := c.run(deploying(imageC))
				if c.crashed != (f == crashBefore || f == crashAfter) {
					t.Fatalf("crashed: %t", c.crashed)
				}
				if !c.crashed {
					if err == nil {
						t.Error("a broken call went unnoticed")
					}
					if got := c.outputs(); got.Image != imageB || got.Ingest != imageB || got.Previous != imageA || got.CandidateURL != "" {
						t.Errorf("went back to %+v", got)
					}
					if n > 1 && report.Serving != imageB {
						t.Errorf("serving %q", report.Serving)
					}
				}
				if c.config.Image != imageB && (n < 4 || n == 4 && f == crashBefore) {
					t.Errorf("%s serves before its time", c.config.Image)
				}

				c.faults = nil
				if report, err = c.run(deploying(imageC)); err != nil {
					t.Fatalf("again: %v", err)
				}
				if got := c.outputs(); got.Ingest != imageC {
					t.Errorf("again: %s takes events", got.Ingest)
				}
				c.config.Ingest = "" // whether named or by default
				c.want(after, "")
				if report.Serving != imageC {
					t.Errorf("again: serving %q", report.Serving)
				}
			})
		}
	}
}

// The same with an image that is bad: it never serves, and the old one is there in the end.
func TestABadCandidateNeverServes(t *testing.T) {
	t.Parallel()
	before := rollout.Config{Image: imageB, Previous: imageA}
	for f, name := range faults {
		for n := 1; n <= 4; n++ {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				c := newCloud(t, before)
				c.bad[imageC] = true
				for _, c.faults = range []map[int]fault{{n: f}, nil} {
					_, err := c.run(deploying(imageC))
					if !c.crashed && err == nil {
						t.Error("a bad image was deployed")
					}
					if slices.ContainsFunc(c.configs, func(r rollout.Config) bool { return r.Image != imageB }) {
						t.Errorf("configs %+v", c.configs)
					}
				}
				c.want(before, "outputs up smoke up")
			})
		}
	}
}

// The first deployment breaks at every call, then is run again.
func TestTheFirstBreaksThenAgain(t *testing.T) {
	t.Parallel()
	for f, name := range faults {
		for n := 1; n <= 3; n++ {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				c := newCloud(t, rollout.Config{})
				c.faults = map[int]fault{n: f}
				if _, err := c.run(deploying(imageA)); !c.crashed && err == nil {
					t.Error("a broken call went unnoticed")
				}
				c.faults = nil
				if _, err := c.run(deploying(imageA)); err != nil {
					t.Fatalf("again: %v", err)
				}
				c.want(rollout.Config{Image: imageA}, "")
			})
		}
	}
}

// Killed on the way back, before anything changed: the image that failed serves. Run again, the
// checks fail again, and the error says how to return.
func TestKilledOnTheWayBack(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
	c.burnt = true
	c.faults = map[int]fault{7: crashBefore}
	if _, err := c.run(deploying(imageC)); err != nil || !c.crashed {
		t.Fatal("not killed")
	}
	c.want(rollout.Config{Image: imageC, Previous: imageB}, "outputs up smoke up smoke budget up")
	c.faults = nil
	_, err := c.run(deploying(imageC))
	wantError(t, err, "ask error budget: budget burnt", "run: dagger call rollback --stack staging --image "+imageB)
	c.allow(imageB)
	if _, err := c.run(rollingBack("")); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageB, Previous: imageB}, "outputs up smoke")
}

func TestTheWayBackOutlivesTheCallersContext(t *testing.T) {
	t.Parallel()
	for _, set := range []time.Duration{0, time.Hour} {
		want := max(set, 15*time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c := newCloud(t, rollout.Config{Image: imageB})
		c.run(func(context.Context, rollout.Deployment) (rollout.Report, error) { return rollout.Report{}, nil })
		var limit time.Time // of the last update
		c.updated = func(ctx context.Context, _ *rollout.Outputs) { limit, _ = ctx.Deadline() }
		_, err := rollout.Deployment{
			Stack: c, BackLimit: set,
			Smoke: func(ctx context.Context, _ string) error { cancel(); return ctx.Err() },
		}.Deploy(ctx, imageC)
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		wantError(t, err, "smoke candidate: context canceled; the way back succeeded")
		if left := time.Until(limit); left < want-time.Minute || left > want {
			t.Errorf("the way back had %s, want %s", left, want)
		}
	}
}

func TestNothingStartsAfterCtrlC(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	c := newCloud(t, rollout.Config{Image: imageB})
	_, err := rollout.Deployment{Stack: c, Smoke: c.smoke}.Deploy(ctx, imageC)
	wantError(t, err, "read outputs: interrupted; nothing was changed")
	c.want(rollout.Config{Image: imageB}, "")
	if len(c.calls) > 0 {
		t.Errorf("calls %v", c.calls)
	}
}

func TestAStackThatDoesNotDoAsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		change     func(*rollout.Outputs)
	}{
		{"no candidate", "candidateUrl is missing", func(o *rollout.Outputs) { o.CandidateURL = "" }},
		{"candidate is what serves", "both " + url, func(o *rollout.Outputs) { o.CandidateURL = url }},
		{"another image", `its output image says "other"`, func(o *rollout.Outputs) { o.Image = "other" }},
		{"another image of ingest", `its output ingestImage says "other"`, func(o *rollout.Outputs) { o.Ingest = "other" }},
	} {
		cloud := newCloud(t, rollout.Config{Image: imageB})
		cloud.run(func(context.Context, rollout.Deployment) (rollout.Report, error) { return rollout.Report{}, nil })
		cloud.updated = func(_ context.Context, o *rollout.Outputs) { c.change(o) }
		_, err := rollout.Deployment{Stack: cloud, Smoke: cloud.smoke}.Deploy(t.Context(), imageC)
		wantError(t, err, "start candidate: ", c.want)
		if strings.Contains(strings.Join(cloud.calls, " "), "smoke") || cloud.config.Image != imageB || cloud.config.Candidate != "" {
			t.Errorf("%s: calls %v, left %+v", c.name, cloud.calls, cloud.config)
		}
	}

	cloud := newCloud(t, rollout.Config{})
	cloud.run(func(context.Context, rollout.Deployment) (rollout.Report, error) { return rollout.Report{}, nil })
	cloud.updated = func(_ context.Context, o *rollout.Outputs) { o.URL = "" }
	_, err := rollout.Deployment{Stack: cloud, Smoke: cloud.smoke}.Deploy(t.Context(), imageA)
	wantError(t, err, "smoke: the stack's output url is missing")
}
