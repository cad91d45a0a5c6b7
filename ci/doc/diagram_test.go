package doc_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-graphviz"
)

var update = flag.Bool("update", false, "write the diagram that the source makes")

// The picture in the answers to the challenge is what its source draws: who changes one has to change the other.
func TestTheDiagramIsItsSources(t *testing.T) {
	t.Parallel()
	file := filepath.Join(root, ".github", "architecture")
	source, err := os.ReadFile(file + ".dot")
	if err != nil {
		t.Fatal(err)
	}
	drawer, err := graphviz.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer drawer.Close()
	graph, err := graphviz.ParseBytes(source)
	if err != nil {
		t.Fatal(err)
	}
	defer graph.Close()
	var drawn bytes.Buffer
	if err := drawer.Render(t.Context(), graph, graphviz.SVG, &drawn); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file+".svg", drawn.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(file + ".svg"); err != nil || !bytes.Equal(kept, drawn.Bytes()) {
		t.Errorf("architecture.svg is not what architecture.dot draws (%v): cd ci && go test ./doc -run TestTheDiagram -update", err)
	}
}
