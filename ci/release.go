package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/release"
)

// Publish a release, and make the folder of what belongs on its page.
//
// The folder has binaries for every platform, SBOMs, notes.md, image.txt (the image by digest) and SHA256SUMS.
//
// The version is the tag at the commit, the notes are its section in .github/CHANGELOG.md; a
// release without either is refused before anything is pushed.
//
// +cache="never"
func (m *Estela) Release(
	ctx context.Context,
	// Where to push the image, without a tag: ghcr.io/OWNER/estela.
	registry string,
	// The repository's history, for the tag.
	// +defaultPath="/"
	// +ignore=["*", "!.git"]
	history *dagger.Directory,
	// Bake MotherDuck's extension in; without it the image downloads it when it first connects.
	// +default=true
	withMotherduck bool,
) (*dagger.Directory, error) {
	repository := m.golang().WithMountedDirectory(src, history).
		WithExec([]string{"git", "config", "--global", "--add", "safe.directory", src})
	tags, err := repository.WithExec([]string{"git", "tag", "--points-at", "HEAD"}).Stdout(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tags at this commit: %w", told(err))
	}
	version, err := release.Version(strings.Fields(tags))
	if err != nil {
		return nil, err
	}
	changelog, err := m.Source.File(".github/CHANGELOG.md").Contents(ctx)
	if err != nil {
		return nil, fmt.Errorf("read .github/CHANGELOG.md: %w", err)
	}
	notes, err := release.Notes(changelog, version)
	if err != nil {
		return nil, err
	}
	commit, err := repository.WithExec([]string{"git", "rev-parse", "HEAD"}).Stdout(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the commit: %w", told(err))
	}
	image, err := m.Publish(ctx, registry, version, strings.TrimSpace(commit), withMotherduck)
	if err != nil {
		return nil, err
	}
	dist := dag.Directory().WithNewFile("image.txt", image+"\n")
	for _, platform := range platforms {
		arch := strings.TrimPrefix(string(platform), "linux/")
		binary, err := m.Binary(ctx, platform, version)
		if err != nil {
			return nil, err
		}
		sbom, err := m.Sbom(ctx, platform, version)
		if err != nil {
			return nil, err
		}
		dist = dist.WithFile("estela_linux_"+arch, binary).WithFile("estela_linux_"+arch+".spdx.json", sbom)
	}
	sums, err := m.golang().WithMountedDirectory("/dist", dist).WithWorkdir("/dist").
		WithExec([]string{"sh", "-c", "sha256sum *"}).Stdout(ctx)
	if err != nil {
		return nil, fmt.Errorf("sum the files up: %w", told(err))
	}
	return dist.WithNewFile("SHA256SUMS", sums).WithNewFile("notes.md", notes), nil
}
