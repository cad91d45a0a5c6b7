package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/estela-dev/estela/services/internal/database"
)

type versionCmd struct{}

// Run is 'estela version'.
func (c *versionCmd) Run(s *streams) error {
	_, err := fmt.Fprintf(s.out, "estela %s\nDuckDB %s\n%s %s/%s\n",
		version(), database.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// release is set when a release is linked (-ldflags "-X main.release=v1.2.3").
var release string

// version is the release, else the commit that was built.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return "development, commit " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return "development"
}
