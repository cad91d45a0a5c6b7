package release_test

import (
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/release"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tags      string
		want, err string
	}{
		{tags: "v1.2.3", want: "v1.2.3"},
		{tags: "v0.0.0", want: "v0.0.0"},
		{tags: "v1.2.3-rc.1", want: "v1.2.3-rc.1"},
		{tags: "v1.2.3-0a.x-y", want: "v1.2.3-0a.x-y"},
		{tags: "latest  v1.2.3\n stable v1.2.3", want: "v1.2.3"},
		{tags: "verified v10.20.30", want: "v10.20.30"},
		{tags: "", err: "git tag -a v1.2.3"},
		{tags: "latest", err: "no tag of this commit is a version"},
		{tags: "v1.2.3 v1.2.4", err: "v1.2.3 and v1.2.4; run git tag -d"},
		{tags: "v1.2.3 v1.2.3-rc.1", err: "has 2"},
		{tags: "v1.2", err: "git tag -d v1.2,"},
		{tags: "1.2.3", err: `"1.2.3"`},
		{tags: "V1.2.3", err: `"V1.2.3"`},
		{tags: "v01.2.3", err: `"v01.2.3"`},
		{tags: "v1.2.3.4", err: `"v1.2.3.4"`},
		{tags: "v1.2.3-", err: `"v1.2.3-"`},
		{tags: "v1.2.3-01", err: `"v1.2.3-01"`},
		{tags: "v1.2.3-a..b", err: `"v1.2.3-a..b"`},
		{tags: "v1.2.3+build", err: `"v1.2.3+build"`},
		{tags: "v1.2.3 v1.3", err: `"v1.3"`},
	} {
		got, err := release.Version(strings.Split(c.tags, " "))
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: got %q, %v; want %q, %q", c.tags, got, err, c.want, c.err)
		}
	}
}

const changelog = `# Changelog

All notable changes are here.

## [Unreleased]

### Added

## [1.2.3] - 2026-01-02

### Added

- A [thing].

` + "```" + `
## 9.9.9 is not a heading
` + "```" + `

### Fixed

- Another.

## 1.2.30

- Only this.

## [1.1.0](https://example.com/1.1.0) - 2025-12-01

- Linked.

## v1.0.1

## [1.0.0-rc.1] - 2025-01-01
- First.

[thing]: https://example.com/thing
[1.2.3]: https://example.com/compare/v1.1.0...v1.2.3
`

func TestNotes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ version, want string }{
		{"v1.2.3", "### Added\n\n- A [thing].\n\n```\n## 9.9.9 is not a heading\n```\n\n### Fixed\n\n- Another.\n"},
		{"1.2.30", "- Only this.\n"},
		{"v1.1.0", "- Linked.\n"},
		{"1.0.0-rc.1", "- First.\n"},
	} {
		for _, text := range []string{changelog, strings.ReplaceAll(changelog, "\n", "\r\n")} {
			if got, err := release.Notes(text, c.version); err != nil || got != c.want {
				t.Errorf("%s: got %q, %v; want %q", c.version, got, err, c.want)
			}
		}
	}
}

func TestNotesSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ changelog, version, want string }{
		{changelog, "v1.2", `"## [1.2.3] - 2026-01-02"`},
		{changelog, "v9.9.9", `add a section "## [9.9.9] - `},
		{changelog, "1.2.3-rc.1", `find version "1.2.3-rc.1"`},
		{changelog, "v1.0.1", `nothing is below "## v1.0.1"`},
		{changelog, "Unreleased", `nothing is below "## [Unreleased]"`},
		{changelog, "", "find version"},
		{"# Changelog\n", "v1.0.0", "no heading of the second level"},
		{"", "v1.0.0", "no heading of the second level"},
		{"## 1.0.0\n- a\n## [1.0.0]\n- b\n", "1.0.0", "has 2 sections"},
	} {
		if got, err := release.Notes(c.changelog, c.version); err == nil || got != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.version, got, err, c.want)
		}
	}
}
