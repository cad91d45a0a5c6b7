// Command gen makes everything that is made from slo.yaml into the folder of package observability:
// cd infra && go run ./observability/gen.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/estela-dev/estela/infra/observability"
)

func main() {
	if err := run("observability"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	f, err := observability.Load()
	if err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return fmt.Errorf("read README (run this in infra/): %w", err)
	}
	files, err := observability.Generate(f, readme)
	if err != nil {
		return err
	}
	return observability.Write(dir, files)
}
