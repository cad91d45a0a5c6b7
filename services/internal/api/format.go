package api

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// format is how an answer is written.
type format struct {
	// name is what ?format= takes.
	name string
	// mediaType is the answer's Content-Type, accepts what a client may call it.
	mediaType string
	accepts   []string
	// text says that it is worth compressing.
	text bool
	// what it is, for the documentation.
	doc string
	// policy is its Content-Security-Policy, where it may have more in it than data.
	policy string
}

// The formats. The first is given when a client has no wish. A picture has its colours
// in a style; nothing is loaded or run.
var formats = []*format{
	{"json", "application/json; charset=utf-8", []string{"application/json"}, true, "One document: the rows and meta.", ""},
	{"ndjson", "application/x-ndjson", []string{"application/x-ndjson", "application/ndjson", "application/jsonl"}, true, "A row a line, each a JSON object.", ""},
	{"csv", "text/csv; charset=utf-8; header=present", []string{"text/csv"}, true, "RFC 4180 with a header line. NULL is an empty field, the empty string \"\".", ""},
	{"parquet", "application/vnd.apache.parquet", []string{"application/vnd.apache.parquet"}, false, "Parquet, compressed with Zstandard.", ""},
	{"arrow", "application/vnd.apache.arrow.stream", []string{"application/vnd.apache.arrow.stream"}, false, "An Arrow IPC stream.", ""},
	{"svg", "image/svg+xml", []string{"image/svg+xml"}, true, "A picture of the rows, at endpoints whose header says how to draw them.", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
}

var jsonFormat, svgFormat = formats[0], formats[5]

// formats are what the endpoint can be written in.
func (r *route) formats() []*format {
	if r.Chart == nil {
		return slices.DeleteFunc(slices.Clone(formats), func(f *format) bool { return f == svgFormat })
	}
	return formats
}

func formatNames(all []*format) string {
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// format is what the client asked for: by ?format=, else by Accept.
func (r *route) format(c *fiber.Ctx) (*format, error) {
	if name := c.Request().URI().QueryArgs().Peek("format"); name != nil {
		for _, f := range r.offers {
			if f.name == string(name) {
				return f, nil
			}
		}
		return nil, invalidParameter.new("format", "It must be one of "+formatNames(r.offers)+".")
	}
	accept := c.Get(fiber.HeaderAccept)
	if accept == "" || accept == "*/*" || accept == "application/json" {
		return jsonFormat, nil
	}
	chosen := c.Accepts(r.mediaTypes...)
	for _, f := range r.offers {
		if slices.Contains(f.accepts, chosen) {
			return f, nil
		}
	}
	return nil, notAcceptable.new("", "Accept asks for none of what this endpoint can give: "+strings.Join(r.mediaTypes, ", ")+". Or say ?format=, one of "+formatNames(r.offers)+".")
}

// encoding is the content coding that the client takes and the answer deserves:
// zstd, gzip or none.
func (f *format) encoding(accept []byte) string {
	if !f.text || len(accept) == 0 {
		return ""
	}
	found := ""
	for part := range bytes.SplitSeq(accept, []byte(",")) {
		name, weight, _ := bytes.Cut(part, []byte(";"))
		if unwanted.Match(weight) {
			continue
		}
		switch string(bytes.TrimSpace(name)) {
		case "zstd":
			return "zstd"
		case "gzip":
			found = "gzip"
		}
	}
	return found
}

// unwanted is the weight of a coding that the client does not take.
var unwanted = regexp.MustCompile(`^\s*q\s*=\s*0(\.0*)?\s*$`)
