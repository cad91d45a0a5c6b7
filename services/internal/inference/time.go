package inference

import "strings"

var (
	// timeWords are of names of times, eventWords of when something happened, otherWords of
	// other times that a row may have.
	timeWords  = wordSet("time at ts timestamp epoch date datetime on created updated occurred hora fecha")
	eventWords = wordSet("occurred event created timestamp ts time at measured recorded ordered placed sent observed logged taken datetime date day fecha hora dia started start departed")
	otherWords = wordSet("updated modified changed birth born dob due expiry expires expiration expected valid until end ended finish closed deleted next renewal arrived delivered nacimiento vencimiento actualizado modificado")
)

func isTime(property string) bool { return hasWord(property, timeWords) }

func hasWord(property string, of map[string]bool) bool {
	for part := range strings.SplitSeq(property, "_") {
		if of[part] {
			return true
		}
	}
	return false
}

// Time returns the index of the column that is the row's time, -1 if there is none: a date-time or a
// date that every row has. Of several, that whose name says that something happened is best, then
// a date-time, then the first.
func Time(columns []Column) int {
	best, at := 0, -1
	for i := range columns {
		c := &columns[i]
		if !c.Present || c.Format != "date-time" && c.Format != "date" {
			continue
		}
		score := 4
		if hasWord(c.Property, otherWords) {
			score -= 3
		} else if hasWord(c.Property, eventWords) {
			score += 2
		}
		if c.Format == "date-time" {
			score++
		}
		if score > best {
			best, at = score, i
		}
	}
	return at
}
