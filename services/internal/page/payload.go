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

// maxSteps bounds the pointers that are followed.
const maxSteps = 64

// wanted is a value of a document that a pointer leads to, or through. All of them are found in one reading: an
// event can have a thousand violations and a megabyte.
type wanted struct {
	at    byteRange
	below map[string]*wanted // by the name of a member or the index of an element
}

// follow returns what the steps lead to.
func (w *wanted) follow(steps []string) *wanted {
	for _, step := range steps {
		next := w.below[step]
		if next == nil {
			next = &wanted{}
			if w.below == nil {
				w.below = map[string]*wanted{}
			}
			w.below[step] = next
		}
		w = next
	}
	return w
}

// read finds the next value of the document, and what is wanted below it: of members of one name, the last.
func (w *wanted) read(doc []byte, d *json.Decoder) error {
	start := int(d.InputOffset())
	for start < len(doc) && strings.IndexByte(" \t\r\n,:", doc[start]) >= 0 {
		start++
	}
	defer func() { w.at = byteRange{start, int(d.InputOffset())} }()
	if w.below == nil || start == len(doc) || doc[start] != '{' && doc[start] != '[' {
		var skipped json.RawMessage
		return d.Decode(&skipped)
	}
	open, err := d.Token()
	for i := 0; err == nil && d.More(); i++ {
		name := strconv.Itoa(i)
		if open == json.Delim('{') {
			var token json.Token
			if token, err = d.Token(); err != nil {
				return err
			}
			name, _ = token.(string)
		}
		next := w.below[name]
		if next == nil {
			next = &wanted{}
		}
		err = next.read(doc, d)
	}
	if err == nil {
		_, err = d.Token()
	}
	return err
}

// find returns where the value of the steps is. If it is missing, or is the whole document, that is where the last
// value on the way to it begins.
func (w *wanted) find(steps []string) byteRange {
	for _, step := range steps {
		next := w.below[step]
		if next == nil || next.at.start <= w.at.start || next.at.end > w.at.end { // or of an earlier member of that name
			return byteRange{w.at.start, w.at.start + 1}
		}
		w = next
	}
	if len(steps) == 0 {
		return byteRange{w.at.start, w.at.start + 1}
	}
	return w.at
}

// stepsOf splits a JSON pointer (RFC 6901); one of too many steps is that of the whole document.
func stepsOf(pointer string) (steps []string) {
	if pointer == "" || strings.Count(pointer, "/") > maxSteps {
		return nil
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		steps = append(steps, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
	}
	return steps
}

// violatingByte matches the place of a payload that is no JSON.
var violatingByte = regexp.MustCompile(`\(byte ([0-9]+)\)`)

// findViolations returns the bytes of the payload that the violations are about, as far as they are known.
func findViolations(payload []byte, violations []Violation) (all []byteRange) {
	var whole wanted
	var pointers [][]string
	for _, v := range violations {
		match := violatingByte.FindStringSubmatch(v.Message)
		if match == nil || v.Pointer != "" {
			steps := stepsOf(v.Pointer)
			whole.follow(steps)
			pointers = append(pointers, steps)
			continue
		}
		if at, err := strconv.Atoi(match[1]); err == nil && at < len(payload) {
			_, size := utf8.DecodeRune(payload[at:])
			all = append(all, byteRange{at, at + size})
		}
	}
	if len(pointers) == 0 || whole.read(payload, json.NewDecoder(bytes.NewReader(payload))) != nil {
		return all
	}
	for _, steps := range pointers {
		all = append(all, whole.find(steps))
	}
	return all
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
	marks := findViolations(payload, violations)
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
