package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// serveDescription answers with a description of the endpoint's answer, which needs no parameters
// and runs no query. Those of a request for the answer itself may stay.
func (s *Server) serveDescription(c *fiber.Ctx, r *route, q request) error {
	given, err := queryString(c.Context())
	if err != nil {
		return err
	}
	for name := range given {
		if name != "format" && !r.hasParam(name, q.pins) {
			return unknownParameter.new(name, r.unknownDetail(name, q.pins))
		}
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), r.Limit.Time)
	defer cancel()
	sh, err := r.describe(ctx)
	if err != nil {
		return queryProblem(ctx, err)
	}
	body, err := q.format.describe(&r.Endpoint, sh)
	if err != nil {
		return err
	}
	s.setDocumentCaching(c)
	return serveCacheable(q.format.mediaType, body)(c)
}

// hasParam reports whether a request may give a parameter of that name.
func (r *route) hasParam(name string, pins access.Pins) bool {
	named := func(p endpoint.Param) bool { return p.Name == name }
	return slices.ContainsFunc(r.Unpinned(pins.Values()), named) || len(r.Order) > 0 && (name == "limit" || name == "cursor")
}

// jsonSchema writes the JSON Schema of a row.
func jsonSchema(e *endpoint.Endpoint, sh *endpoint.Shape) ([]byte, error) {
	row := rowSchema(sh.Columns)
	doc := members{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", e.Summary}}
	if e.Description != "" {
		doc = append(doc, member{"description", e.Description})
	}
	for _, name := range []string{"type", "properties", "required", "additionalProperties"} {
		doc = append(doc, member{name, row[name]})
	}
	body, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write JSON Schema: %w", err)
	}
	return append(body, '\n'), nil
}

// dictionary writes a table of the columns, with DuckDB's names of their types.
func dictionary(_ *endpoint.Endpoint, sh *endpoint.Shape) ([]byte, error) {
	lines := [][]string{{"name", "type", "unit", "title", "description", "example"}}
	for _, c := range sh.Columns {
		lines = append(lines, []string{c.Name, c.Type, c.Unit, c.Title, c.Description, firstExample(c)})
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("write dictionary: %w", err)
	}
	return b.Bytes(), nil
}

// firstExample is the first example as a CSV answer has it: a text without quotes.
func firstExample(c endpoint.Column) string {
	if len(c.Examples) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(c.Examples[0], &text) == nil {
		return text
	}
	return string(c.Examples[0])
}
