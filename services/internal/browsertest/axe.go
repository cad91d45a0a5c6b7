package browsertest

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axePackage is the pinned version of axe-core.
//
//go:embed testdata/axe
var axePackage embed.FS

// installAxe installs axe-core and returns its source.
func installAxe(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	files, err := fs.Sub(axePackage, "testdata/axe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s\nInstall Debian's nodejs and npm", err, out)
	}
	source, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// violation is what axe-core finds.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// Barriers are the kinds of what axe-core calls serious or critical in the page as it is now.
func (tab *Tab) Barriers() (found []string) {
	tab.t.Helper()
	all := value[[]violation](tab, tab.browser.axe+"; axe.run().then(r => r.violations)")
	for _, v := range all {
		if v.Impact != "serious" && v.Impact != "critical" {
			continue
		}
		n := v.Nodes[0]
		found = append(found, fmt.Sprintf("%s: %s (%s), %d times, first:\n%s\n%s", v.Impact, v.Help, v.ID, len(v.Nodes), n.HTML, strings.TrimSpace(n.FailureSummary)))
	}
	return found
}

// value is what a script's expression evaluates to, or its promise.
func value[T any](tab *Tab, script string) T {
	tab.t.Helper()
	v, err := ask(tab, chromedp.Evaluate[T](script, func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	if err != nil {
		tab.t.Fatalf("%s: %v\n%s", tab.at, err, strings.Join(tab.Problems(), "\n"))
	}
	return v
}
