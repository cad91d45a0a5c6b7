// Command host runs the checks of ci/plan on this machine, without a container
// engine:
//
//	go run ./ci/host --setup test
package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/estela-dev/estela/ci/plan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, Host{
		Checks: plan.Checks(),
		Look:   exec.LookPath,
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Root:   os.Geteuid() == 0,
		Policy: policyFile,
	}, os.Args[1:])
	stop()
	os.Exit(code)
}
