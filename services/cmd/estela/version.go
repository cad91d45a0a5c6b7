package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/estela-dev/estela/services/internal/database"
)

type versionCmd struct{ jsonFlag }

// versions are those of the program and of what it is built with.
type versions struct {
	Estela string `json:"estela"`
	DuckDB string `json:"duckdb"`
	Go     string `json:"go"`
	OS     string `json:"os"`
	Arch   string `json:"arch"`
}

// Run is 'estela version'.
func (c *versionCmd) Run(s *streams) error {
	v := versions{version(), database.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
	if c.JSON {
		c.say(s.out, v, "")
		return nil
	}
	_, err := fmt.Fprintf(s.out, "estela %s\nDuckDB %s\n%s %s/%s\n", v.Estela, v.DuckDB, v.Go, v.OS, v.Arch)
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
