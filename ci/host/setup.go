package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/estela-dev/estela/ci/plan"
)

// policyFile is where Debian's packages ask whether they may start a daemon.
const policyFile = "/usr/sbin/policy-rc.d"

// script takes the policy's file and the packages. A daemon that comes with one must not start: exit code 101 is
// "action forbidden by policy". A machine with a policy of its own (a container image, as a rule) keeps it; any other
// has none afterwards, whatever happens. A fresh machine has no list of packages at all.
const script = `set -e
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

// prepare makes sure that the machine has what the checks need.
func (h Host) prepare(ctx context.Context, setup bool, checks []plan.Check) (int, error) {
	lacks, packages := h.lacks(checks)
	if setup && len(lacks) > 0 {
		if err := h.install(ctx, packages); err != nil {
			return exitFailed, fmt.Errorf("set the machine up: %w", err)
		}
		lacks, _ = h.lacks(checks)
	}
	if len(lacks) == 0 {
		return exitPassed, nil
	}
	return exitUsage, fmt.Errorf("this machine lacks:\n%s\n"+
		"Install it, or let `go run ./ci/host --setup test` do so (Debian and its kin)", strings.Join(lacks, "\n"))
}

// lacks lists what the checks need and the machine doesn't have, and Debian's packages that have it.
func (h Host) lacks(checks []plan.Check) (lacks, packages []string) {
	var needs []plan.Need
	users := map[string][]string{}
	for _, c := range checks {
		for _, need := range c.Needs {
			if users[need.Name] == nil {
				needs = append(needs, need)
			}
			users[need.Name] = append(users[need.Name], c.Name)
		}
	}
	for _, need := range needs {
		missing := slices.DeleteFunc(slices.Clone(need.Programs), func(program string) bool {
			_, err := h.Look(program)
			return err == nil
		})
		if len(missing) > 0 {
			packages = append(packages, need.Packages...)
			lacks = append(lacks, fmt.Sprintf("%s: no %s on PATH (wanted by %s; Debian: %s)", need.Name,
				strings.Join(missing, ", no "), strings.Join(users[need.Name], ", "), strings.Join(need.Packages, " ")))
		}
	}
	slices.Sort(packages)
	return lacks, slices.Compact(packages)
}

// install installs Debian packages, as root and so that nothing asks anything. An interrupted program may tidy up:
// the package manager must not be killed halfway.
func (h Host) install(ctx context.Context, packages []string) error {
	if _, err := h.Look("apt-get"); err != nil {
		return errors.New("no apt-get on PATH; install the programs by hand")
	}
	argv := []string{"env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", script, "setup", h.Policy}
	if !h.Root {
		if _, err := h.Look("sudo"); err != nil {
			return errors.New("neither root nor sudo on PATH; run as root")
		}
		argv = append([]string{"sudo"}, argv...)
	}
	fmt.Fprintf(h.Stdout, "installing %s\n", strings.Join(packages, " "))
	cmd := exec.CommandContext(ctx, argv[0], append(argv[1:], packages...)...)
	cmd.Cancel = func() error { return nil }
	cmd.Stdin = h.Stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install packages: %w\n%s", err, out)
	}
	return ctx.Err()
}
