package api

import (
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
	// params are the media type's parameters, and those that hold though it does not say so.
	params map[string]string
	// compressed says that it is worth compressing.
	compressed bool
	// what it is, for the documentation.
	doc string
	// policy is its Content-Security-Policy, where it may have more in it than data.
	policy string
}

// The formats. The first is given when a client has no wish. A picture has its colours
// in a style; nothing is loaded or run.
var formats = []*format{
	{"json", "application/json; charset=utf-8", []string{"application/json"}, inUTF8, true, "One document: the rows and meta.", ""},
	{"ndjson", "application/x-ndjson", []string{"application/x-ndjson", "application/ndjson", "application/jsonl"}, inUTF8, true, "A row a line, each a JSON object.", ""},
	{"csv", "text/csv; charset=utf-8; header=present", []string{"text/csv"}, map[string]string{"charset": "utf-8", "header": "present"}, true, "RFC 4180 with a header line. NULL is an empty field, the empty string \"\".", ""},
	{"parquet", "application/vnd.apache.parquet", []string{"application/vnd.apache.parquet"}, nil, false, "Parquet, compressed with Snappy.", ""},
	{"arrow", "application/vnd.apache.arrow.stream", []string{"application/vnd.apache.arrow.stream"}, nil, true, "An Arrow IPC stream.", ""},
	{"svg", "image/svg+xml", []string{"image/svg+xml"}, inUTF8, true, "A picture of the rows, at endpoints whose header says how to draw them.", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
}

var inUTF8 = map[string]string{"charset": "utf-8"}

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
	if f := chosen(r.offers, headerOf(c.Context(), fiber.HeaderAccept)); f != nil {
		return f, nil
	}
	return nil, notAcceptable.new("", "Accept asks for none of what this endpoint can give: "+strings.Join(r.mediaTypes, ", ")+". Or say ?format=, one of "+formatNames(r.offers)+".")
}
