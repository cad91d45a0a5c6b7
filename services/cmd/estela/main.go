// Command estela stores the events of Redis Streams in DuckDB or MotherDuck,
// each exactly once, and serves them over HTTP from SQL files.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/mask"
)

// The exit codes, as the documentation promises them.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRefused = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if os.Getenv("GOGC") == "" {
		// Most of the heap is keys and columns, which hold no pointers and cost the
		// collector nothing, so that it can run often and keep the process small.
		debug.SetGCPercent(10)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// streams are the process's standard streams, so that tests can replace them.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// say prints a line; write errors are ignored.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer recoverExit(&code)
	var c cli
	parser, err := newParser(&c, &streams{stdin, stdout, stderr}, kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "estela:", err)
		return exitUsage
	}
	command, err := parser.Parse(normalizeArgs(args))
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s %s%s (see estela --help)\n", paint(stderr, red, "estela:"), mask.Text(err.Error()), enumQuestion(err.Error()))
		return exitUsage
	}
	if err = c.check(); err == nil {
		err = command.Run()
	}
	if err != nil && !errors.Is(err, errReported) {
		// Errors of libraries may contain a URL, and with it a password.
		_, _ = fmt.Fprintln(stderr, paint(stderr, red, "estela:"), mask.Text(err.Error()))
	}
	return exitCode(err)
}

// enumError is what kong says of a value that a flag does not have. Of commands and flags it asks
// itself which are meant.
var enumError = regexp.MustCompile(`must be one of (".*") but got "(.*)"$`)

// enumQuestion returns the question after the value that is most like the one given, "" if there is
// none.
func enumQuestion(text string) string {
	found := enumError.FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	return fault.DidYouMean(found[2], strings.Split(strings.Trim(found[1], `"`), `","`))
}

// normalizeArgs maps help and --version to this program's --help and version.
func normalizeArgs(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	default:
		return args
	}
}

// newParser returns a parser of command lines into c.
func newParser(c *cli, s *streams, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{
		kong.Name("estela"),
		kong.Description("Events from Redis Streams, stored exactly once in DuckDB, served over HTTP from SQL files."),
		kong.DefaultEnvars("ESTELA"),
		kong.Vars{"datadir": ".estela"},
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Help(help),
		kong.Bind(&c.Globals, s),
	}, more...)...)
}

// exit is the panic by which kong's --help ends.
type exit int

func recoverExit(code *int) {
	switch e := recover().(type) {
	case nil:
	case exit:
		*code = int(e)
	default:
		panic(e)
	}
}
