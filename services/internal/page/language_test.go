package page_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/estela-dev/estela/services/internal/page"
)

var (
	inTemplates = regexp.MustCompile(`\.T "((?:[^"\\]|\\.)*)"`)
	inCode      = regexp.MustCompile(`(?:\.T|\.problem)\((?:http\.\w+, )?"((?:[^"\\]|\\.)*)"`)
)

// Every text of the pages has a Spanish one.
func TestTextsAreTranslated(t *testing.T) {
	t.Parallel()
	known := page.Spanish()
	found := 0
	for pattern, in := range map[string]*regexp.Regexp{"template/*.html": inTemplates, "*.go": inCode} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range in.FindAllStringSubmatch(string(text), -1) {
				found++
				if known[match[1]] == "" {
					t.Errorf("%s: %q is in English only (language.go)", file, match[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d texts found", found)
	}
}
