package fault

import (
	"fmt"

	"github.com/agnivade/levenshtein"
)

// Nearest returns the name that is most like the given one, "" if none is like it. At most a third
// of its characters may differ, of a short one two but no more than half, by Levenshtein's distance:
// two letters that have changed places count as two.
func Nearest(name string, all []string) string {
	near, distance := "", 1+max(len(name)/3, min(2, len(name)/2))
	for _, other := range all {
		if d := levenshtein.ComputeDistance(name, other); d < distance {
			near, distance = other, d
		}
	}
	return near
}

// DidYouMean returns the question to append to a name that was not found, with a space before it; ""
// if no name is like it.
func DidYouMean(name string, all []string) string {
	if near := Nearest(name, all); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
