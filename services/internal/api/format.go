package api

import (
	"io"
	"slices"

	"github.com/estela-dev/estela/services/internal/chart"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// format is a format of answers.
type format struct {
	// name is its value of ?format=.
	name string
	// mediaType is the answer's Content-Type, accepts the media types of Accept that select it.
	mediaType string
	accepts   []string
	// params are the media type's parameters, implied ones included.
	params map[string]string
	// compressed is true if the format is worth compressing.
	compressed bool
	// doc describes it in the documentation.
	doc string
	// policy is its Content-Security-Policy, if browsers could run more than data in it.
	policy string
	// encoder begins an answer; nil for Parquet, charts and descriptions.
	encoder encode.Func
	// draw writes an answer's chart; nil for other formats.
	draw func(p *chart.Picture, w io.Writer) error
	// describe writes a description of the endpoint's answer, which is served instead of it; nil
	// for answers.
	describe func(e *endpoint.Endpoint, sh *endpoint.Shape) ([]byte, error)
}

// The formats, the default first. The SVG's policy allows its style and nothing to load or run.
var formats = []*format{
	{
		name: "json", mediaType: "application/json; charset=utf-8", accepts: []string{"application/json"}, params: utf8Params,
		compressed: true, doc: "One document: the rows and meta.", encoder: encode.JSON,
	},
	{
		name: "ndjson", mediaType: "application/x-ndjson", accepts: []string{"application/x-ndjson", "application/ndjson", "application/jsonl"}, params: utf8Params,
		compressed: true, doc: "A row a line, each a JSON object.", encoder: encode.NDJSON,
	},
	{
		name: "csv", mediaType: "text/csv; charset=utf-8; header=present", accepts: []string{"text/csv"}, params: map[string]string{"charset": "utf-8", "header": "present"},
		compressed: true, doc: "RFC 4180 with a header line. NULL is an empty field, the empty string \"\".", encoder: encode.CSV,
	},
	{
		name: "parquet", mediaType: "application/vnd.apache.parquet", accepts: []string{"application/vnd.apache.parquet"},
		doc: "Parquet, compressed with Snappy.",
	},
	{
		name: "arrow", mediaType: "application/vnd.apache.arrow.stream", accepts: []string{"application/vnd.apache.arrow.stream"},
		compressed: true, doc: "An Arrow IPC stream.", encoder: encode.Arrow,
	},
	{
		name: "svg", mediaType: "image/svg+xml", accepts: []string{"image/svg+xml"}, params: utf8Params,
		compressed: true, doc: "A picture of the rows, at endpoints whose header says how to draw them.",
		policy: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'", draw: (*chart.Picture).SVG,
	},
	{ // by name only: Accept: application/json asks for rows
		name: "chart", mediaType: "application/json; charset=utf-8", compressed: true,
		doc: "What the picture shows: axes, series and marks.", draw: (*chart.Picture).JSON,
	},
	{
		name: "schema", mediaType: "application/schema+json", accepts: []string{"application/schema+json"},
		doc: "The JSON Schema of a row, instead of the rows.", describe: jsonSchema,
	},
	{ // by name only: Accept: text/csv asks for rows
		name: "dictionary", mediaType: "text/csv; charset=utf-8; header=present",
		doc: "A table of the columns, instead of the rows: name, type in SQL, unit, title, description and example.", describe: dictionary,
	},
}

var utf8Params = map[string]string{"charset": "utf-8"}

var jsonFormat, parquetFormat = formats[0], formats[3]

// begin returns an encoder for an answer of the endpoint to w, to be closed if it is an io.Closer.
func (f *format) begin(w io.Writer, e *endpoint.Endpoint, sh *endpoint.Shape, parquet encode.OpenParquet, columns []encode.Column) (encode.Encoder, error) {
	switch {
	case f == parquetFormat:
		return encode.Parquet(parquet)(w, columns)
	case f.draw == nil:
		return f.encoder(w, columns)
	}
	c := e.Chart
	spec := chart.Spec{Title: e.Summary, Kind: c.Kind, X: c.X, Y: c.Y, Series: c.Series, Value: c.Value, Units: map[string]string{}}
	for _, column := range sh.Columns {
		spec.Units[column.Name] = column.Unit
	}
	return chart.New(w, spec, columns, f.draw), nil
}

// endpointFormats returns the formats that the endpoint can be served in.
func endpointFormats(e *endpoint.Endpoint) []*format {
	if e.Chart == nil {
		return slices.DeleteFunc(slices.Clone(formats), func(f *format) bool { return f.draw != nil })
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
