package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
)

// Log in to the registry that is published to.
func (m *Estela) WithRegistryLogin(
	// The user; where a token is enough, whatever the registry asks for in its place
	// ("oauth2accesstoken" for Artifact Registry).
	username string,
	// The password or token.
	password *dagger.Secret,
) *Estela {
	m.Username, m.Password = username, password
	return m
}

// Publish to a registry that only the caller can reach, over plain HTTP.
//
// It takes the place of the registry's address: with tcp://localhost:5000, --registry
// registry:5000/estela is pushed there.
func (m *Estela) WithRegistry(
	// Such as tcp://localhost:5000.
	service *dagger.Service,
) *Estela {
	m.Registry = service
	return m
}

// Sign by a key: `cosign generate-key-pair` makes one.
func (m *Estela) WithKey(
	// The private key, such as file:cosign.key.
	key *dagger.Secret,
	// Its password.
	password *dagger.Secret,
) *Estela {
	m.Key, m.KeyPassword = key, password
	return m
}

// Sign without a key, as the workflow that runs in Actions.
//
// Sigstore certifies its identity, and there is no key to leak. The job needs `id-token: write`.
func (m *Estela) WithIdentity(
	// env:ACTIONS_ID_TOKEN_REQUEST_URL.
	requestURL *dagger.Secret,
	// env:ACTIONS_ID_TOKEN_REQUEST_TOKEN.
	requestToken *dagger.Secret,
) *Estela {
	m.RequestURL, m.RequestToken = requestURL, requestToken
	return m
}

// Sign an image, with the key of with-key or the identity of with-identity.
//
// +cache="never"
func (m *Estela) Sign(
	ctx context.Context,
	// The image by digest: registry.example/estela@sha256:…
	image string,
) (string, error) {
	flags, err := m.signFlags(image)
	if err != nil {
		return "", err
	}
	out, err := m.cosign(ctx, append(append([]string{"sign"}, flags...), image)).CombinedOutput(ctx)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", image, told(err))
	}
	return out, nil
}

// attest attaches an SBOM to an image, signed.
func (m *Estela) attest(ctx context.Context, image string, sbom *dagger.File) error {
	flags, err := m.signFlags(image)
	if err != nil {
		return err
	}
	args := append([]string{"attest", "--type", "spdxjson", "--predicate", "/sbom.spdx.json"}, flags...)
	_, err = m.cosign(ctx, append(args, image), func(c *dagger.Container) *dagger.Container {
		return c.WithMountedFile("/sbom.spdx.json", sbom)
	}).Sync(ctx)
	if err != nil {
		return fmt.Errorf("attach the SBOM to %s: %w", image, told(err))
	}
	return nil
}

// signFlags are cosign's. By a key nothing is told to the public transparency log: the key is what
// a verifier trusts.
func (m *Estela) signFlags(image string) ([]string, error) {
	if !strings.Contains(image, "@sha256:") {
		return nil, fmt.Errorf("sign %q: a tag may be another image tomorrow; give the image by digest, as publish prints it", image)
	}
	flags := []string{"--yes"}
	switch {
	case m.Key != nil:
		flags = append(flags, "--key", "/run/cosign.key", "--use-signing-config=false", "--tlog-upload=false")
	case m.RequestURL == nil:
		return nil, errors.New("sign: by what? Give a key (with-key --key file:cosign.key --password env:COSIGN_PASSWORD; " +
			"`cosign generate-key-pair` makes one) or, in Actions, an identity (with-identity)")
	}
	if m.Registry != nil {
		flags = append(flags, "--allow-http-registry", "--allow-insecure-registry")
	}
	return flags, nil
}

// cosign is a container in which cosign has run, each time anew.
func (m *Estela) cosign(ctx context.Context, args []string, with ...dagger.WithContainerFunc) *dagger.Container {
	c := m.withTool(m.golang(), pin.Cosign)
	if m.Key != nil {
		c = c.WithMountedSecret("/run/cosign.key", m.Key).WithSecretVariable("COSIGN_PASSWORD", m.KeyPassword)
	} else {
		c = c.WithSecretVariable("ACTIONS_ID_TOKEN_REQUEST_URL", m.RequestURL).
			WithSecretVariable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", m.RequestToken)
	}
	c = m.withRegistry(ctx, c, args[len(args)-1])
	for _, f := range with {
		c = f(c)
	}
	return c.With(unrepeatable).WithExec(append([]string{"cosign"}, args...))
}

// withRegistry lets a container reach the registry of an image, and log in there if need be.
func (m *Estela) withRegistry(ctx context.Context, c *dagger.Container, image string) *dagger.Container {
	if m.Registry != nil {
		c = c.WithServiceBinding("registry", m.Registry)
	}
	if m.Password == nil {
		return c
	}
	password, err := m.Password.Plaintext(ctx)
	if err != nil {
		return c.WithError("read the registry's password: " + err.Error())
	}
	host, _, _ := strings.Cut(image, "/")
	text, err := json.Marshal(map[string]any{"auths": map[string]any{host: map[string]string{
		"auth": base64.StdEncoding.EncodeToString([]byte(m.Username + ":" + password)),
	}}})
	if err != nil {
		return c.WithError("write the registry's login: " + err.Error())
	}
	return c.WithMountedSecret("/root/.docker/config.json", dag.SetSecret("registry-login-"+host, string(text)))
}
