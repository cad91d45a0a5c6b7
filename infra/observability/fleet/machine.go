package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/infra/observability/growth"
)

// machine is a result without points.
func machine(ctx context.Context) (growth.Result, error) {
	r := growth.Result{Measured: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU()}
	version, err := exec.CommandContext(ctx, "prometheus", "--version").CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("ask for prometheus' version (apt-get install prometheus): %w", err)
	}
	if words := strings.Fields(string(version)); len(words) > 2 {
		r.Prometheus = words[2]
	}
	if r.Processor, err = field("/proc/cpuinfo", "model name"); err != nil {
		return r, err
	}
	memory, err := field("/proc/meminfo", "MemTotal")
	if err != nil {
		return r, err
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSuffix(memory, " kB"), 10, 64)
	if err != nil {
		return r, fmt.Errorf("read memory: %w", err)
	}
	r.Memory = kilobytes << 10
	return r, nil
}

// field is the first value of that name in one of the kernel's files.
func field(file, name string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read what the machine is: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "", nil
}
