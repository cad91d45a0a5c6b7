package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
)

// Push the image for every platform, with its SBOM, signed, and print it by digest.
//
// Log in with with-registry-login; sign with with-key or, in Actions, with-identity. What can't be
// signed isn't pushed.
//
// +cache="never"
func (m *Estela) Publish(
	ctx context.Context,
	// Where to push, without a tag: ghcr.io/OWNER/estela.
	registry string,
	// The tag, and what `estela version` says.
	// +default="development"
	version string,
	// The commit, for the image's label.
	// +optional
	revision string,
	// Bake MotherDuck's extension in.
	// +optional
	withMotherduck bool,
) (string, error) {
	if _, err := m.signFlags("@sha256:"); err != nil {
		return "", err
	}
	var images []*dagger.Container
	for _, platform := range platforms {
		image, err := m.Build(ctx, platform, version, revision, withMotherduck)
		if err != nil {
			return "", err
		}
		images = append(images, image)
	}
	pushed, err := m.ship(ctx, registry+":"+version, images...).Stdout(ctx)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", registry, told(err))
	}
	pinned := strings.TrimSpace(pushed)
	if _, err := m.Sign(ctx, pinned); err != nil {
		return "", err
	}
	// One SBOM for the index: the platforms differ in nothing but the machine code.
	if err := m.attest(ctx, pinned, m.sbom(images[0], version)); err != nil {
		return "", err
	}
	return pinned, nil
}

// ship is a container in which ci/ship has pushed images as one, or, to "-", has said its digest. What an engine
// pushes by itself bears the time of its making, and so another digest each time.
func (m *Estela) ship(ctx context.Context, reference string, images ...*dagger.Container) *dagger.Container {
	c := m.golang().WithFile(tools+"ship", m.ours("ship"))
	command := []string{"ship"}
	if reference != "-" {
		c = m.withRegistry(ctx, c, reference).With(unrepeatable)
		if m.Registry != nil {
			command = append(command, "--http")
		}
	}
	command = append(command, reference)
	for i, image := range images {
		archive := fmt.Sprintf("/images/%d.tar", i)
		c = c.WithMountedFile(archive, image.AsTarball())
		command = append(command, archive)
	}
	return c.WithExec(command)
}
