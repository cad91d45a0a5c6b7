package api

import (
	"bytes"
	"mime"
	"regexp"
	"strconv"

	"github.com/valyala/fasthttp"
)

// wish is an element of Accept or Accept-Encoding (RFC 9110 §12.4, §12.5).
type wish struct {
	// name is a media range or a coding, in lower case.
	name   string
	params map[string]string
	// weight is q: 0, not at all, to 1.
	weight float64
}

// quality is a weight, a little wider than the RFC has it: Java's HTTP client sends ".2".
var quality = regexp.MustCompile(`^(0?\.[0-9]+|0\.?|1(\.0*)?)$`)

// wishes reads the elements of a header. One that is malformed is none.
func wishes(header []byte) []wish {
	var all []wish
	for element := range elements(string(header)) {
		name, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		w := wish{name, params, 1}
		if q, ok := params["q"]; ok {
			if !quality.MatchString(q) {
				continue
			}
			w.weight, _ = strconv.ParseFloat(q, 64) // "1." too
			delete(params, "q")
		}
		all = append(all, w)
	}
	return all
}

// elements are the parts of a list between its commas, except those in quotes.
func elements(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		quoted, from := false, 0
		for i := 0; i < len(list); i++ {
			switch c := list[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted:
				if !yield(list[from:i]) {
					return
				}
				from = i + 1
			}
		}
		yield(list[from:])
	}
}

// headerOf is a header that may be sent in several lines, which mean the same as one list.
func headerOf(c *fasthttp.RequestCtx, name string) []byte {
	switch lines := c.Request.Header.PeekAll(name); len(lines) {
	case 0:
		return nil
	case 1:
		return lines[0]
	default:
		return bytes.Join(lines, []byte(", "))
	}
}
