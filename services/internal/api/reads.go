package api

import (
	"fmt"
	"slices"
	"strings"
)

// readsDirective names the other datasets that the endpoint reads.
func (p *parser) reads(value string) {
	p.readsLine = p.line
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if !datasetName.MatchString(name) || slices.Contains(p.Reads, name) {
			p.fail(fmt.Sprintf("%q is no list of datasets", value), "write each other dataset that the endpoint reads once: -- reads: NAME, …")
			return
		}
		p.Reads = append(p.Reads, name)
	}
}

// opensAll says whether the key is good for every one of the datasets.
func (k *Key) opensAll(datasets []string) bool {
	return !slices.ContainsFunc(datasets, func(d string) bool { return !k.opens(d) })
}
