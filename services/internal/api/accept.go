package api

import (
	"bytes"
	"mime"
	"regexp"
	"strconv"
	"strings"

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

// How closely a media range names a format; one with parameters does so the closer the
// more it has.
const (
	asAnything = iota + 1
	asItsKind
	asItself
)

// wanted is the weight of the closest wish for the format, and how close that is; 0 if
// there is none.
func (f *format) wanted(all []wish) (weight float64, closeness int) {
	for _, w := range all {
		near := f.named(w)
		if near > closeness || near > 0 && near == closeness && w.weight > weight {
			weight, closeness = w.weight, near
		}
	}
	return weight, closeness
}

// named is how closely the wish names the format, 0 if not.
func (f *format) named(w wish) int {
	for name, value := range w.params {
		if !strings.EqualFold(f.params[name], value) {
			return 0
		}
	}
	for _, mediaType := range f.accepts {
		kind, _, _ := strings.Cut(mediaType, "/")
		switch w.name {
		case mediaType:
			return asItself + len(w.params)
		case kind + "/*":
			return asItsKind
		case "*/*", "*":
			return asAnything
		}
	}
	return 0
}

// chosen is the format that Accept asks for most, then most closely, then the first of
// ours; nil if none is acceptable.
func chosen(offers []*format, accept []byte) *format {
	if len(bytes.TrimSpace(accept)) == 0 {
		return jsonFormat
	}
	all := wishes(accept)
	var best *format
	var most float64
	nearest := 0
	for _, f := range offers {
		weight, near := f.wanted(all)
		if weight > most || weight == most && weight > 0 && near > nearest {
			best, most, nearest = f, weight, near
		}
	}
	return best
}

// coding is how an answer is compressed for a client.
type coding struct {
	// name is zstd, gzip or empty.
	name string
	// must says that the client takes no plain answer, however short.
	must bool
}

// coding is what the client takes of Accept-Encoding and the format deserves; false if
// the client takes nothing that there is.
func (f *format) coding(accept []byte) (coding, bool) {
	if len(accept) == 0 {
		return coding{}, true
	}
	if bytes.ContainsAny(accept, ";*") {
		return f.weighed(wishes(accept))
	}
	c := coding{}
	for part := range bytes.SplitSeq(accept, []byte(",")) { // what nearly all send
		switch name := bytes.TrimSpace(part); {
		case !f.compressed:
		case bytes.EqualFold(name, []byte("zstd")):
			c.name = "zstd"
		case c.name == "" && (bytes.EqualFold(name, []byte("gzip")) || bytes.EqualFold(name, []byte("x-gzip"))):
			c.name = "gzip"
		}
	}
	return c, true
}

// weighed is coding for a client that says how gladly it takes what.
func (f *format) weighed(all []wish) (coding, bool) {
	weights := map[string]float64{}
	for _, w := range all {
		weights[strings.TrimPrefix(w.name, "x-")] = w.weight
	}
	weight := func(name string, unsaid float64) float64 {
		if w, ok := weights[name]; ok {
			return w
		}
		if w, ok := weights["*"]; ok {
			return w
		}
		return unsaid
	}
	// Plain answers are taken unless they are ruled out, but less gladly than what is named.
	const leastPlain = 1e-9
	plain := weight("identity", leastPlain)
	best, most := coding{must: plain == 0}, 0.0
	for _, name := range []string{"zstd", "gzip"} {
		if w := weight(name, 0); w > most {
			best.name, most = name, w
		}
	}
	if _, named := weights["identity"]; plain > 0 && (!f.compressed || named && plain > most) {
		return coding{}, true
	}
	return best, best.name != "" || plain > 0
}
