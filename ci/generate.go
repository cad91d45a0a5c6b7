package main

import (
	"github.com/estela-dev/estela/ci/internal/dagger"
	"github.com/estela-dev/estela/ci/plan"
)

// Write anew all that is generated: the module's own bindings.
//
// `dagger check` fails when what is committed differs.
//
// +generate
// +cache="session"
func (m *Estela) Generate() *dagger.Changeset {
	// What is generated comes without what has not changed.
	generated := m.Source.AsModuleSource().GeneratedContextDirectory().
		Filter(dagger.DirectoryFilterOpts{Include: []string{"ci/dagger.gen.go", "ci/internal/dagger", "ci/go.mod", "ci/go.sum"}})
	return m.Source.WithDirectory("/", generated).Changes(m.Source)
}

// Put right what checks can put right by themselves: format, go.mod and go.sum.
//
// +cache="session"
func (m *Estela) Fix() *dagger.Changeset {
	fixed := m.golang().WithDirectory(src, m.Source)
	for _, c := range plan.Checks() {
		if len(c.Fix) > 0 {
			fixed = fixed.WithWorkdir(src + "/" + c.Dir).WithExec(c.Fix)
		}
	}
	return fixed.Directory(src).Changes(m.Source)
}
