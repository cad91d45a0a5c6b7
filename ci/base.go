package main

import (
	"path"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
)

const (
	// src is where a container has the source.
	src = "/src"
	// tools is where a container has programs that were built for it.
	tools = "/usr/local/bin/"
)

// golang is a container with Go, a C and a C++ compiler, git, and caches that outlive it:
// modules and npm's packages are downloaded, and packages compiled, once.
func (m *Estela) golang() *dagger.Container {
	return dag.Container().From(m.image(pin.Golang)).
		WithMountedCache("/go/pkg/mod", dag.CacheVolume("estela-modules")).
		WithMountedCache("/root/.cache", dag.CacheVolume("estela-cache")).
		WithEnvVariable("npm_config_cache", "/root/.cache/npm").
		WithEnvVariable("GOTOOLCHAIN", "local"). // what the image has, nothing newer
		WithEnvVariable("GOFLAGS", "-buildvcs=false").
		WithEnvVariable("CI", "true").
		WithWorkdir(src)
}

// goTool is a pinned Go program, built for the containers of golang.
func (m *Estela) goTool(pinned string) *dagger.File {
	program, _, _ := strings.Cut(path.Base(pinned), "@")
	return m.golang().
		WithEnvVariable("GOBIN", "/out").
		WithEnvVariable("CGO_ENABLED", "0").
		WithExec([]string{"go", "install", pinned}).
		File("/out/" + program)
}

// withTool adds a pinned Go program to a container.
func (m *Estela) withTool(c *dagger.Container, pinned string) *dagger.Container {
	program, _, _ := strings.Cut(path.Base(pinned), "@")
	return c.WithFile(tools+program, m.goTool(pinned))
}

// ours is a program of this very module.
func (m *Estela) ours(program string) *dagger.File {
	source := dag.CurrentModule().Source().Filter(dagger.DirectoryFilterOpts{
		Include: []string{"go.mod", "go.sum", "host/**/*.go", "pin/*.go", "plan/*.go", "ship/*.go", "suite/*.go"},
		Exclude: []string{"**/*_test.go"},
	})
	return m.golang().
		WithMountedDirectory(src, source).
		WithEnvVariable("CGO_ENABLED", "0").
		WithExec([]string{"go", "build", "-trimpath", "-o", "/out/" + program, "./" + program}).
		File("/out/" + program)
}
