package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/rollout"
)

func TestRollbackToTheOneBefore(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{Image: imageC, Candidate: imageB, Previous: imageB})
	c.burnt = true
	c.allow(imageB)
	report, err := c.run(rollingBack(""))
	if err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageB, Previous: imageB}, "outputs up smoke")
	if got := outcomes(report); got != "read outputs: ok, update: ok, smoke: ok" || report.Serving != imageB {
		t.Errorf("got %s, serving %s", got, report.Serving)
	}
	// A second one does not bring back what the first one left.
	if _, err := c.run(rollingBack("")); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageB, Previous: imageB}, "outputs up smoke")
	// From there it goes on as ever.
	c.burnt = false
	if _, err := c.run(deploying(imageC)); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageC, Previous: imageB}, "")
}

func TestRollbackToANamedOne(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{Image: imageC, Previous: imageB})
	c.allow(imageA)
	if _, err := c.run(rollingBack(imageA)); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageA, Previous: imageA}, "outputs up smoke")
}

// A deployment that failed and went back has promoted nothing, and a rollback after it goes where one
// before it would have gone: not to the image that failed.
func TestRollbackAfterAFailedDeployment(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{Image: imageB, Previous: imageA})
	c.burnt = true
	if _, err := c.run(deploying(imageC)); err == nil {
		t.Fatal("no error")
	}
	c.allow(imageA)
	if _, err := c.run(rollingBack("")); err != nil {
		t.Fatal(err)
	}
	c.want(rollout.Config{Image: imageA, Previous: imageA}, "")
}

func TestRollbackHasNowhereToGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config      rollout.Config
		image, want string
	}{
		{rollout.Config{}, "", "serves no image yet; deploy one"},
		{rollout.Config{}, imageA, "serves no image yet; deploy one"},
		{rollout.Config{Image: imageA}, "", "no image before " + imageA + "; name one by --image"},
		{rollout.Config{Image: imageA, Previous: "latest"}, "", `read output previous: image "latest"`},
	} {
		cloud := newCloud(t, c.config)
		_, err := cloud.run(rollingBack(c.image))
		wantError(t, err, "roll back: ", c.want, "nothing was changed")
		cloud.want(c.config, "outputs")
	}
}

func TestRollbackThatFails(t *testing.T) {
	t.Parallel()
	before := rollout.Config{Image: imageC, Previous: imageB}
	c := newCloud(t, before)
	c.allow(imageB)
	c.bad[imageB] = true
	report, err := c.run(rollingBack(""))
	wantError(t, err, "roll back: to "+imageB+": smoke: no fresh event; it serves all the same")
	if report.Serving != imageB {
		t.Errorf("serving %q", report.Serving)
	}

	c = newCloud(t, before)
	c.faults = map[int]fault{2: failBefore}
	report, err = c.run(rollingBack(""))
	wantError(t, err, "roll back: to "+imageB+": update: fault", "the stack serves "+imageC, "run: dagger call rollback --stack staging --image "+imageB)
	c.want(before, "outputs up outputs")
	if report.Serving != imageC {
		t.Errorf("serving %q", report.Serving)
	}
}

func TestRollbackBreaksThenAgain(t *testing.T) {
	t.Parallel()
	for f, name := range faults {
		for n := 1; n <= 3; n++ {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				t.Parallel()
				c := newCloud(t, rollout.Config{Image: imageC, Previous: imageB})
				c.allow(imageB)
				c.faults = map[int]fault{n: f}
				if _, err := c.run(rollingBack("")); !c.crashed && err == nil {
					t.Error("a broken call went unnoticed")
				}
				c.faults = nil
				if _, err := c.run(rollingBack("")); err != nil {
					t.Fatalf("again: %v", err)
				}
				c.want(rollout.Config{Image: imageB, Previous: imageB}, "")
			})
		}
	}
}

func TestReportIsATableForPeople(t *testing.T) {
	t.Parallel()
	r := rollout.Report{
		Steps: []rollout.Step{
			{Name: "read outputs", Outcome: rollout.OK, Duration: 412345 * time.Microsecond},
			{Name: "smoke candidate", Outcome: rollout.Failed, Duration: 12345 * time.Millisecond},
			{Name: "ask error budget", Outcome: rollout.Skipped},
		},
		Serving: "estela@sha256:1",
	}
	want := `step              outcome  time
read outputs      ok       412ms
smoke candidate   failed   12.3s
ask error budget  skipped  0s
serves: estela@sha256:1
`
	if got := r.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := (rollout.Report{}).String(); got != "step  outcome  time\nserves: not known\n" {
		t.Errorf("got %q", got)
	}
}

func TestLogAndASkippedBudget(t *testing.T) {
	t.Parallel()
	c := newCloud(t, rollout.Config{Image: imageB})
	var lines []string
	report, err := c.run(func(ctx context.Context, d rollout.Deployment) (rollout.Report, error) {
		d.Budget = nil
		d.Log = func(step, text string) { lines = append(lines, step+" "+strings.Fields(text)[0]) }
		return d.Deploy(ctx, imageB)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := outcomes(report); got != "read outputs: ok, update: ok, smoke: ok, ask error budget: skipped" {
		t.Error(got)
	}
	want := "read outputs begins, read outputs ok, update begins, update ok, smoke begins, smoke ok, ask error budget skipped"
	if got := strings.Join(lines, ", "); got != want {
		t.Errorf("logged %s", got)
	}
}
