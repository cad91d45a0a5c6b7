package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// denyDaemons is a policy-rc.d: exit code 101 is "action forbidden by policy".
const denyDaemons = "#!/bin/sh\nexit 101\n"

// forbidDaemons keeps packages from starting their daemons until restore is
// called. A machine with a policy of its own (a container image, as a rule)
// keeps it.
func (in Installer) forbidDaemons(ctx context.Context) (restore func() error, err error) {
	_, err = os.Lstat(in.Policy)
	if err == nil {
		return func() error { return nil }, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for a policy: %w", err)
	}
	dir, err := os.MkdirTemp("", "estela-setup-")
	if err != nil {
		return nil, fmt.Errorf("make a scratch directory: %w", err)
	}
	defer os.RemoveAll(dir)
	draft := filepath.Join(dir, "policy-rc.d")
	if err := os.WriteFile(draft, []byte(denyDaemons), 0o600); err != nil {
		return nil, fmt.Errorf("write the policy: %w", err)
	}
	if err := in.run(ctx, "install", "-m", "755", draft, in.Policy); err != nil {
		return nil, fmt.Errorf("put the policy in place: %w", err)
	}
	return func() error {
		// Also when ctx has ended: a policy left behind would puzzle its owner.
		return in.run(context.WithoutCancel(ctx), "rm", "-f", in.Policy)
	}, nil
}
