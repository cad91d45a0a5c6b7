// Estela's whole CI/CD: test, build, publish, deploy, the same on a laptop and in Actions.
//
// Everything a change must pass is `dagger call test`; its parts are lint, unit, fuzz,
// contract, end-to-end, chaos and bench. What runs is the plan in ci/plan, which `go run
// ./ci/host test` runs without a container engine too. In a network without the public
// registries, `dagger call --mirror registry.example/hub test` takes every image from there.
package main

import (
	"context"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
)

// Estela is the pipeline of one source tree.
type Estela struct {
	// Source is the repository, without its history.
	// +private
	Source *dagger.Directory
	// Mirror is a registry that has the images; empty: the public ones.
	// +private
	Mirror string
	// ByTag pulls images by tag.
	// +private
	ByTag bool
	// Extensions is where DuckDB's come from.
	// +private
	Extensions string

	// Username and Password log in to the registry that is published to.
	// +private
	Username string
	// +private
	Password *dagger.Secret
	// Registry stands for a registry that only the caller can reach.
	// +private
	Registry *dagger.Service

	// Key and KeyPassword sign; or else the identity that RequestURL and RequestToken vouch for.
	// +private
	Key *dagger.Secret
	// +private
	KeyPassword *dagger.Secret
	// +private
	RequestURL *dagger.Secret
	// +private
	RequestToken *dagger.Secret
}

// New takes the source tree to work on and where images come from.
func New(
	_ context.Context,
	// The repository.
	// +defaultPath="/"
	// +ignore=[".git", ".estela", "**/*.duckdb", "**/*.duckdb.wal", "bin", "**/*.test", "**/*.out", "**/*.prof", "coverage*", "dist", "**/.env", "**/.env.*", "!**/.env.example", "**/.DS_Store", "**/.idea", "**/.vscode", "**/*.swp"]
	source *dagger.Directory,
	// A registry, with an optional path, that every image comes from instead of the public
	// ones: "registry.example:5000/hub" is asked for library/golang, distroless/cc-debian12…
	// +optional
	mirror string,
	// Ask for images by tag instead of by digest, for a mirror that made them anew.
	// +optional
	byTag bool,
	// Where DuckDB's extensions come from; DuckDB checks their signatures when it loads them.
	// +default="https://extensions.duckdb.org"
	extensions string,
) (*Estela, error) {
	if err := (pin.Mirror{Prefix: mirror, ByTag: byTag}).Check(); err != nil {
		return nil, err
	}
	return &Estela{Source: source, Mirror: mirror, ByTag: byTag, Extensions: strings.TrimSuffix(extensions, "/")}, nil
}

// image is an image's reference, from the mirror if there is one.
func (m *Estela) image(i pin.Image) string {
	return i.At(pin.Mirror{Prefix: m.Mirror, ByTag: m.ByTag})
}
