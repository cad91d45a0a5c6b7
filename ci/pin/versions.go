// Package pin is the only place that says which version of what the pipeline uses,
// but for the modules' own dependencies.
package pin

import (
	"fmt"
	"slices"
)

// The Go programs that the pipeline runs and no module requires. Go's checksum
// database vouches for each; Go's build cache keeps what was built once.
const (
	Actionlint   = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
	Cosign       = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
	GolangciLint = "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0"
	Govulncheck  = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
	Grype        = "github.com/anchore/grype/cmd/grype@v0.121.2"
	Syft         = "github.com/anchore/syft/cmd/syft@v1.57.0"
)

// The images that containers start from.
var (
	// Golang compiles, tests and runs tools: Debian with Go, a C and a C++ compiler
	// and git.
	Golang = Image{Host: "docker.io", Name: "library/golang", Tag: "1.26-bookworm"}
	// Distroless is what the runtime image stands on: libc and libstdc++, no shell.
	Distroless = Image{Host: "gcr.io", Name: "distroless/cc-debian12", Tag: "nonroot"}
	// Pulumi has the pulumi program and its language hosts in /pulumi/bin.
	Pulumi = Image{Host: "docker.io", Name: "pulumi/pulumi-base", Tag: "3.250.0"}
)

// Server is a server of streams that the pipeline is tested against.
type Server struct {
	// Name is what a caller says: "redis-7.2".
	Name string
	// Image has the server's program at Program.
	Image   Image
	Program string
}

// Servers are what the tests can be run against; the first is the default. Nothing
// newer than the commands of Redis 7.0 is used, because managed services offer
// no more.
func Servers() []Server {
	return []Server{
		{"redis-7.2", Image{Host: "docker.io", Name: "library/redis", Tag: "7.2-bookworm"}, "/usr/local/bin/redis-server"},
		{"redis-8", Image{Host: "docker.io", Name: "library/redis", Tag: "8-bookworm"}, "/usr/local/bin/redis-server"},
		{"valkey-8", Image{Host: "docker.io", Name: "valkey/valkey", Tag: "8-bookworm"}, "/usr/local/bin/valkey-server"},
		{"valkey-9", Image{Host: "docker.io", Name: "valkey/valkey", Tag: "9-bookworm"}, "/usr/local/bin/valkey-server"},
	}
}

// FindServer finds a server by its name; empty is the default. The error says which
// names there are.
func FindServer(name string) (Server, error) {
	servers := Servers()
	if name == "" {
		return servers[0], nil
	}
	names := make([]string, 0, len(servers))
	for _, s := range servers {
		names = append(names, s.Name)
	}
	if i := slices.Index(names, name); i >= 0 {
		return servers[i], nil
	}
	return Server{}, fmt.Errorf("no server %q to test against: choose one of %q", name, names)
}
