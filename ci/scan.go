package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/pin"
)

// Known vulnerabilities of code and image, by scan-code and scan-image.
//
// Fails on what our code reaches, and on what is severe in the image. The answer changes with the
// databases, so it is asked for anew each time.
//
// +cache="never"
func (m *Estela) Scan(
	ctx context.Context,
	// Where govulncheck's database is. Default: its own.
	// +optional
	goDatabase string,
	// Where grype's database is. Default: its own.
	// +optional
	imageDatabase string,
	// The severity from which on the image fails: negligible, low, medium, high or critical.
	// +default="high"
	severity string,
) (string, error) {
	code, codeErr := m.ScanCode(ctx, goDatabase)
	image, imageErr := m.ScanImage(ctx, imageDatabase, severity)
	return code + "\n" + image, errors.Join(codeErr, imageErr)
}

// Known vulnerabilities that our code reaches, by govulncheck: every module, and the binary.
//
// +cache="never"
func (m *Estela) ScanCode(
	ctx context.Context,
	// Where govulncheck's database is. Default: its own.
	// +optional
	database string,
) (string, error) {
	binary, err := m.Binary(ctx, "", "development")
	if err != nil {
		return "", err
	}
	base := m.withTool(m.golang(), pin.Govulncheck).
		WithMountedDirectory(src, m.Source).
		WithMountedFile("/estela", binary).
		With(unrepeatable)
	command := []string{"govulncheck"}
	if database != "" {
		command = append(command, "-db", database)
	}
	var text strings.Builder
	var errs []error
	scan := func(what, dir string, args ...string) {
		out, err := base.WithWorkdir(src + "/" + dir).WithExec(append(command, args...)).Stdout(ctx)
		fmt.Fprintf(&text, "%s\n%s\n", what, strings.TrimSpace(out))
		if err != nil {
			errs = append(errs, fmt.Errorf("govulncheck %s: %w", what, told(err)))
		}
	}
	modules, err := m.modules(ctx)
	if err != nil {
		return "", err
	}
	for _, module := range modules {
		scan("module "+module, module, "./...")
	}
	scan("binary", "", "-mode", "binary", "/estela")
	return text.String(), errors.Join(errs...)
}

// Known vulnerabilities of the packages in the image, by grype from its SBOM.
//
// +cache="never"
func (m *Estela) ScanImage(
	ctx context.Context,
	// Where grype's database is. Default: its own.
	// +optional
	database string,
	// The severity from which on it fails.
	// +default="high"
	severity string,
) (string, error) {
	sbom, err := m.Sbom(ctx, "", "development")
	if err != nil {
		return "", err
	}
	c := m.withTool(m.golang(), pin.Grype).
		WithEnvVariable("GRYPE_CHECK_FOR_APP_UPDATE", "false").
		WithMountedFile("/sbom.spdx.json", sbom).
		With(unrepeatable)
	if database != "" {
		c = c.WithEnvVariable("GRYPE_DB_UPDATE_URL", database)
	}
	out, err := c.WithExec([]string{"grype", "sbom:/sbom.spdx.json", "--only-fixed", "--fail-on", severity}).Stdout(ctx)
	if err != nil {
		return "", fmt.Errorf("grype: %w", told(err))
	}
	return "image\n" + out, nil
}

// What the image consists of, as SPDX JSON, by syft.
func (m *Estela) Sbom(
	ctx context.Context,
	// linux/amd64 or linux/arm64. Default: the machine's.
	// +optional
	platform dagger.Platform,
	// The image's version.
	// +default="development"
	version string,
) (*dagger.File, error) {
	image, err := m.Build(ctx, platform, version, "", false)
	if err != nil {
		return nil, err
	}
	return m.sbom(image, version), nil
}

func (m *Estela) sbom(image *dagger.Container, version string) *dagger.File {
	return m.withTool(m.golang(), pin.Syft).
		WithEnvVariable("SYFT_CHECK_FOR_APP_UPDATE", "false").
		WithMountedFile("/image.tar", image.AsTarball()).
		WithExec([]string{
			"syft", "scan", "oci-archive:/image.tar", "--source-name", "estela", "--source-version", version,
			"--output", "spdx-json=/out/estela.spdx.json",
		}).
		File("/out/estela.spdx.json")
}

// modules are the Go modules of the workspace.
func (m *Estela) modules(ctx context.Context) ([]string, error) {
	files, err := m.Source.Glob(ctx, "*/go.mod")
	if err != nil {
		return nil, fmt.Errorf("list the modules: %w", err)
	}
	modules := make([]string, 0, len(files))
	for _, file := range files {
		modules = append(modules, strings.TrimSuffix(file, "/go.mod"))
	}
	return modules, nil
}
