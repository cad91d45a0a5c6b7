// Package release knows what a release is called, what is new in it and what its files weigh in SHA-256.
package release

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The regular expression of semver.org without build metadata, which a container tag can't hold.
var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?$`)

// A tag that means to be a version: a digit, with or without a v before it.
var versionLike = regexp.MustCompile(`^[vV]?\d`)

// Version is the one version, such as v1.2.3 or v1.2.3-rc.1, among the tags of the commit to release
// (git tag --points-at HEAD). Tags that don't look like versions are not its business.
func Version(tags []string) (string, error) {
	var versions []string
	for _, tag := range tags {
		tag = strings.TrimSpace(tag)
		if !versionLike.MatchString(tag) {
			continue
		}
		if bare, ok := strings.CutPrefix(tag, "v"); !ok || !semver.MatchString(bare) {
			return "", fmt.Errorf("read tag %q: it is not vMAJOR.MINOR.PATCH or vMAJOR.MINOR.PATCH-PRE; "+
				"run: git tag -d %s, then git tag -a with such a name", tag, tag)
		}
		if !slices.Contains(versions, tag) {
			versions = append(versions, tag)
		}
	}
	switch len(versions) {
	case 0:
		return "", errors.New("find version: no tag of this commit is a version; run: git tag -a v1.2.3 -m v1.2.3 && git push origin v1.2.3")
	case 1:
		return versions[0], nil
	}
	return "", fmt.Errorf("find version: this commit has %d, %s; run git tag -d for all but one (and git push --delete origin)",
		len(versions), strings.Join(versions, " and "))
}
