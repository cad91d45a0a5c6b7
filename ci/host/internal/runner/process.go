package runner

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/estela-dev/estela/ci/plan"
)

// execute runs a check's command in a process group of its own, without
// standard input. When ctx ends, the whole group is interrupted and, after a
// grace, killed; so is whatever the command leaves behind when it ends.
func execute(ctx context.Context, cfg Config, c plan.Check, stdout, stderr io.Writer) error {
	argv := c.Argv(cfg.Base)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = filepath.Join(cfg.Root, c.Dir)
	cmd.Env = cmd.Environ()
	for name, value := range c.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = cfg.Grace
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		return errors.New("it ended, but left a process behind that held its output open")
	}
	return err
}
