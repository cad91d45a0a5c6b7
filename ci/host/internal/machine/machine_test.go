package machine_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/host/internal/machine"
	"github.com/estela-dev/estela/ci/plan"
)

// has makes a PATH that holds these programs and no other.
func has(programs ...string) func(string) (string, error) {
	return func(program string) (string, error) {
		if slices.Contains(programs, program) {
			return "/usr/bin/" + program, nil
		}
		return "", exec.ErrNotFound
	}
}

func checks() []plan.Check {
	return []plan.Check{
		{Name: "vet", Needs: []plan.Need{plan.CCompiler()}},
		{Name: "unit", Needs: []plan.Need{plan.CCompiler(), plan.Redis()}},
		{Name: "tidy"},
	}
}

func TestLacks(t *testing.T) {
	t.Parallel()
	if got := machine.Lacks(checks(), has("gcc", "g++", "redis-server")); len(got) != 0 {
		t.Errorf("a machine that has all lacks %v", got)
	}
	got := machine.Lacks(checks(), has("gcc"))
	if len(got) != 2 {
		t.Fatalf("lacks %v", got)
	}
	want := "a C and C++ compiler: no g++ on PATH (wanted by vet, unit; Debian: gcc g++ libc6-dev)"
	if got[0].String() != want {
		t.Errorf("got  %s\nwant %s", got[0], want)
	}
	want = "Redis: no redis-server on PATH (wanted by unit; Debian: redis-server)"
	if got[1].String() != want {
		t.Errorf("got  %s\nwant %s", got[1], want)
	}
}

// box is a machine on which installing is only written down, except for the
// policy file, which is real.
type box struct {
	machine.Installer
	commands []string
	policy   string // what it said while apt-get ran
	fail     string // the command that fails
}

func setup(t *testing.T, programs ...string) *box {
	t.Helper()
	b := &box{}
	b.Installer = machine.Installer{
		Root:   true,
		Look:   has(programs...),
		Policy: filepath.Join(t.TempDir(), "policy-rc.d"),
		Log:    io.Discard,
		Run: func(ctx context.Context, argv ...string) error {
			command := strings.Join(argv, " ")
			b.commands = append(b.commands, command)
			if strings.Contains(command, "apt-get install") {
				text, _ := os.ReadFile(b.Policy)
				b.policy = string(text)
			}
			if b.fail != "" && strings.Contains(command, b.fail) {
				return errors.New("no network")
			}
			if strings.Contains(command, "apt-get") {
				return nil
			}
			return machine.Output(nil)(ctx, argv...)
		},
	}
	return b
}

func TestInstall(t *testing.T) {
	t.Parallel()
	b := setup(t, "apt-get")
	if err := b.Install(t.Context(), machine.Lacks(checks(), has())); err != nil {
		t.Fatal(err)
	}
	if len(b.commands) != 4 {
		t.Fatalf("commands %q", b.commands)
	}
	if !strings.HasSuffix(b.commands[1], "apt-get update -qq") {
		t.Errorf("the list of packages is updated first, got %q", b.commands[1])
	}
	if !strings.HasSuffix(b.commands[2], "--no-install-recommends g++ gcc libc6-dev redis-server") {
		t.Errorf("install: %q", b.commands[2])
	}
	if !strings.Contains(b.policy, "exit 101") {
		t.Errorf("daemons may start while packages are installed: policy %q", b.policy)
	}
	if _, err := os.Stat(b.Policy); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the policy stays behind: %v", err)
	}
}

func TestInstallUsesSudo(t *testing.T) {
	t.Parallel()
	b := setup(t, "apt-get", "sudo")
	b.Root = false
	b.fail = "sudo" // it need not be on this machine
	if err := b.Install(t.Context(), machine.Lacks(checks(), has())); err == nil {
		t.Fatal("the failure of sudo is lost")
	}
	for _, command := range b.commands {
		if !strings.HasPrefix(command, "sudo env DEBIAN_FRONTEND=noninteractive ") {
			t.Errorf("without sudo: %q", command)
		}
	}
}

func TestInstallThatFailsTakesThePolicyBack(t *testing.T) {
	t.Parallel()
	b := setup(t, "apt-get")
	b.fail = "apt-get install"
	err := b.Install(t.Context(), machine.Lacks(checks(), has()))
	if err == nil || !strings.Contains(err.Error(), "install packages: no network") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(b.Policy); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the policy stays behind: %v", err)
	}
}

func TestInstallKeepsTheMachinesOwnPolicy(t *testing.T) {
	t.Parallel()
	b := setup(t, "apt-get")
	if err := os.WriteFile(b.Policy, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Install(t.Context(), machine.Lacks(checks(), has())); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(b.Policy); string(text) != "mine" {
		t.Errorf("policy is %q now", text)
	}
}

func TestInstallNothing(t *testing.T) {
	t.Parallel()
	b := setup(t) // not even apt-get
	if err := b.Install(t.Context(), nil); err != nil || len(b.commands) != 0 {
		t.Errorf("error %v, commands %q", err, b.commands)
	}
}

func TestInstallWhereItCannot(t *testing.T) {
	t.Parallel()
	lacks := machine.Lacks(checks(), has())
	if err := setup(t).Install(t.Context(), lacks); !errors.Is(err, machine.ErrNoWay) {
		t.Errorf("without apt-get: %v", err)
	}
	b := setup(t, "apt-get")
	b.Root = false
	if err := b.Install(t.Context(), lacks); !errors.Is(err, machine.ErrNoWay) {
		t.Errorf("neither root nor sudo: %v", err)
	}
}

func TestOutputIsPartOfTheError(t *testing.T) {
	t.Parallel()
	err := machine.Output(nil)(t.Context(), "sh", "-c", "echo no space left; exit 3")
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}
