package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/estela-dev/estela/ci/internal/dagger"
)

// unrepeatable makes the commands that follow run each time: what they say depends on the world, or
// changes it.
func unrepeatable(c *dagger.Container) *dagger.Container {
	return c.WithEnvVariable("ESTELA_CALLED_AT", time.Now().UTC().Format(time.RFC3339Nano))
}

// told adds what a failed command said to its error, which by itself has the exit code only.
func told(err error) error {
	failure := (*dagger.ExecError)(nil)
	if !errors.As(err, &failure) {
		return err
	}
	said := strings.TrimSpace(strings.TrimSpace(failure.Stdout) + "\n" + strings.TrimSpace(failure.Stderr))
	if said == "" { // a service that it needs didn't start
		return err
	}
	return fmt.Errorf("exit code %d\n%s", failure.ExitCode, said)
}
