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

// preference is an element of Accept or Accept-Encoding (RFC 9110 §12.4, §12.5).
type preference struct {
	// name is a media range or a coding, in lower case.
	name   string
	params map[string]string
	// weight is q, from 0 (not acceptable) to 1.
	weight float64
}

// quality matches a weight, more leniently than the RFC: Java's HTTP client sends ".2".
var quality = regexp.MustCompile(`^(0?\.[0-9]+|0\.?|1(\.0*)?)$`)

// parsePreferences parses the elements of a header and ignores malformed ones.
func parsePreferences(header []byte) []preference {
	var all []preference
	for element := range splitList(string(header)) {
		name, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		w := preference{name, params, 1}
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

// splitList splits a header's list at commas outside of quotes.
func splitList(list string) func(yield func(string) bool) {
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

// joinedHeader returns a list header; several lines of it are joined, which means the same.
func joinedHeader(c *fasthttp.RequestCtx, name string) []byte {
	switch lines := c.Request.Header.PeekAll(name); len(lines) {
	case 0:
		return nil
	case 1:
		return lines[0]
	default:
		return bytes.Join(lines, []byte(", "))
	}
}

// How closely a media range matches a format; each parameter adds 1.
const (
	matchesAny = iota + 1
	matchesType
	matchesExactly
)

// preferredWeight returns the weight of the closest matching range, and its closeness; 0 if none
// matches.
func (f *format) preferredWeight(all []preference) (weight float64, closeness int) {
	for _, w := range all {
		near := f.closeness(w)
		if near > closeness || near > 0 && near == closeness && w.weight > weight {
			weight, closeness = w.weight, near
		}
	}
	return weight, closeness
}

// closeness is how closely the range matches the format, 0 if it doesn't.
func (f *format) closeness(w preference) int {
	for name, value := range w.params {
		if !strings.EqualFold(f.params[name], value) {
			return 0
		}
	}
	for _, mediaType := range f.accepts {
		kind, _, _ := strings.Cut(mediaType, "/")
		switch w.name {
		case mediaType:
			return matchesExactly + len(w.params)
		case kind + "/*":
			return matchesType
		case "*/*", "*":
			return matchesAny
		}
	}
	return 0
}

// negotiateFormat returns the acceptable format with the highest weight, then the closest match,
// then the first in our order; nil if none is acceptable.
func negotiateFormat(offers []*format, accept []byte) *format {
	if len(bytes.TrimSpace(accept)) == 0 {
		return jsonFormat
	}
	all := parsePreferences(accept)
	var best *format
	var most float64
	nearest := 0
	for _, f := range offers {
		weight, near := f.preferredWeight(all)
		if weight > most || weight == most && weight > 0 && near > nearest {
			best, most, nearest = f, weight, near
		}
	}
	return best
}

// coding negotiates the content coding; false if the client accepts none that we have.
func (f *format) coding(accept []byte) (spool.Coding, bool) {
	if len(accept) == 0 {
		return spool.Coding{}, true
	}
	if bytes.ContainsAny(accept, ";*") {
		return f.weightedCoding(parsePreferences(accept))
	}
	c := spool.Coding{}
	for part := range bytes.SplitSeq(accept, []byte(",")) { // the common case, without weights
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

// weightedCoding is coding for a header with weights or a wildcard.
func (f *format) weightedCoding(all []preference) (spool.Coding, bool) {
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
	// identity is acceptable unless excluded, but any coding that is named is preferred.
	const leastPlain = 1e-9
	plain := weight("identity", leastPlain)
	best, most := spool.Coding{Required: plain == 0}, 0.0
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

// format negotiates the format: by ?format=, else by Accept.
func (r *route) format(c *fiber.Ctx) (*format, error) {
	if name := c.Request().URI().QueryArgs().Peek("format"); name != nil {
		for _, f := range r.offers {
			if f.name == string(name) {
				return f, nil
			}
		}
		return nil, invalidParameter.new("format", "It must be one of "+strings.Join(formatNames(r.offers), ", ")+".")
	}
	if f := negotiateFormat(r.offers, joinedHeader(c.Context(), fiber.HeaderAccept)); f != nil {
		return f, nil
	}
	return nil, notAcceptable.new("", "Accept asks for none of what this endpoint can give: "+strings.Join(r.mediaTypes, ", ")+". Or say ?format=, one of "+strings.Join(formatNames(r.offers), ", ")+".")
}

// negotiate returns a request with pins, format, coding and cache key; parse adds the rest.
func (r *route) negotiate(c *fiber.Ctx) (q request, err error) {
	q.pins = grantOf(c).Pins()
	if q.format, err = r.format(c); err != nil {
		return q, err
	}
	var ok bool
	if q.coding, ok = q.format.coding(joinedHeader(c.Context(), fiber.HeaderAcceptEncoding)); !ok {
		return q, notAcceptable.new("", "Accept-Encoding takes neither zstd nor gzip nor identity, a plain answer. Take one of them.")
	}
	q.key = string(cacheKey(nil, r, q.pins, q.format, q.coding, c.Request().URI().QueryString()))
	return q, nil
}
