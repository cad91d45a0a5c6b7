package api

import (
	"bytes"
	"mime"
	"regexp"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/spool"
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

// coding is what the client takes of Accept-Encoding and the format deserves; false if
// the client takes nothing that there is.
func (f *format) coding(accept []byte) (spool.Coding, bool) {
	if len(accept) == 0 {
		return spool.Coding{}, true
	}
	if bytes.ContainsAny(accept, ";*") {
		return f.weighed(wishes(accept))
	}
	c := spool.Coding{}
	for part := range bytes.SplitSeq(accept, []byte(",")) { // what nearly all send
		switch name := bytes.TrimSpace(part); {
		case !f.compressed:
		case bytes.EqualFold(name, []byte("zstd")):
			c.Name = "zstd"
		case c.Name == "" && (bytes.EqualFold(name, []byte("gzip")) || bytes.EqualFold(name, []byte("x-gzip"))):
			c.Name = "gzip"
		}
	}
	return c, true
}

// weighed is coding for a client that gives weights.
func (f *format) weighed(all []wish) (spool.Coding, bool) {
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
	best, most := spool.Coding{Must: plain == 0}, 0.0
	for _, name := range []string{"zstd", "gzip"} {
		if w := weight(name, 0); w > most {
			best.Name, most = name, w
		}
	}
	if _, named := weights["identity"]; plain > 0 && (!f.compressed || named && plain > most) {
		return spool.Coding{}, true
	}
	return best, best.Name != "" || plain > 0
}

// format is what the client asked for: by ?format=, else by Accept.
func (r *route) format(c *fiber.Ctx) (*format, error) {
	if name := c.Request().URI().QueryArgs().Peek("format"); name != nil {
		for _, f := range r.offers {
			if f.name == string(name) {
				return f, nil
			}
		}
		return nil, invalidParameter.new("format", "It must be one of "+strings.Join(formatNames(r.offers), ", ")+".")
	}
	if f := chosen(r.offers, headerOf(c.Context(), fiber.HeaderAccept)); f != nil {
		return f, nil
	}
	return nil, notAcceptable.new("", "Accept asks for none of what this endpoint can give: "+strings.Join(r.mediaTypes, ", ")+". Or say ?format=, one of "+strings.Join(formatNames(r.offers), ", ")+".")
}

// negotiate is what names an answer in the cache: format, coding, and the query as it was sent.
func (r *route) negotiate(c *fiber.Ctx) (q request, err error) {
	if q.format, err = r.format(c); err != nil {
		return q, err
	}
	var ok bool
	if q.coding, ok = q.format.coding(headerOf(c.Context(), fiber.HeaderAcceptEncoding)); !ok {
		return q, notAcceptable.new("", "Accept-Encoding takes neither zstd nor gzip nor identity, a plain answer. Take one of them.")
	}
	q.key = string(cacheKey(nil, r, q.format, q.coding, c.Request().URI().QueryString()))
	return q, nil
}
