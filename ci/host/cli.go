package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/estela-dev/estela/ci/plan"
)

// usage is what --help prints before the flags.
const usage = `Runs the checks that a change must pass, on this machine.

  go run ./ci/host [FLAGS] COMMAND

Commands:
  test         run every check
  run NAME...  run some, each named by itself or by its group
  list         say what there is
  setup        install what the checks need and this machine lacks, and run none

A skipped test fails, and so does a check whose tests are all gone. The last
line says how many tests passed and failed; a check without tests counts as one.

Exit codes: 0 all passed, 1 something failed, 2 wrong usage or a program is
missing, 130 interrupted. (go run turns every one but 0 into 1.)

Flags:
`

// options is the command line.
type options struct {
	setup     bool
	jobs      int
	keepGoing bool
	base      string
	command   string
	names     []string
}

// errUsage marks an error whose message is followed by how to ask for help.
var errUsage = errors.New("wrong usage")

// parse reads the command line; flags may stand before and after the command.
func parse(args []string, help io.Writer) (options, error) {
	var o options
	set := flags(&o)
	var words []string
	for len(args) > 0 {
		if err := set.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				printHelp(set, help)
				return o, err
			}
			return o, fmt.Errorf("%w: %w", errUsage, err)
		}
		if args = set.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	if len(words) == 0 {
		return o, fmt.Errorf("%w: no command", errUsage)
	}
	o.command, o.names = words[0], words[1:]
	return o, o.check()
}

func printHelp(set *flag.FlagSet, help io.Writer) {
	fmt.Fprint(help, usage)
	set.SetOutput(help)
	set.PrintDefaults()
}

func flags(o *options) *flag.FlagSet {
	set := flag.NewFlagSet("host", flag.ContinueOnError)
	set.SetOutput(io.Discard) // an error is printed once, by the caller
	set.BoolVar(&o.setup, "setup", false,
		"install what the checks need and this machine lacks, by apt-get;\n"+
			"daemons that come with it are not started")
	set.IntVar(&o.jobs, "jobs", max(2, runtime.NumCPU()/2), // a core for what is light beside what is heavy
		"how many checks run at once; half of them may be heavy ones")
	set.BoolVar(&o.keepGoing, "keep-going", true,
		"run the rest when a check fails; --keep-going=false stops there")
	set.StringVar(&o.base, "base", "",
		"the revision that contracts are compared with (default: "+defaultBase+", if there is one)")
	set.Usage = func() {} // for an error, a line is enough
	return set
}

func (o options) check() error {
	switch {
	case o.jobs < 1:
		return fmt.Errorf("%w: --jobs %d: at least 1 is needed", errUsage, o.jobs)
	case o.command == "run" && len(o.names) == 0:
		return fmt.Errorf("%w: run what? `list` says what there is", errUsage)
	case o.command == "test" || o.command == "list" || o.command == "setup":
		if len(o.names) > 0 {
			return fmt.Errorf("%w: %s takes no names, got %q", errUsage, o.command, o.names)
		}
	case o.command != "run":
		return fmt.Errorf("%w: no command %q", errUsage, o.command)
	}
	return nil
}

// list prints the checks, a group after the other.
func list(out io.Writer, checks []plan.Check) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GROUP\tCHECK\tWHAT PASSES\tNEEDS")
	for _, c := range checks {
		needs := make([]string, 0, len(c.Needs))
		for _, need := range c.Needs {
			needs = append(needs, need.Name)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Group, c.Name, c.Doc, strings.Join(needs, ", "))
	}
	_ = w.Flush() // out is the terminal; what it can't take, nobody reads
}
