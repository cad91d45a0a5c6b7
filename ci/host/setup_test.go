package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	host "github.com/estela-dev/estela/ci/host"
	"github.com/estela-dev/estela/ci/plan"
)

// box is a machine that lacks all but some programs until its apt-get has run, which writes down how it was called and
// what the policy file, which is real, said.
type box struct {
	host           host.Host
	stdout, stderr bytes.Buffer
	bin            string // is to be first on PATH
}

func newBox(t *testing.T, aptGet string, programs ...string) *box {
	t.Helper()
	b := &box{bin: t.TempDir()}
	b.host = host.Host{
		Checks: []plan.Check{
			{Name: "vet", Needs: []plan.Need{plan.CCompiler()}},
			{Name: "unit", Needs: []plan.Need{plan.CCompiler(), plan.Redis()}},
			{Name: "tidy"},
		},
		Look: func(program string) (string, error) {
			if _, err := os.Stat(b.file("installed")); err == nil || slices.Contains(programs, program) {
				return "/usr/bin/" + program, nil
			}
			return "", exec.ErrNotFound
		},
		Stdout: &b.stdout, Stderr: &b.stderr,
		Root: true, Policy: b.file("policy-rc.d"),
	}
	for name, text := range map[string]string{
		"sudo": `echo "sudo $1 $2" >> commands; exec "$@"`,
		"apt-get": `echo "$DEBIAN_FRONTEND apt-get $*" >> commands
[ "$1" = update ] || cp policy-rc.d policy
` + aptGet + `
[ "$1" = update ] || touch installed`,
	} {
		if err := os.WriteFile(b.file(name), []byte("#!/bin/sh\ncd "+b.bin+"\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *box) file(name string) string { return filepath.Join(b.bin, name) }

func (b *box) read(name string) string {
	text, _ := os.ReadFile(b.file(name))
	return string(text)
}

func (b *box) noPolicyStays(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(b.host.Policy); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the policy stays behind: %v", err)
	}
}

const (
	all       = "g++ gcc libc6-dev redis-server"
	installed = "noninteractive apt-get update -qq\nnoninteractive apt-get install -qq -y --no-install-recommends " + all + "\n"
)

func TestLacks(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", "gcc")
	want := `this machine lacks:
a C and C++ compiler: no g++ on PATH (wanted by vet, unit; Debian: gcc g++ libc6-dev)
Redis: no redis-server on PATH (wanted by unit; Debian: redis-server)
`
	if code := host.Run(t.Context(), b.host, []string{"test"}); code != 2 || !strings.HasPrefix(b.stderr.String(), want) {
		t.Errorf("code %d, got\n%s\nwant\n%s", code, &b.stderr, want)
	}
}

func TestSetup(t *testing.T) {
	b := newBox(t, "", "apt-get")
	t.Setenv("PATH", b.bin+":"+os.Getenv("PATH"))
	if code := host.Run(t.Context(), b.host, []string{"setup"}); code != 0 || b.stdout.String() != "installing "+all+"\n" {
		t.Errorf("code %d\n%s%s", code, &b.stdout, &b.stderr)
	}
	if got := b.read("commands"); got != installed {
		t.Errorf("got\n%swant\n%s", got, installed)
	}
	if policy := b.read("policy"); policy != "#!/bin/sh\nexit 101\n" {
		t.Errorf("daemons may start while packages are installed: policy %q", policy)
	}
	if info, err := os.Stat(b.file("policy")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the policy can't be run: %v", err)
	}
	b.noPolicyStays(t)
}

func TestSetupUsesSudo(t *testing.T) {
	b := newBox(t, "", "apt-get", "sudo")
	t.Setenv("PATH", b.bin+":"+os.Getenv("PATH"))
	b.host.Root = false
	if code := host.Run(t.Context(), b.host, []string{"setup"}); code != 0 {
		t.Errorf("code %d: %s", code, &b.stderr)
	}
	if got, want := b.read("commands"), "sudo env DEBIAN_FRONTEND=noninteractive\n"+installed; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestSetupThatFailsTakesThePolicyBack(t *testing.T) {
	b := newBox(t, `[ "$1" != "$(cut -d: -f1 how)" ] || { echo no network; eval "$(cut -d: -f2 how)"; }`, "apt-get")
	t.Setenv("PATH", b.bin+":"+os.Getenv("PATH"))
	for _, how := range []string{"update:exit 100", "install:exit 100", "install:kill -INT $PPID"} {
		if err := os.WriteFile(b.file("how"), []byte(how), 0o600); err != nil {
			t.Fatal(err)
		}
		code, text := host.Run(t.Context(), b.host, []string{"--setup", "test"}), b.stderr.String()
		if code != 1 || !strings.Contains(text, "install packages: ") || !strings.Contains(text, "no network") {
			t.Errorf("%s: code %d, error %s", how, code, text)
		}
		b.noPolicyStays(t)
		b.stderr.Reset()
	}
}

func TestSetupKeepsTheMachinesOwnPolicy(t *testing.T) {
	b := newBox(t, "", "apt-get")
	t.Setenv("PATH", b.bin+":"+os.Getenv("PATH"))
	if err := os.WriteFile(b.host.Policy, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := host.Run(t.Context(), b.host, []string{"setup"}); code != 0 {
		t.Errorf("code %d: %s", code, &b.stderr)
	}
	if text := b.read("policy-rc.d"); text != "mine" {
		t.Errorf("policy is %q now", text)
	}
}

func TestSetupOfNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t, "", "gcc", "g++", "redis-server") // not even apt-get
	if code := host.Run(t.Context(), b.host, []string{"setup"}); code != 0 || b.stdout.Len()+b.stderr.Len() > 0 {
		t.Errorf("code %d\n%s%s", code, &b.stdout, &b.stderr)
	}
}

func TestSetupWhereItCannot(t *testing.T) {
	t.Parallel()
	b := newBox(t, "")
	if code := host.Run(t.Context(), b.host, []string{"setup"}); code != 1 || !strings.Contains(b.stderr.String(), "no apt-get") {
		t.Errorf("without apt-get: code %d, %s", code, &b.stderr)
	}
	b = newBox(t, "", "apt-get")
	b.host.Root = false
	if code := host.Run(t.Context(), b.host, []string{"setup"}); code != 1 || !strings.Contains(b.stderr.String(), "neither root nor sudo") {
		t.Errorf("neither root nor sudo: code %d, %s", code, &b.stderr)
	}
}
