// Command gen makes everything that is made from slo.yaml, the simulation of its alerts and the tables of what was measured too,
// into the folder of package observability: cd infra && go run ./observability/gen.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/estela-dev/estela/infra/observability"
	"github.com/estela-dev/estela/infra/observability/growth"
	"github.com/estela-dev/estela/infra/observability/simulation"
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
	if err := simulation.Document(f, files); err != nil {
		return err
	}
	if err := fleet(dir, f, files); err != nil {
		return err
	}
	return observability.Write(dir, files)
}

// fleet adds what was measured, which is kept because measuring takes minutes and a quiet machine.
func fleet(dir string, f observability.File, files map[string][]byte) error {
	text, err := os.ReadFile(filepath.Join(dir, growth.Source))
	if err != nil {
		return fmt.Errorf("read what was measured: %w", err)
	}
	result, err := growth.Parse(text)
	if err != nil {
		return err
	}
	return growth.Document(f, result, files)
}
