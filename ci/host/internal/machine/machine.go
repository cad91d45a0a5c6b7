// Package machine knows what this machine has and, on Debian, how to get what
// it lacks.
package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/estela-dev/estela/ci/plan"
)

// Lack is a need that the machine doesn't meet.
type Lack struct {
	Need plan.Need
	// Programs are those not on PATH.
	Programs []string
	// Checks are the names of those that want it.
	Checks []string
}

func (l Lack) String() string {
	return fmt.Sprintf("%s: no %s on PATH (wanted by %s; Debian: %s)", l.Need.Name,
		strings.Join(l.Programs, ", no "), strings.Join(l.Checks, ", "), strings.Join(l.Need.Packages, " "))
}

// Lacks lists what the checks need and the machine doesn't have. look finds a
// program, as exec.LookPath does.
func Lacks(checks []plan.Check, look func(string) (string, error)) []Lack {
	var lacks []Lack
	for _, c := range checks {
		for _, need := range c.Needs {
			i := slices.IndexFunc(lacks, func(l Lack) bool { return l.Need.Name == need.Name })
			if i >= 0 {
				lacks[i].Checks = append(lacks[i].Checks, c.Name)
				continue
			}
			missing := slices.DeleteFunc(slices.Clone(need.Programs), func(program string) bool {
				_, err := look(program)
				return err == nil
			})
			if len(missing) > 0 {
				lacks = append(lacks, Lack{Need: need, Programs: missing, Checks: []string{c.Name}})
			}
		}
	}
	return lacks
}

// Installer installs Debian packages.
type Installer struct {
	// Root says that the caller may do everything; sudo is used otherwise.
	Root bool
	// Look finds a program, as exec.LookPath does.
	Look func(string) (string, error)
	// Run runs a program and reports its output only with its error.
	Run func(ctx context.Context, argv ...string) error
	// Policy is the file that a package's scripts ask whether they may start a
	// daemon.
	Policy string
	// Log is told what is done, a line each.
	Log io.Writer
}

// ErrNoWay means that the machine can't be set up by this program.
var ErrNoWay = errors.New("can't install anything here")

// install takes the policy's file and the packages. A daemon that comes with one must not start: exit code 101 is
// "action forbidden by policy". A machine with a policy of its own (a container image, as a rule) keeps it; any other
// has none afterwards, whatever happens. A fresh machine has no list of packages at all.
const install = `set -e
policy=$1; shift
if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 130' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' > "$policy"
	chmod 755 "$policy"
fi
apt-get update -qq
apt-get install -qq -y --no-install-recommends "$@"
`

// Install installs what is lacking, and starts no daemon that comes with it.
// Whatever happens, the machine's own policy on daemons is as it was before.
func (in Installer) Install(ctx context.Context, lacks []Lack) error {
	var packages []string
	for _, l := range lacks {
		packages = append(packages, l.Need.Packages...)
	}
	if len(packages) == 0 {
		return nil
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if _, err := in.Look("apt-get"); err != nil {
		return fmt.Errorf("%w: no apt-get on PATH; install the programs by hand", ErrNoWay)
	}
	// As root, and so that nothing asks anything.
	argv := []string{"env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", install, "install", in.Policy}
	if !in.Root {
		if _, err := in.Look("sudo"); err != nil {
			return fmt.Errorf("%w: neither root nor sudo on PATH; run as root", ErrNoWay)
		}
		argv = append([]string{"sudo"}, argv...)
	}
	fmt.Fprintf(in.Log, "installing %s\n", strings.Join(packages, " "))
	if err := in.Run(ctx, append(argv, packages...)...); err != nil {
		return fmt.Errorf("install packages: %w", err)
	}
	return nil
}

// Output runs a program and returns what it printed as part of its error. It is
// an Installer's Run. An interrupted program may tidy up: the package manager
// must not be killed halfway.
func Output(stdin io.Reader) func(ctx context.Context, argv ...string) error {
	return func(ctx context.Context, argv ...string) error {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Cancel = func() error { return nil }
		cmd.Stdin = stdin
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return ctx.Err()
	}
}
