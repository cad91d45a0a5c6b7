// Package plan says what is checked, as plain data: a name, a directory, a
// command, and what the command needs from the machine. It runs nothing and
// imports nothing but versions, so that the same list serves a machine without a container
// engine (ci/host) and the containers of the pipeline.
package plan

import (
	"slices"
	"time"
)

// Check is one thing that a change must pass.
type Check struct {
	// Name is what a person types: lower case, unique, with the module's folder
	// at the end where there is one check a module ("unit-services").
	Name string
	// Doc is one line on what the check protects.
	Doc string
	// Group is what the check belongs to. A group is run by its name too.
	Group Group
	// Dir is where the command runs, relative to the repository's root.
	Dir string
	// Command is the program and its arguments. No shell reads it.
	Command []string
	// Fix is the command that puts right what the check finds, if there is one.
	// It runs in Dir too.
	Fix []string
	// Env is set on top of the caller's environment.
	Env map[string]string
	// Needs is what the machine must have.
	Needs []Need
	// Timeout ends the check. It is meant for what hangs, not for what is slow.
	Timeout time.Duration
	// After names checks that come first, whether they pass or not: they build
	// or cache what this one uses too.
	After []string
	// Heavy says that the command keeps every core busy by itself, so that two of
	// them at once only slow each other down.
	Heavy bool
	// Alone says that nothing else runs beside the check: it measures time, or
	// would be disturbed in it.
	Alone bool
	// Privileged says that the command mounts a file system of its own, to fill it:
	// in a container it needs every capability.
	Privileged bool
	// Reads are the files and folders, from the root, that the command looks at.
	// In a container it is given no others, so that a change elsewhere doesn't run it
	// again. Empty: the whole tree.
	Reads []string
	// Tests says that the command writes the events of `go test -json`. Such a
	// check fails when a test is skipped, and when no test ran at all.
	Tests bool
	// BaseFlag takes the revision that the change is compared with, such as
	// "--against". Empty: the check looks at the tree alone.
	BaseFlag string
}

// Argv is the command, with the base revision if there is one and the check
// compares with it.
func (c Check) Argv(base string) []string {
	argv := slices.Clone(c.Command)
	if base != "" && c.BaseFlag != "" {
		argv = append(argv, c.BaseFlag, base)
	}
	return argv
}

// Wants reports whether the check needs this of the machine.
func (c Check) Wants(n Need) bool {
	return slices.ContainsFunc(c.Needs, func(has Need) bool { return has.Name == n.Name })
}

// Group is a set of checks with one purpose.
type Group string

// The groups, in the order they are run in: what fails fast comes first.
const (
	Lint     Group = "lint"
	Build    Group = "build"
	Unit     Group = "unit"
	Fuzz     Group = "fuzz"
	Contract Group = "contract"
	E2E      Group = "e2e"
	Chaos    Group = "chaos"
	Bench    Group = "bench"
)

// Groups lists them all, in that order.
func Groups() []Group {
	return []Group{Lint, Build, Unit, Fuzz, Contract, E2E, Chaos, Bench}
}

// Select finds the checks of the given names, each a check's or a group's, in
// the order of the plan and each once. The second result are the names that
// are neither.
func Select(checks []Check, names ...string) (chosen []Check, unknown []string) {
	for _, name := range names {
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.is(name) }) {
			unknown = append(unknown, name)
		}
	}
	for _, c := range checks {
		if slices.ContainsFunc(names, c.is) {
			chosen = append(chosen, c)
		}
	}
	return chosen, unknown
}

func (c Check) is(name string) bool { return c.Name == name || string(c.Group) == name }
