package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// byteRange is bytes of a text, from the first to before the second.
type byteRange struct{ start, end int }

// maxSteps bounds the pointers that are followed: each step reads the value again.
const maxSteps = 64

// findValue returns where the value of a JSON pointer (RFC 6901) is in a document. If it is missing, that is where
// the last value on the way to it begins; false if the text is no JSON up to there.
func findValue(doc []byte, pointer string) (byteRange, bool) {
	at, ok := trimmed(doc)
	if !ok {
		return at, false
	}
	if pointer == "" {
		return byteRange{at.start, at.start + 1}, true // the whole document: where it begins
	}
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	if len(steps) > maxSteps {
		return byteRange{at.start, at.start + 1}, true
	}
	for _, step := range steps {
		next, found := child(doc[at.start:at.end], strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		if !found {
			return byteRange{at.start, at.start + 1}, true
		}
		at = byteRange{at.start + next.start, at.start + next.end}
	}
	return at, at.start < at.end
}

// trimmed returns the range of the first value of a text.
func trimmed(doc []byte) (byteRange, bool) {
	var value json.RawMessage
	d := json.NewDecoder(bytes.NewReader(doc))
	if err := d.Decode(&value); err != nil {
		return byteRange{}, false
	}
	return behind(d, value), true
}

// behind returns the range of the value that has just been decoded.
func behind(d *json.Decoder, value json.RawMessage) byteRange {
	end := int(d.InputOffset())
	return byteRange{max(0, end-len(value)), end}
}

// child returns the range of a member of an object, the last of that name, or of an element of an array.
func child(value []byte, name string) (at byteRange, found bool) {
	d := json.NewDecoder(bytes.NewReader(value))
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return at, false
	}
	for i := 0; d.More(); i++ {
		key := strconv.Itoa(i)
		if open == json.Delim('{') {
			token, err := d.Token()
			if err != nil {
				return at, found
			}
			key, _ = token.(string)
		}
		var inside json.RawMessage
		if err := d.Decode(&inside); err != nil {
			return at, found
		}
		if key == name {
			at, found = behind(d, inside), true
		}
	}
	return at, found
}

// violatingByte matches the place of a payload that is no JSON.
var violatingByte = regexp.MustCompile(`\(byte ([0-9]+)\)`)

// findViolation returns the bytes of the payload that a violation is about; false if they are not known.
func findViolation(payload []byte, v Violation) (byteRange, bool) {
	if match := violatingByte.FindStringSubmatch(v.Message); match != nil && v.Pointer == "" {
		at, err := strconv.Atoi(match[1])
		if err != nil || at >= len(payload) {
			return byteRange{}, false
		}
		_, size := utf8.DecodeRune(payload[at:])
		return byteRange{at, at + size}, true
	}
	return findValue(payload, v.Pointer)
}

// segment is a part of a payload, as text.
type segment struct {
	Text   string
	Marked bool
}

// maxShown is how much of a payload is shown, shownBefore how much of it in front of the first mark.
const (
	maxShown    = 32 << 10
	shownBefore = 1 << 10
)

// markPayload returns the payload as text with the places of its violations marked, and whether some of it is left
// out, at its beginning or at its end.
func markPayload(payload []byte, violations []Violation) (parts []segment, before, after bool) {
	var marks []byteRange
	for _, v := range violations {
		if m, ok := findViolation(payload, v); ok {
			marks = append(marks, m)
		}
	}
	slices.SortFunc(marks, func(a, b byteRange) int { return a.start - b.start })
	from, to := 0, min(len(payload), maxShown)
	if len(marks) > 0 && marks[0].start >= maxShown-shownBefore {
		from = marks[0].start - shownBefore
		to = min(len(payload), from+maxShown)
	}
	at := from
	for _, m := range marks {
		if m.start < at || m.start >= to {
			continue
		}
		end := min(m.end, to)
		parts = append(parts, segment{printable(payload[at:m.start]), false}, segment{printable(payload[m.start:end]), true})
		at = end
	}
	return append(parts, segment{printable(payload[at:to]), false}), from > 0, to < len(payload)
}

// printable writes bytes as text: what is no text, and what can't be seen, as escapes of Go.
func printable(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, raw[0])
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		raw = raw[size:]
	}
	return b.String()
}
