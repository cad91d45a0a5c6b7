package plan_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/plan"
)

func TestChecksAreComplete(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, c := range plan.Checks() {
		if !name.MatchString(c.Name) || seen[c.Name] {
			t.Errorf("check %q: the name must be lower case and unique", c.Name)
		}
		seen[c.Name] = true
		if c.Doc == "" || c.Dir == "" || len(c.Command) == 0 || c.Timeout <= 0 {
			t.Errorf("check %q: doc, dir, command and timeout are all needed", c.Name)
		}
		if !slices.Contains(plan.Groups(), c.Group) {
			t.Errorf("check %q: group %q is not in Groups", c.Name, c.Group)
		}
		if c.Tests != slices.Contains(c.Command, "-json") {
			t.Errorf("check %q: Tests and -json belong together", c.Name)
		}
	}
}

// A name must mean one thing: a check named as a group is the only one in it.
func TestNamesAreClear(t *testing.T) {
	t.Parallel()
	checks := plan.Checks()
	for _, g := range plan.Groups() {
		chosen, _ := plan.Select(checks, string(g))
		if len(chosen) == 0 {
			t.Errorf("group %q has no check", g)
		}
		for _, c := range chosen {
			if c.Group != g || c.Name == string(g) && len(chosen) > 1 {
				t.Errorf("%q means the group and the check %q", g, c.Name)
			}
		}
	}
}

func TestNoShellReadsACommand(t *testing.T) {
	t.Parallel()
	for _, c := range plan.Checks() {
		if c.Command[0] != "go" {
			t.Errorf("check %q: %q: Go is the only program that a machine surely has",
				c.Name, c.Command[0])
		}
		for _, arg := range append(c.Command, c.Fix...) {
			// A regular expression may have ^ $ | and parentheses.
			if strings.ContainsAny(arg, ";&<>`*?\"' \n") || strings.Contains(arg, "$(") {
				t.Errorf("check %q: %q looks like a shell's", c.Name, arg)
			}
		}
	}
}

func TestAfterNamesEarlierChecks(t *testing.T) {
	t.Parallel()
	earlier := map[string]bool{}
	for _, c := range plan.Checks() {
		for _, name := range c.After {
			if !earlier[name] {
				t.Errorf("check %q comes after %q, which is not before it in the plan", c.Name, name)
			}
		}
		earlier[c.Name] = true
	}
}

func TestChecksAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	want := plan.Checks()
	spoilt := plan.Checks()
	for i := range spoilt {
		spoilt[i].Name = "spoilt"
		spoilt[i].Command[0] = "spoilt"
		if len(spoilt[i].Fix) > 0 {
			spoilt[i].Fix[0] = "spoilt"
		}
		spoilt[i].Needs = append(spoilt[i].Needs[:0], plan.Need{Name: "spoilt"})
		if spoilt[i].Env != nil {
			spoilt[i].Env["spoilt"] = "yes"
		}
	}
	if got := plan.Checks(); !reflect.DeepEqual(got, want) {
		t.Error("what a caller does to its checks shows in the next caller's")
	}
}

func TestNeedsSayHowToGetThem(t *testing.T) {
	t.Parallel()
	all := []plan.Need{
		plan.CCompiler(), plan.Redis(), plan.Promtool(), plan.Chromium(), plan.Git(), plan.Node(), plan.Python(), plan.Curl(),
	}
	for _, n := range all {
		if n.Name == "" || len(n.Programs) == 0 || len(n.Packages) == 0 {
			t.Errorf("need %+v: name, programs and packages are all needed", n)
		}
	}
}

// What needs the server is run against each one that is supported, the rest once.
func TestWants(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range plan.Checks() {
		if c.Wants(plan.Redis()) {
			names = append(names, c.Name)
		}
	}
	for _, name := range []string{"unit-services", "e2e", "chaos", "bench"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s tests the server and doesn't want one; %q do", name, names)
		}
	}
	if slices.Contains(names, "golangci-lint") {
		t.Error("golangci-lint wants a server")
	}
}

func TestArgv(t *testing.T) {
	t.Parallel()
	c := plan.Check{Command: []string{"go", "version"}, BaseFlag: "--against"}
	if got := c.Argv("origin/main"); !slices.Equal(got, []string{"go", "version", "--against", "origin/main"}) {
		t.Errorf("with a base revision: %q", got)
	}
	if got := c.Argv(""); !slices.Equal(got, c.Command) {
		t.Errorf("without a base revision: %q", got)
	}
	c.BaseFlag = ""
	if got := c.Argv("origin/main"); !slices.Equal(got, c.Command) {
		t.Errorf("a check that compares with nothing: %q", got)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	checks := plan.Checks()
	// In the plan's order, each once, whatever the order of the names.
	got, unknown := plan.Select(checks, "unit", "vet", "unit-ci", "nonsense")
	var names []string
	for _, c := range got {
		names = append(names, c.Name)
	}
	if want := []string{"vet", "unit-ci", "unit-data", "unit-infra", "unit-services"}; !slices.Equal(names, want) {
		t.Errorf("chosen %q, want %q", names, want)
	}
	if !slices.Equal(unknown, []string{"nonsense"}) {
		t.Errorf("unknown %q", unknown)
	}
}
