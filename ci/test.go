package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/suite"
)

// Everything a change must pass: each check of the plan, in a container of its own.
//
// As many at once as the machine has room for. Prints a table; fails naming what failed, and why.
// What was tested before, and didn't change, isn't tested again.
//
// +cache="session"
func (m *Estela) Test(
	ctx context.Context,
	// The server to test against: redis-7.2, redis-8, valkey-8 or valkey-9.
	// +default="redis-7.2"
	redis string,
	// The revision whose contracts must not be broken, such as origin/main. Default: the one
	// that --history says the change goes to, if it has it.
	// +optional
	base string,
	// The repository's history, for what is compared with the base.
	// +optional
	// +defaultPath="/"
	// +ignore=["*", "!.git", ".git/hooks", ".git/logs", ".git/index"]
	history *dagger.Directory,
) (string, error) {
	return m.run(ctx, plan.Checks(), redis, revision{base, history})
}

// Everything a change must pass, against each supported server, one after the other.
//
// What needs no server is tested once.
//
// +cache="session"
func (m *Estela) TestMatrix(ctx context.Context) (string, error) {
	var tables strings.Builder
	var failed []error
	for _, server := range pin.Servers() {
		table, err := m.run(ctx, plan.Checks(), server.Name, revision{})
		if err != nil {
			err = fmt.Errorf("against %s: %w", server.Name, err)
		}
		fmt.Fprintf(&tables, "Against %s\n\n%s\n", server.Name, table)
		failed = append(failed, err)
	}
	return tables.String(), errors.Join(failed...)
}

// Format, vet, golangci-lint, actionlint, tidy modules.
//
// +check
// +cache="session"
func (m *Estela) Lint(ctx context.Context) (string, error) { return m.group(ctx, plan.Lint) }

// Each module builds on its own.
//
// +check
// +cache="session"
func (m *Estela) Compile(ctx context.Context) (string, error) { return m.group(ctx, plan.Build) }

// The tests of every module, with the race detector, against real servers and real files.
//
// +check
// +cache="session"
func (m *Estela) Unit(ctx context.Context) (string, error) { return m.group(ctx, plan.Unit) }

// Every seed of every fuzz target.
//
// +check
// +cache="session"
func (m *Estela) Fuzz(ctx context.Context) (string, error) { return m.group(ctx, plan.Fuzz) }

// Every dataset's contract loads, and its sample obeys it.
//
// +check
// +cache="session"
func (m *Estela) Contract(ctx context.Context) (string, error) { return m.group(ctx, plan.Contract) }

// The built image end to end: what is published to Redis is what GET answers.
//
// The challenge's integration test (3.1): Redis and the pipeline run as services, every real flight of
// the sample is published, and every row read back by GET equals what was published, by count and by a
// checksum that doesn't depend on the order.
//
// +check
// +cache="session"
func (m *Estela) EndToEnd(ctx context.Context) (string, error) { return m.group(ctx, plan.E2E) }

// Failures on purpose: killed workers, cut connections, full disks. Nothing lost, nothing twice.
//
// +check
// +cache="session"
func (m *Estela) Chaos(ctx context.Context) (string, error) { return m.group(ctx, plan.Chaos) }

// Every benchmark once, so that none rots.
//
// Figures are worth something on a quiet machine only: the README says how to take them.
//
// +check
// +cache="session"
func (m *Estela) Bench(ctx context.Context) (string, error) { return m.group(ctx, plan.Bench) }

// revision is what a change is compared with.
type revision struct {
	name    string
	history *dagger.Directory
}

// group runs the checks of one group.
func (m *Estela) group(ctx context.Context, g plan.Group) (string, error) {
	checks, _ := plan.Select(plan.Checks(), string(g))
	return m.run(ctx, checks, "", revision{})
}

// run runs checks, each in its container, and sums up.
func (m *Estela) run(ctx context.Context, checks []plan.Check, redis string, base revision) (string, error) {
	server, err := pin.FindServer(redis)
	if err != nil {
		return "", err
	}
	began := time.Now()
	jobs := max(2, runtime.NumCPU()/2)
	results := suite.Run(ctx, checks, jobs, func(c plan.Check) suite.Result { return m.check(ctx, c, server, base) })
	return suite.Report(results, time.Since(began))
}

// check runs one check. What fails is not kept: the next call runs it again.
func (m *Estela) check(ctx context.Context, c plan.Check, server pin.Server, base revision) suite.Result {
	began := time.Now()
	var out string
	container, err := m.checked(ctx, c, server, base)
	if err == nil {
		out, err = container.Stdout(ctx)
	}
	r := suite.Read(out, told(err))
	r.Took = time.Since(began)
	return r
}

// checked is the container in which a check has passed.
func (m *Estela) checked(ctx context.Context, c plan.Check, server pin.Server, base revision) (*dagger.Container, error) {
	command := []string{"estela-checks"}
	tree := m.Source
	if len(c.Reads) > 0 {
		tree = tree.Filter(dagger.DirectoryFilterOpts{Include: c.Reads})
	}
	if c.BaseFlag != "" && base.history != nil {
		tree = tree.WithDirectory("/", base.history)
		if base.name != "" {
			command = append(command, "--base="+base.name)
		}
	}
	container := m.toolbox()
	if c.Wants(plan.Redis()) {
		container = m.withServer(container, server)
	}
	container = container.WithMountedDirectory(src, tree)
	if c.Group == plan.E2E {
		var err error
		if container, err = m.withPipeline(ctx, container, server); err != nil {
			return nil, err
		}
	}
	if c.Heavy {
		// One at a time, also where nothing else orders them, as under `dagger check`.
		container = container.WithMountedCache("/turn", dag.CacheVolume("estela-turn"),
			dagger.ContainerWithMountedCacheOpts{Sharing: dagger.CacheSharingModeLocked})
	}
	return container.WithExec(append(command, "run", c.Name),
		dagger.ContainerWithExecOpts{InsecureRootCapabilities: c.Privileged}), nil
}

// toolbox is a container with all that the plan's checks need. It is the same whatever server is tested
// against, so that what needs none is not run again for another.
func (m *Estela) toolbox() *dagger.Container {
	return m.withServer(m.golang(), pin.Servers()[0]).
		WithFile(tools+"estela-checks", m.ours("host")).
		WithExec([]string{"git", "config", "--global", "--add", "safe.directory", src}).
		WithExec([]string{"estela-checks", "setup"})
}

// withServer puts a server's program where tests look for it: they start servers of their own, to kill
// and to fill them.
func (m *Estela) withServer(c *dagger.Container, server pin.Server) *dagger.Container {
	return c.WithFile(tools+"redis-server", dag.Container().From(m.image(server.Image)).File(server.Program))
}
