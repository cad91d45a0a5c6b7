package main

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
)

const (
	// nonroot is the user that distroless images name so.
	nonroot = "65532:65532"
	// dataDir is where the image's pipeline keeps what it writes; the rest of the root
	// may be read-only.
	dataDir = "/var/lib/estela"
	// home is that user's, and extensions is where in it DuckDB looks for what is baked in.
	home       = "/home/nonroot"
	extensions = home + "/.duckdb/extensions"
	// epoch, in Unix seconds, is the time of every file we add: the same source gives the
	// same digest, whenever it is built.
	epoch = 1
)

// platforms are what images are built for.
var platforms = []dagger.Platform{"linux/amd64", "linux/arm64"}

// cross is Debian's toolchain for an architecture, as its packages and programs name it.
var cross = map[string]string{"amd64": "x86-64-linux-gnu", "arm64": "aarch64-linux-gnu"}

// The runtime image: one binary on distroless, without a shell, not root.
//
// Its root file system may be read-only but for /var/lib/estela. The same source gives the same digest.
func (m *Estela) Build(
	ctx context.Context,
	// linux/amd64 or linux/arm64; another one than the machine's is cross-compiled, not emulated.
	// Default: the machine's.
	// +optional
	platform dagger.Platform,
	// What `estela version` says.
	// +default="development"
	version string,
	// The commit, for the image's label.
	// +optional
	revision string,
	// Bake MotherDuck's extension in, so that a container needs no download to start.
	// +optional
	withMotherduck bool,
) (*dagger.Container, error) {
	arch, err := m.arch(ctx, platform)
	if err != nil {
		return nil, err
	}
	binary, err := m.compiled(ctx, arch, version)
	if err != nil {
		return nil, err
	}
	image := m.runtime(arch, binary, version, revision)
	if !withMotherduck {
		return image, nil
	}
	extension, err := m.motherduck(ctx, arch)
	if err != nil {
		return nil, err
	}
	baked := dag.Directory().WithDirectory(extensions, extension).Chown(home, nonroot)
	return image.WithDirectory("/", baked.WithTimestamps(epoch)), nil
}

// runtime is the image around a binary.
func (m *Estela) runtime(arch string, binary *dagger.File, version, revision string) *dagger.Container {
	root := dag.Directory().
		WithFile("usr/local/bin/estela", binary, dagger.DirectoryWithFileOpts{Permissions: 0o755}).
		// The parents first, or they would be closed as well.
		WithNewDirectory(path.Dir(dataDir), dagger.DirectoryWithNewDirectoryOpts{Permissions: 0o755}).
		WithNewDirectory(dataDir, dagger.DirectoryWithNewDirectoryOpts{Permissions: 0o700}).
		Chown(dataDir, nonroot)
	return dag.Container(dagger.ContainerOpts{Platform: dagger.Platform("linux/" + arch)}).
		From(m.image(pin.Distroless)).
		WithDirectory("/", root.WithTimestamps(epoch)).
		WithUser(nonroot).
		WithWorkdir(dataDir).
		WithEnvVariable("ESTELA_DATA_DIR", dataDir).
		WithEnvVariable("HOME", home). // a platform may have another idea of it
		WithEntrypoint([]string{"/usr/local/bin/estela"}).
		WithDefaultArgs([]string{"--help"}).
		WithExposedPort(apiPort).
		WithLabel("org.opencontainers.image.title", "Estela").
		WithLabel("org.opencontainers.image.description", "Events from Redis Streams, stored exactly once in DuckDB or MotherDuck, served over HTTP from SQL files").
		WithLabel("org.opencontainers.image.source", "https://github.com/estela-dev/estela").
		WithLabel("org.opencontainers.image.licenses", "Apache-2.0").
		WithLabel("org.opencontainers.image.version", version).
		WithLabel("org.opencontainers.image.revision", revision).
		WithLabel("org.opencontainers.image.base.name", pin.Distroless.At(pin.Mirror{}))
}

// The same source gives the same image, by the digests of two builds.
//
// The second one is made without any cache of Go's.
//
// +check
// +cache="session"
func (m *Estela) Reproducible(ctx context.Context) (string, error) {
	arch, err := m.arch(ctx, "")
	if err != nil {
		return "", err
	}
	var digests []string
	for _, from := range []dagger.WithContainerFunc{asItIs, fromNothing} {
		binary, err := m.compiled(ctx, arch, "development", from)
		if err != nil {
			return "", err
		}
		digest, err := m.ship(ctx, "-", m.runtime(arch, binary, "development", "")).Stdout(ctx)
		if err != nil {
			return "", fmt.Errorf("build the image: %w", told(err))
		}
		digests = append(digests, strings.TrimSpace(digest))
	}
	if digests[0] != digests[1] {
		return "", fmt.Errorf("two builds of the same source differ: %s and %s", digests[0], digests[1])
	}
	return digests[0], nil
}

func asItIs(c *dagger.Container) *dagger.Container { return c }

func fromNothing(c *dagger.Container) *dagger.Container {
	return c.WithEnvVariable("GOCACHE", "/tmp/from-nothing").With(unrepeatable)
}

// The binary alone, for Linux on the machine's architecture or another.
func (m *Estela) Binary(
	ctx context.Context,
	// linux/amd64 or linux/arm64. Default: the machine's.
	// +optional
	platform dagger.Platform,
	// What `estela version` says.
	// +default="development"
	version string,
) (*dagger.File, error) {
	arch, err := m.arch(ctx, platform)
	if err != nil {
		return nil, err
	}
	return m.compiled(ctx, arch, version)
}

// arch is the architecture of a platform that we build for, by default the engine's own.
func (m *Estela) arch(ctx context.Context, platform dagger.Platform) (string, error) {
	if platform == "" {
		own, err := dag.DefaultPlatform(ctx)
		if err != nil {
			return "", fmt.Errorf("ask for the engine's platform: %w", err)
		}
		platform = own
	}
	for _, p := range platforms {
		if platform == p || strings.HasPrefix(string(platform), string(p)+"/") {
			return path.Base(string(p)), nil
		}
	}
	return "", fmt.Errorf("platform %q: DuckDB is built in for %q only", platform, platforms)
}

// compiled is the binary for an architecture. It links libc, libm, libgcc and libstdc++, which distroless'
// cc image has, and nothing else: a fully static one couldn't load DuckDB's extensions.
func (m *Estela) compiled(ctx context.Context, arch, version string, with ...dagger.WithContainerFunc) (*dagger.File, error) {
	own, err := dag.DefaultPlatform(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the engine's platform: %w", err)
	}
	c := m.golang()
	cc, cxx := "gcc", "g++"
	if !strings.Contains(string(own), arch) {
		triple := cross[arch]
		c = c.WithExec([]string{
			"sh", "-c",
			"apt-get update -qq && apt-get install -y -qq --no-install-recommends g++-" + triple,
		})
		triple = strings.Replace(triple, "x86-64", "x86_64", 1)
		cc, cxx = triple+"-gcc", triple+"-g++"
	}
	for _, f := range with {
		c = f(c)
	}
	return c.
		WithEnvVariable("CGO_ENABLED", "1").
		WithEnvVariable("GOOS", "linux").
		WithEnvVariable("GOARCH", arch).
		WithEnvVariable("CC", cc).
		WithEnvVariable("CXX", cxx).
		WithEnvVariable("GOWORK", "off").
		WithMountedDirectory(src, m.Source.Filter(dagger.DirectoryFilterOpts{
			Include: []string{"services", "data"},
			Exclude: []string{"**/*_test.go", "**/testdata"},
		})).
		WithWorkdir(src + "/services").
		WithExec([]string{
			"go", "build", "-trimpath", "-ldflags", "-s -w -buildid= -X main.release=" + version,
			"-o", "/out/estela", "./cmd/estela",
		}).
		File("/out/estela"), nil
}

// motherduck is the folder of extensions for the DuckDB that is built in, with MotherDuck's in it.
func (m *Estela) motherduck(ctx context.Context, arch string) (*dagger.Directory, error) {
	version, err := m.duckdb(ctx)
	if err != nil {
		return nil, err
	}
	where := version + "/linux_" + arch
	packed := dag.HTTP(m.Extensions + "/" + where + "/motherduck.duckdb_extension.gz")
	return m.golang().
		WithMountedFile("/in.gz", packed).
		WithExec([]string{"sh", "-c", "mkdir -p /out/" + where + " && gunzip -c /in.gz > /out/" + where + "/motherduck.duckdb_extension"}).
		Directory("/out"), nil
}

// duckdb is the version of DuckDB that is built in, such as "v1.5.6".
func (m *Estela) duckdb(ctx context.Context) (string, error) {
	own, err := m.Binary(ctx, "", "development")
	if err != nil {
		return "", err
	}
	out, err := m.golang().WithFile(tools+"estela", own).WithExec([]string{"estela", "version"}).Stdout(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the binary for DuckDB's version: %w", err)
	}
	for line := range strings.Lines(out) {
		if version, found := strings.CutPrefix(strings.TrimSpace(line), "DuckDB "); found {
			return "v" + strings.TrimPrefix(version, "v"), nil // as the repository and DuckDB's own folder have it
		}
	}
	return "", fmt.Errorf("`estela version` names no DuckDB: %q", out)
}
