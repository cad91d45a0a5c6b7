package api

import (
	"io"
	"slices"

	"github.com/estela-dev/estela/services/internal/chart"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// format is how an answer is written.
type format struct {
	// name is what ?format= takes.
	name string
	// mediaType is the answer's Content-Type, accepts what a client may call it.
	mediaType string
	accepts   []string
	// params are the media type's parameters, and those that are implied.
	params map[string]string
	// compressed is a format that is worth compressing.
	compressed bool
	// doc is what it is, for the documentation.
	doc string
	// policy is its Content-Security-Policy, where it may have more in it than data.
	policy string
	// encoder begins an answer, but for a picture.
	encoder encode.Func
}

// The formats. The first is given when a client has no wish. A picture has its colours
// in a style; nothing is loaded or run.
var formats = []*format{
	{
		name: "json", mediaType: "application/json; charset=utf-8", accepts: []string{"application/json"}, params: inUTF8,
		compressed: true, doc: "One document: the rows and meta.", encoder: encode.JSON,
	},
	{
		name: "ndjson", mediaType: "application/x-ndjson", accepts: []string{"application/x-ndjson", "application/ndjson", "application/jsonl"}, params: inUTF8,
		compressed: true, doc: "A row a line, each a JSON object.", encoder: encode.NDJSON,
	},
	{
		name: "csv", mediaType: "text/csv; charset=utf-8; header=present", accepts: []string{"text/csv"}, params: map[string]string{"charset": "utf-8", "header": "present"},
		compressed: true, doc: "RFC 4180 with a header line. NULL is an empty field, the empty string \"\".", encoder: encode.CSV,
	},
	{
		name: "parquet", mediaType: "application/vnd.apache.parquet", accepts: []string{"application/vnd.apache.parquet"},
		doc: "Parquet, compressed with Snappy.", encoder: encode.Parquet,
	},
	{
		name: "arrow", mediaType: "application/vnd.apache.arrow.stream", accepts: []string{"application/vnd.apache.arrow.stream"},
		compressed: true, doc: "An Arrow IPC stream.", encoder: encode.Arrow,
	},
	{
		name: "svg", mediaType: "image/svg+xml", accepts: []string{"image/svg+xml"}, params: inUTF8,
		compressed: true, doc: "A picture of the rows, at endpoints whose header says how to draw them.",
		policy: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
	},
}

var inUTF8 = map[string]string{"charset": "utf-8"}

var jsonFormat, svgFormat = formats[0], formats[5]

// begin is the format's encoder of an answer of the endpoint, writing to w.
func (f *format) begin(w io.Writer, e *endpoint.Endpoint, columns []encode.Column) (encode.Encoder, error) {
	if f == svgFormat {
		return chart.New(w, chart.Spec{Kind: e.Chart.Kind, Title: e.Summary, X: e.Chart.X, Y: e.Chart.Y}, columns), nil
	}
	return f.encoder(w, columns)
}

// formatsOf are what the endpoint can be written in.
func formatsOf(e *endpoint.Endpoint) []*format {
	if e.Chart == nil {
		return slices.DeleteFunc(slices.Clone(formats), func(f *format) bool { return f == svgFormat })
	}
	return formats
}

func formatNames(all []*format) []string {
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.name
	}
	return names
}
