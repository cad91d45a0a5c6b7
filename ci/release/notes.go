package release

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// "## [1.2.3] - 2026-01-02", "## 1.2.3", "## v1.2.3", "## [1.2.3](https://…)".
	versionHeading = regexp.MustCompile(`^##[ \t]+\[?v?([^\s\[\]()]+)`)
	// "[1.2.3]: https://…", which such files end with.
	linkDefinition = regexp.MustCompile(`^\[[^\]]+\]:[ \t]`)
	fence          = regexp.MustCompile("^ {0,3}(?:```|~~~)")
)

// section is a heading of the second level and the lines below it.
type section struct {
	heading string
	lines   []string
}

// Notes is what a changelog (keepachangelog.com) says of a version, without the heading. The version
// may be a tag, with a v before it.
func Notes(changelog, version string) (string, error) {
	bare := strings.TrimPrefix(version, "v")
	var found []section
	all := sections(changelog)
	for _, s := range all {
		if m := versionHeading.FindStringSubmatch(s.heading); m != nil && m[1] == bare {
			found = append(found, s)
		}
	}
	switch {
	case bare == "" || len(found) == 0:
		return "", fmt.Errorf("find version %q in the changelog: it has %s; add a section \"## [%s] - YYYY-MM-DD\"", version, headings(all), bare)
	case len(found) > 1:
		return "", fmt.Errorf("find version %q in the changelog: it has %d sections, among %s; make them one", version, len(found), headings(all))
	case found[0].empty():
		return "", fmt.Errorf("read version %q in the changelog: nothing is below %q, among %s; say what changed", version, found[0].heading, headings(all))
	}
	return found[0].text(), nil
}

// sections leaves out what precedes the first heading, and doesn't take a code block's lines for headings.
func sections(changelog string) []section {
	var all []section
	inCode := false
	for line := range strings.Lines(changelog) {
		line = strings.TrimRight(line, " \t\r\n")
		if fence.MatchString(line) {
			inCode = !inCode
		}
		if !inCode && strings.HasPrefix(line, "## ") {
			all = append(all, section{heading: line})
		} else if len(all) > 0 {
			all[len(all)-1].lines = append(all[len(all)-1].lines, line)
		}
	}
	return all
}

// text is the section without the definitions of links that may follow it.
func (s section) text() string {
	lines := s.lines
	for len(lines) > 0 && (lines[len(lines)-1] == "" || linkDefinition.MatchString(lines[len(lines)-1])) {
		lines = lines[:len(lines)-1]
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n") + "\n"
}

// empty: "### Added" with nothing added is no news either.
func (s section) empty() bool {
	for line := range strings.Lines(s.text()) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "###") {
			return false
		}
	}
	return true
}

func headings(all []section) string {
	if len(all) == 0 {
		return "no heading of the second level"
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = fmt.Sprintf("%q", s.heading)
	}
	return strings.Join(names, ", ")
}
