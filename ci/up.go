package main

import (
	"context"
	"errors"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
)

const (
	apiPort   = 8080
	redisPort = 6379
	keysFile  = "/etc/estela/keys.json"
)

// The pipeline on this machine, from the built image: Redis, worker, API, real flights.
//
// `dagger call up up` puts the API on port 8080 of every interface of this machine, for Dagger's tunnel binds no
// other; on a network that you don't trust, `go run ./services/cmd/estela up` keeps to loopback.
//
// +cache="session"
func (m *Estela) Up(
	ctx context.Context,
	// The server of streams: redis-7.2, redis-8, valkey-8 or valkey-9.
	// +default="redis-7.2"
	redis string,
	// MotherDuck's database, such as md:estela. Default: a file in the container, which goes with it.
	// +optional
	warehouse string,
	// MotherDuck's token, such as env:MOTHERDUCK_TOKEN.
	// +optional
	motherduckToken *dagger.Secret,
	// The hashes of API keys, as `estela key new` prints them. Default: the API asks for none, which only
	// the sample is good enough for.
	// +optional
	keys *dagger.File,
) (*dagger.Service, error) {
	server, err := pin.FindServer(redis)
	if err != nil {
		return nil, err
	}
	file := warehouse == "" && motherduckToken == nil
	motherduck := strings.HasPrefix(warehouse, "md:") && motherduckToken != nil
	if !file && !motherduck {
		return nil, errors.New("up: --warehouse: a database of MotherDuck (md:NAME) and --motherduck-token belong together")
	}
	if motherduck && keys == nil {
		return nil, errors.New("up: everyone on the network could read the database: give --keys, made by `estela key new`")
	}
	image, err := m.Build(ctx, "", "development", "", motherduck)
	if err != nil {
		return nil, err
	}
	access := "--anonymous"
	if keys != nil {
		image = image.WithFile(keysFile, keys, dagger.ContainerWithFileOpts{Owner: nonroot})
		access = "--keys=" + keysFile
	}
	if motherduck {
		image = image.WithEnvVariable("ESTELA_WAREHOUSE", warehouse).WithSecretVariable("MOTHERDUCK_TOKEN", motherduckToken)
	}
	return pipeline(image, m.server(server), access), nil
}

// server is Redis or one of its kin as a service. noeviction: a full server refuses, it doesn't
// forget.
func (m *Estela) server(server pin.Server) *dagger.Service {
	return dag.Container().From(m.image(server.Image)).
		WithExposedPort(redisPort).
		AsService(dagger.ContainerAsServiceOpts{
			Args:          []string{server.Program, "--protected-mode", "no", "--appendonly", "yes", "--maxmemory-policy", "noeviction"},
			UseEntrypoint: true,
		})
}

// pipeline is the built image at work. DuckDB lets one process at a file, so worker and API are
// one; apart, they share MotherDuck.
func pipeline(image *dagger.Container, redis *dagger.Service, args ...string) *dagger.Service {
	command := []string{"up", "--redis", "redis://redis:6379", "--listen", "0.0.0.0:8080"}
	return image.
		WithServiceBinding("redis", redis).
		AsService(dagger.ContainerAsServiceOpts{Args: append(command, args...), UseEntrypoint: true})
}

// withPipeline gives a container a pipeline of its own to look at from outside.
func (m *Estela) withPipeline(ctx context.Context, c *dagger.Container, server pin.Server) (*dagger.Container, error) {
	image, err := m.Build(ctx, "", "development", "", false)
	if err != nil {
		return nil, err
	}
	redis := m.server(server)
	return c.
		WithServiceBinding("redis", redis).
		WithServiceBinding("estela", pipeline(image, redis, "--anonymous", "--no-sample")).
		WithEnvVariable("ESTELA_E2E_REDIS", "redis://redis:6379").
		WithEnvVariable("ESTELA_E2E_URL", "http://estela:8080"), nil
}
