package main

import (
	"context"
	"fmt"
	"regexp"

	"github.com/estela-dev/estela/ci/internal/dagger"
)

// Push the image for every platform, with its SBOM and a signature, and print it by digest.
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
		image, err := m.Build(ctx, platform, version, revision, withMotherduck, extensionRepository)
		if err != nil {
			return "", err
		}
		images = append(images, image)
	}
	push := dag.Container()
	if m.Password != nil {
		push = push.WithRegistryAuth(host(registry), m.Username, m.Password)
	}
	pinned, err := push.Publish(ctx, registry+":"+version, dagger.ContainerPublishOpts{
		PlatformVariants: images,
		RegistryService:  m.Registry,
	})
	if err != nil {
		return "", fmt.Errorf("push %s: %w", registry, err)
	}
	pinned = tag.ReplaceAllString(pinned, "$1") // the digest says it all
	if _, err := m.Sign(ctx, pinned); err != nil {
		return "", err
	}
	// One SBOM for the index: the platforms differ in nothing but the machine code.
	if err := m.attest(ctx, pinned, m.sbom(images[0], version)); err != nil {
		return "", err
	}
	return pinned, nil
}

// tag is what stands between a reference's name and its digest.
var tag = regexp.MustCompile(`:[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})$`)
