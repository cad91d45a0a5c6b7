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

// box is a machine whose apt-get only writes down how it was called, and what the policy file, which is real, said.
type box struct {
	machine.Installer
	commands, policy string // files
}

func setup(t *testing.T, aptGet string, programs ...string) *box {
	t.Helper()
	dir := t.TempDir()
	b := &box{commands: filepath.Join(dir, "commands"), policy: filepath.Join(dir, "policy")}
	b.Installer = machine.Installer{
		Root:   true,
		Look:   has(programs...),
		Policy: filepath.Join(dir, "policy-rc.d"),
		Log:    io.Discard,
		Run: func(ctx context.Context, argv ...string) error {
			return machine.Output(nil)(ctx, append([]string{"env", "PATH=" + dir + ":" + os.Getenv("PATH")}, argv...)...)
		},
	}
	write := func(name, script string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("sudo", `echo "sudo $1 $2" >> `+b.commands+`; exec "$@"`)
	write("apt-get", `echo "$DEBIAN_FRONTEND apt-get $*" >> `+b.commands+`; test "$1" = update || cp `+b.Policy+" "+b.policy+"; "+aptGet)
	return b
}

func (b *box) read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (b *box) hasNoPolicy(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(b.Policy); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the policy stays behind: %v", err)
	}
}

const installed = `noninteractive apt-get update -qq
noninteractive apt-get install -qq -y --no-install-recommends g++ gcc libc6-dev redis-server
`

func TestInstall(t *testing.T) {
	t.Parallel()
	b := setup(t, "", "apt-get")
	if err := b.Install(t.Context(), machine.Lacks(checks(), has())); err != nil {
		t.Fatal(err)
	}
	if got := b.read(t, b.commands); got != installed {
		t.Errorf("got\n%swant\n%s", got, installed)
	}
	if policy := b.read(t, b.policy); policy != "#!/bin/sh\nexit 101\n" {
		t.Errorf("daemons may start while packages are installed: policy %q", policy)
	}
	if info, err := os.Stat(b.policy); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the policy can't be run: %v", err)
	}
	b.hasNoPolicy(t)
}

func TestInstallUsesSudo(t *testing.T) {
	t.Parallel()
	b := setup(t, "", "apt-get", "sudo")
	b.Root = false
	if err := b.Install(t.Context(), machine.Lacks(checks(), has())); err != nil {
		t.Fatal(err)
	}
	if got, want := b.read(t, b.commands), "sudo env DEBIAN_FRONTEND=noninteractive\n"+installed; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestInstallThatFailsTakesThePolicyBack(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]string{
		"update":    `test "$1" != update || { echo no network; exit 100; }`,
		"install":   `test "$1" != install || { echo no network; exit 100; }`,
		"interrupt": `test "$1" != install || { echo no network; kill -INT $PPID; }`,
	} {
		b := setup(t, fails, "apt-get")
		err := b.Install(t.Context(), machine.Lacks(checks(), has()))
		if err == nil || !strings.Contains(err.Error(), "install packages: ") || !strings.Contains(err.Error(), "no network") {
			t.Errorf("%s: error %v", name, err)
		}
		b.hasNoPolicy(t)
	}
}

func TestInstallKeepsTheMachinesOwnPolicy(t *testing.T) {
	t.Parallel()
	b := setup(t, "", "apt-get")
	if err := os.WriteFile(b.Policy, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Install(t.Context(), machine.Lacks(checks(), has())); err != nil {
		t.Fatal(err)
	}
	if text := b.read(t, b.Policy); text != "mine" {
		t.Errorf("policy is %q now", text)
	}
}

func TestInstallNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, "") // not even apt-get
	if err := b.Install(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.commands); err == nil {
		t.Errorf("commands %q", b.read(t, b.commands))
	}
}

func TestInstallWhereItCannot(t *testing.T) {
	t.Parallel()
	lacks := machine.Lacks(checks(), has())
	if err := setup(t, "").Install(t.Context(), lacks); !errors.Is(err, machine.ErrNoWay) {
		t.Errorf("without apt-get: %v", err)
	}
	b := setup(t, "", "apt-get")
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
